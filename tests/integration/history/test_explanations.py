"""What led to a price of the past: steps that end with the price of then, or say that they are of an earlier one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from typer.testing import CliRunner

from oddsengine.cli.app import app
from oddsengine.engine.noting import recorder
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.history.settings import HistorySettings
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.archiving.notes import note_history
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.history.archiving import NAMESPACE, archiving, until_archived, wall_ms
from tests.support.service import quick_settings, running_service

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from oddsengine.history.database import Database
    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.service import RunningService

MARKET = "e1/moneyline"


def as_trader(**claims: Any) -> dict[str, str]:
    """Return the headers of a trader's request."""
    return {"Authorization": f"Bearer {a_token(**{'sub': 'ann', 'role': 'trader', **claims})}"}


async def ask(service: RunningService, path: str, status: int = 200, **claims: Any) -> Any:
    async with service.http.get(f"{service.base}/v1/history/markets/{path}", headers=as_trader(**claims)) as response:
        body = await response.json()
        assert status == response.status, body
        return body


async def explain(service: RunningService, *options: str) -> str:
    """Return what `oddsengine history explain` prints."""
    command = ["history", "explain", service.base, MARKET, "--token", a_token(role="trader"), *options]
    shown = await asyncio.to_thread(CliRunner().invoke, app, command, env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    return shown.output.strip()


async def quote(service: RunningService, odds: float) -> int:
    """Quote odds, wait until they are published and the market can be explained, and return when that was."""
    definition = a_definition(MARKET)
    service.feed(*market_updates(definition, a_quote("home", odds), a_quote("away", odds / (odds - 1))))
    await service.wait_published()
    at_ms = wall_ms()
    await asyncio.sleep(0.02)  # what follows is of a later time
    return at_ms


async def until_noted(database: Database, count: int) -> None:
    async with asyncio.timeout(30):
        while (await database.fetch("SELECT count(*) FROM records WHERE kind = 5"))[0][0] < count:
            await asyncio.sleep(0.02)


async def test_the_steps_lead_to_the_price_of_then(
    tmp_path: Path, database: Database, redis_server: EmbeddedRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "_CHECK_S", 0.02)
    monkeypatch.setattr(recorder, "EVERY_S", 1.5)
    key = KeySettings(algorithm="HS256", file=write_key(tmp_path / "secret", SECRET))
    profiles = {"default": Profile(book_sum=1.05), "gold": Profile(book_sum=1.2)}
    settings = quick_settings(profiles=profiles, auth=AuthSettings(keys=(key,)))
    settings = msgspec.structs.replace(settings, history=HistorySettings(url=database.url))
    running = running_service(settings, redis_url=redis_server.url, namespace=NAMESPACE)
    async with archiving(database, redis_server.url), running as service:
        async with note_history(service.settings, redis_server.url, service.engine, tmp_path / "secret"):
            before_ms = wall_ms() - 60_000
            times = [await quote(service, 2.0)]
            await until_noted(database, 1)
            # It was explained a moment ago: this version is not.
            times.append(await quote(service, 2.2))
            times.append(await quote(service, 2.4))
            await until_noted(database, 2)
            body = {"action": "suspend", "scope": {"market": MARKET, "profiles": ["gold"]}, "reason": "too many winners"}
            async with service.http.post(f"{service.base}/v1/commands", json=body, headers=as_trader()) as response:
                assert 201 == response.status, await response.text()
            await until_noted(database, 3)
        offer = service.hub.replica.offers[0]
        await until_archived(database, offer.epoch, offer.seq)
        exact: list[bool] = []
        for at_ms in times:
            then = await ask(service, f"{MARKET}?at={at_ms}")
            answer = await ask(service, f"{MARKET}/explain?at={at_ms}")
            found = answer["explanation"]
            assert then["market"]["v"] == answer["v"]
            assert answer["exact"] == (answer["v"] == found["v"])
            assert set(profiles) == set(found["profiles"])
            if answer["exact"]:
                price = found["selections"]["home"]["profiles"]["default"]
                assert then["market"]["selections"]["home"]["price"] == price["price"] == price["steps"][-1]["odds"]
            exact.append(answer["exact"])
        assert [True, False, True] == exact, "the last one is explained once there is time"
        gold = await ask(service, f"{MARKET}/explain?at={times[-1]}", profile="gold")
        assert ["gold"] == list(gold["explanation"]["profiles"])
        assert ["gold"] == list(gold["explanation"]["selections"]["home"]["profiles"])
        shown = await explain(service, "--at", str(times[1]))
        assert f"{MARKET}, open, v1" == shown.splitlines()[0].strip()
        for text in ("priced by src", "rule: profiles.default", "book_sum 1.05", "of that time was not explained: this is v1"):
            assert text in shown, shown
        now = await explain(service)
        assert now.startswith(f"{MARKET}, default open; gold suspended: trader, v"), now
        assert "suspend, too many winners" in now
        await ask(service, f"{MARKET}/explain?at={before_ms}", 404)
        await ask(service, f"{MARKET}/explain?at={times[0]}", 404, channels=["sport:tennis"])
        await ask(service, f"{MARKET}/explain", 403, role="service")
