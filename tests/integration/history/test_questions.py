"""Questions about the past over HTTP: they are answered as subscribers saw it then."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.history.settings import HistorySettings
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.history.archiving import NAMESPACE, archiving, until_archived, wall_ms
from tests.support.history.recording_subscriber import RecordingSubscriber
from tests.support.service import quick_settings, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from oddsengine.history.database import Database
    from oddsengine.runtime.settings import Settings
    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.service import RunningService

EVENTS = ("e1", "e2", "e3", "e4")
PROFILES = ("default", "gold")
ASKED_AT_ONCE = 16


def settings_of(folder: Path, database: Database) -> Settings:
    key = KeySettings(algorithm="HS256", file=write_key(folder / "secret", SECRET))
    profiles = {"default": Profile(book_sum=1.05), "gold": Profile(book_sum=1.2)}
    settings = quick_settings(shards=2, profiles=profiles, auth=AuthSettings(keys=(key,)), closed_event_ttl_s=0.1)
    return msgspec.structs.replace(settings, history=HistorySettings(url=database.url))


class Installation:
    """Engines and gateways over one Redis, which the same source feeds."""

    def __init__(self, services: list[RunningService]) -> None:
        self.services = services

    async def play(self, chance: random.Random, steps: int) -> None:
        """Move prices, suspend, close and take back, one after another."""
        for _ in range(steps):
            event = chance.choice(EVENTS)
            status = chance.choice(["open"] * 12 + ["suspended", "closed"])
            market = a_definition(f"{event}/match_odds", status=status)
            price = chance.uniform(1.5, 2.8)
            books = (a_quote("home", price), a_quote("away", price / (price - 1)))
            for service in self.services:
                service.feed(*market_updates(market, *books, source_id=f"1.{event}"))
            await self.published()

    async def published(self) -> None:
        """Wait until every gateway has what the owners have published."""
        await asyncio.sleep(0.012)


async def ask(service: RunningService, path: str, status: int = 200, **claims: Any) -> Any:
    headers = {"Authorization": f"Bearer {a_token(**{'sub': 'ann', 'role': 'trader', **claims})}"}
    async with service.http.get(f"{service.base}/v1/history/{path}", headers=headers) as response:
        body = await response.read()
        assert status == response.status, body
        return orjson.loads(body)


async def test_a_thousand_questions_are_answered_as_subscribers_saw_it(
    tmp_path: Path, database: Database, redis_server: EmbeddedRedis
) -> None:
    """Over an engine's failover, which opens epochs, and a resumption."""
    chance = random.Random(22)
    settings = settings_of(tmp_path, database)
    options: Any = {"redis_url": redis_server.url, "namespace": NAMESPACE}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(archiving(database, redis_server.url, shards=2))
        failing = await stack.enter_async_context(AsyncExitStack())
        first = await failing.enter_async_context(running_service(settings, **options))
        service = await stack.enter_async_context(running_service(settings, **options))
        installation = Installation([first, service])
        recorders = {
            profile: RecordingSubscriber(
                service.base.replace("http", "ws") + "/v1/stream", a_token(sub=profile, profile=profile), "sport:football"
            )
            for profile in PROFILES
        }
        async with recorders["gold"].following():
            async with recorders["default"].following():
                await installation.play(chance, 60)
            await installation.play(chance, 10)
            async with recorders["default"].following():
                await installation.play(chance, 30)
                installation.services = [service]
                await failing.aclose()
                await installation.play(chance, 60)
                now_ms = wall_ms()
                await asyncio.sleep(0.1)
        assert 1 == recorders["default"].resumed
        for shard, offer in enumerate(service.hub.replica.offers):
            await until_archived(database, offer.epoch, offer.seq, stream=str(shard))
        epochs = await database.fetch("SELECT count(DISTINCT (shard, epoch)) FROM entries")
        assert epochs[0][0] > 2

        async def check(profile: str) -> str:
            held = chance.choice(recorders[profile].held)
            at_ms = chance.choice([held.from_ms, held.until_ms - 1, chance.randrange(held.from_ms, held.until_ms)])
            market = f"{chance.choice(EVENTS)}/match_odds"
            expected = held.markets.get(market)
            path = f"markets/{market}?at={min(at_ms, now_ms)}"
            answer = await ask(service, path, 200 if expected else 404, sub=profile, profile=profile)
            assert expected == answer.get("market"), (profile, at_ms, market, answer)
            return "" if expected is None else str(expected["status"])

        seen: list[str] = []
        for _ in range(1000 // ASKED_AT_ONCE + 1):
            seen += await asyncio.gather(*(check(chance.choice(PROFILES)) for _ in range(ASKED_AT_ONCE)))
        assert {"", "open", "suspended"} <= set(seen)
