"""`oddsengine suspend`, `lift`, `override` and `commands`, and the Python client behind them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.client.commands import CommandClient
from oddsengine.client.errors import RequestRefused
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKET = "e1/match_odds"


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running_service() as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await found.wait_published()
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def refusing() -> AsyncIterator[RunningService]:
    """A service for all commands that change nothing."""
    async with running_service() as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await found.wait_published()
        yield found


async def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """Run a command. Return its exit code, what it prints, and its errors."""
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    # The service of this process logs to the same output.
    printed = [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]
    return result.exit_code, printed, result.stderr


async def test_a_trader_suspends_lists_lifts_and_overrides(service: RunningService) -> None:
    code, (made,), _ = await run("suspend", service.base, "event:e1", "--reason", "red card", "--expires", "60")
    assert (0, "applied", "red card") == (code, made["state"], made["reason"])
    assert "trader" == (await service.get(f"/v1/markets/{MARKET}"))["reason"]
    _, listed, _ = await run("commands", service.base)
    assert [made["id"]] == [each["id"] for each in listed]
    for _ in range(2):
        code, (lifted,), _ = await run("lift", service.base, made["id"])
        assert (0, "lifted") == (code, lifted["state"])
    code, answers, _ = await run("override", service.base, f"market:{MARKET}", "--price", "home=1.8", "--limit", "20")
    assert (0, ["price", "limit"]) == (code, [each["action"] for each in answers])
    market = await service.get(f"/v1/markets/{MARKET}")
    assert (1.8, 20.0) == (market["selections"]["home"]["price"], market["limit"])
    code, (made,), _ = await run("command", service.base, "result", f"market:{MARKET}", "home=winner")
    assert (0, {"home": "winner"}, 1) == (code, made["values"], made["markets"])
    code, (made,), warned = await run("command", service.base, "note", "sport:footbal", "--reason", "late lineups")
    assert (0, "late lineups", 0) == (code, made["reason"], made["markets"])
    assert "warning: the sport 'footbal' is not on offer (did you mean 'football'?): it holds for what comes" in warned
    _, listed, _ = await run("commands", service.base, "--all")
    assert 5 == len(listed)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("suspend", "evnt:e1"), "did you mean 'event:e1'"),
        (("suspend", "footbal"), "did you mean 'sport:footbal'"),
        (("suspend", "e1/match_odds"), "did you mean 'market:e1/match_odds'"),
        (("suspend", "betfair.7"), "did you mean 'event:betfair.7'"),
        (("suspend", "sport"), "as in sport:football"),
        (("suspend", "al"), "did you mean 'all'"),
        (("suspend", "event:e1", "--type", "moneylin"), "did you mean 'moneyline'"),
        (("command", "suspnd", "event:e1"), "did you mean 'suspend'"),
        (("command", "result", "event:e1", "home=winner", "draw"), "not a selection"),
        (("suspend", "event:e1", "--expires", "soon"), "kick_off"),
        (("lift", "none"), "no command 'none'"),
        (("lift", "none", "--ca", "missing.pem"), "missing.pem can't be loaded"),
        (("override", "event:e1"), "nothing to set"),
        (("override", "event:e1", "--price", "home"), "home=2.5"),
        (("override", f"market:{MARKET}", "--price", "home=9", "--force"), "role admin"),
    ],
)
async def test_what_is_wrong_is_one_line(refusing: RunningService, arguments: tuple[str, ...], words: str) -> None:
    name, *rest = arguments
    code, printed, problem = await run(name, refusing.base, *rest)
    assert code != 0
    assert [] == printed
    assert words in problem
    assert "check the name" not in problem, "the gateway has answered"


async def test_the_client_raises_what_the_gateway_refuses(service: RunningService) -> None:
    async with CommandClient(service.base) as client:
        with pytest.raises(RequestRefused) as refused:
            await client.make("limit", "event:e1", values=-1)
        assert (400, "bad_request") == (refused.value.status, refused.value.code)
        made = await client.suspend("event:e1", types=["total"])
        assert [made["id"]] == [each["id"] for each in await client.commands(active=True)]
        assert "open" == (await service.get(f"/v1/markets/{MARKET}"))["status"]
