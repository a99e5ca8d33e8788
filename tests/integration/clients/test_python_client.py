"""The Python client as it is used: blocks, loops that are left, channels that come and go, and the HTTP API."""

from __future__ import annotations

import ast
import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import pytest_asyncio

from oddsengine.client import GatewayApi, GaveUp, OddsClient, QuoteToCheck, QuoteVerifier, RequestRefused
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.protocol.server_messages import EventWithMarkets, MarketAnswer, Snapshot
from oddsengine.gateway.quotes.settings import QuoteSettings
from oddsengine.history.verification.checkpoints import generate_key
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAGE = Path(__file__).parents[3] / "docs" / "python-client.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
MARKET = "e1/match_odds"


@pytest_asyncio.fixture
async def service(tmp_path: Path) -> AsyncIterator[RunningService]:
    """A service with two events that signs quotes and admits anybody, with or without a token."""
    generate_key(tmp_path / "quotes.pem")
    tokens = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    settings = quick_settings(auth=AuthSettings(keys=(tokens,), anonymous_role="trader"), heartbeat_ms=500)
    settings = msgspec.structs.replace(settings, quotes=QuoteSettings(signing_key_file=str(tmp_path / "quotes.pem")))
    async with running_service(settings) as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        found.feed(*market_updates(a_definition("e2/match_odds"), a_quote("home", 3.0), a_quote("away", 1.5), source_id="1.2"))
        await found.wait_published()
        yield found


def move(service: RunningService, odds: float) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", odds), a_quote("away", odds / (odds - 1))))


async def next_of(client: OddsClient, op: str) -> dict[str, Any]:
    async with asyncio.timeout(30):
        async for message in client:
            if message["op"] == op:
                return message
    raise AssertionError


async def test_a_loop_that_is_left_goes_on_later_and_the_block_leaves_nothing(service: RunningService) -> None:
    before = asyncio.all_tasks()
    async with OddsClient(service.base, ["event:e1"]) as client:
        assert not service.hub.sessions, "nobody has iterated yet"
        await next_of(client, "snapshot")
        move(service, 2.5)
        await service.wait_published()
        assert client.connected
        delta = await next_of(client, "delta")
        assert [MARKET] == [market["id"] for market in delta["markets"]]
        assert 0 == client.reconnects
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await next_of(client, "bye")
        move(service, 3.0)
        await next_of(client, "delta")
        assert 0 == client.reconnects, "a cancelled iteration keeps its connection"
    assert not client.connected
    await wait_until(lambda: not service.hub.sessions, "the end of the session")
    await wait_until(lambda: asyncio.all_tasks() - before <= {asyncio.current_task()}, "the end of all tasks")
    with pytest.raises(RuntimeError, match="async with"):
        await anext(client)


async def test_the_end_of_the_block_ends_the_loop_of_another_task(service: RunningService) -> None:
    async def follow(client: OddsClient) -> int:
        return len([message async for message in client])

    for url in (service.base, "http://127.0.0.1:1"):
        async with OddsClient(url, ["event:e1"], on_problem=lambda _: None) as client:
            following = asyncio.create_task(follow(client))
            await wait_until(lambda client=client: bool(client.state.markets or client.reconnects), "a message, or a failure")  # type: ignore[misc]
            with pytest.raises(RuntimeError, match="another task"):
                await anext(client)
        assert (await following > 0) == (url == service.base)


async def test_giving_up_ends_the_loop_and_closes_the_connection(service: RunningService) -> None:
    async with OddsClient(service.base, ["event:e1"], odds_format="roman") as client:
        with pytest.raises(GaveUp):
            await next_of(client, "snapshot")
        await wait_until(lambda: not service.hub.sessions, "the end of the session")


async def test_the_block_may_be_left_while_another_task_gives_up(service: RunningService) -> None:
    async with OddsClient(service.base, ["event:e1"], odds_format="roman") as client:
        following = asyncio.create_task(next_of(client, "snapshot"))
        for is_connected in (True, False):
            while client.connected is not is_connected:
                await asyncio.sleep(0)
        assert not following.done(), "it waits until the connection is closed"
    with pytest.raises(GaveUp):
        await following


async def test_channels_are_added_and_left_on_the_open_connection(service: RunningService) -> None:
    async with OddsClient(service.base, ["event:e1"]) as client:
        await next_of(client, "snapshot")
        await client.subscribe(["event:e2", "event:none"], odds_format="fractional")
        assert {"event:e2", "event:none"} == client.state.stale.keys()
        snapshot = await next_of(client, "snapshot")
        assert "event:e2" == snapshot["channel"]
        assert isinstance(client.state.markets["e2/match_odds"]["selections"]["home"]["price"], str)
        await client.unsubscribe("event:e1")
        assert {"e2"} == client.state.events.keys()
        move(service, 2.5)
        await client.subscribe("event:e1")
        received = []
        async with asyncio.timeout(30):
            async for message in client:
                received.append(message)
                if message["op"] == "snapshot":
                    break
        assert "event:e1" == received[-1]["channel"]
        assert "event:e1" not in {message.get("channel") for message in received[:-1]}
        assert 0 == client.resumed
        await client.unsubscribe(client.channels)
        assert (1, {}, {}, {}) == (len(service.hub.sessions), client.state.markets, client.state.events, client.state.stale)
        await wait_until(lambda: not service.hub.subscribed_channels, "nothing is subscribed to")


async def test_channels_come_and_go_at_once_from_several_tasks(service: RunningService) -> None:
    """Whatever is sent when: in the end the gateway sends what the client follows, and nothing else."""
    async with OddsClient(service.base) as client:

        async def change(channel: str) -> None:
            for _ in range(10):
                await client.subscribe(channel)
                await client.unsubscribe(channel)
            await client.subscribe(channel)

        channels = ["event:e1", "event:e2", "sport:football", "competition:cup"]
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            for channel in channels:
                group.create_task(change(channel))
            async for _ in client:
                if sorted(client.channels) == sorted(channels) and not client.state.stale:
                    break
        assert {"e1", "e2"} == client.state.events.keys()
        assert len(channels) == len(service.hub.subscribed_channels)


async def test_what_the_http_api_answers_is_of_the_protocols_types(service: RunningService) -> None:
    async with GatewayApi(service.base) as api:
        market = await api.market(MARKET)
        assert isinstance(market, MarketAnswer)
        assert service.hub.replica.offers[0].market(MARKET).v == market.v  # type: ignore[union-attr]
        event = await api.event("e1", odds_format="fractional")
        assert isinstance(event, EventWithMarkets)
        assert "9/10" == event.markets[0].selections["home"].price
        assert ["e1", "e2"] == sorted(found.id for found in await api.events(sport="football", in_play=False))
        snapshot = await api.snapshot("sport:football", include_fair=True)
        assert isinstance(snapshot, Snapshot)
        assert isinstance(snapshot.markets, list)
        assert {0.5} == {each.fair for found in snapshot.markets for each in found.selections.values() if found.id == MARKET}
        assert MARKET == (await api.explain(MARKET)).market
        assert "trader" == (await api.me()).role
        assert (await api.ticket()).ticket
        assert isinstance(await api.feeds(), list)
        command = await api.command("limit", f"market:{MARKET}", values=50, reason="a try")
        assert ("limit", ["limit"]) == (command.action, [each.action for each in (await api.commands(active=True)).commands])
        assert 50 == (await api.market(MARKET)).limit
        assert "lifted" == (await api.lift(command.id)).state
        for question in (
            api.market_at(MARKET, datetime(2026, 1, 1, tzinfo=UTC)),
            api.market_changes(MARKET),
            api.explain_at(MARKET),
            api.command_steps(),
        ):
            with pytest.raises(RequestRefused) as refused:
                await question
            assert 503 == refused.value.status, "this service has no history"
        with pytest.raises(RequestRefused, match="e9") as refused:
            await api.event("e9")
        assert (404, "not_found") == (refused.value.status, refused.value.code)


async def test_a_refused_token_is_asked_for_again_once(service: RunningService) -> None:
    tokens = ["not valid", a_token(role="service"), "never asked for"]
    async with GatewayApi(service.base, token=lambda: tokens.pop(0).replace(" ", "-")) as api:
        assert "service" == (await api.me()).role
        assert "service" == (await api.me()).role
    assert 1 == len(tokens)
    async with GatewayApi(service.base, token=lambda: "not-valid") as api:
        with pytest.raises(RequestRefused) as refused:
            await api.me()
    assert 401 == refused.value.status


async def test_a_quote_is_verified_offline(service: RunningService) -> None:
    async with OddsClient(service.base) as client:
        quotes = [QuoteToCheck(market=MARKET, selection="home", price=price) for price in (1.9, 1.5)]
        first, second = await client.api.check_quotes(quotes, sign=True, include_fair=True)
        assert ("ok", "price_changed", 0.5) == (first.result, second.result, first.fair)
        verifier = await client.api.quote_verifier()
    assert isinstance(verifier, QuoteVerifier)
    assert isinstance(first.signed, str)
    quote = verifier.verify(first.signed)
    assert (MARKET, "home", 1.9) == (quote.market, quote.selection, quote.price)
    with pytest.raises(ValueError, match="expired"):
        verifier.verify(first.signed, at_s=quote.exp)
    with pytest.raises(ValueError, match="signed quote"):
        verifier.verify(first.signed[:-4])


async def test_the_examples_of_the_page_run(service: RunningService, capsys: pytest.CaptureFixture[str]) -> None:
    async def get_token() -> str:
        return a_token(role="service")

    names: dict[str, Any] = {"url": service.base, "get_token": get_token}
    for example in EXAMPLES:
        async with asyncio.timeout(30):
            await eval(compile(example, PAGE.name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
    printed = capsys.readouterr().out
    assert "not a price of ours" not in printed
    for expected in ("open 1.9", "['event:e1'] 9/10", "404 not_found", "ok 1.9", f"{MARKET} home 1.9 default"):
        assert expected in printed
