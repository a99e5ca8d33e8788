"""Questions about the past over HTTP: they are answered as subscribers saw it then."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from oddsengine.domain.ids import EventId, shard_of
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.history.settings import HistorySettings
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.history.archiving import NAMESPACE, archiving, until_archived
from tests.support.history.recording_subscriber import RecordingSubscriber
from tests.support.service import quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from oddsengine.history.database import Database
    from oddsengine.runtime.settings import Settings
    from oddsengine.streams.embedded import EmbeddedRedis
    from tests.support.service import RunningService

EVENTS = ("e1", "e2", "e3", "e4")
PROFILES = ("default", "gold")
#: one in each of two shards
MARKS = tuple(
    next(event for event in map("mark{}".format, range(99)) if shard_of(EventId(event), 2) == shard) for shard in (0, 1)
)
ASKED_AT_ONCE = 16


def settings_of(folder: Path, database: Database) -> Settings:
    key = KeySettings(algorithm="HS256", file=write_key(folder / "secret", SECRET))
    profiles = {"default": Profile(book_sum=1.05), "gold": Profile(book_sum=1.2)}
    settings = quick_settings(shards=2, profiles=profiles, auth=AuthSettings(keys=(key,)), closed_event_ttl_s=0.1)
    return msgspec.structs.replace(settings, history=HistorySettings(url=database.url))


class Installation:
    """Engines over one Redis, which the same source feeds."""

    def __init__(self, services: list[RunningService]) -> None:
        self.services = services
        self._marks = 0

    def feed(self, event: str, price: float, status: str = "open") -> None:
        market = a_definition(f"{event}/match_odds", status=status)
        books = (a_quote("home", price), a_quote("away", price / (price - 1)))
        for service in self.services:
            service.feed(*market_updates(market, *books, source_id=f"1.{event}"))

    async def play(self, chance: random.Random, steps: int) -> None:
        """Move prices, suspend, close and take back, one after another."""
        for _ in range(steps):
            status = chance.choice(["open"] * 12 + ["suspended", "closed"])
            self.feed(chance.choice(EVENTS), chance.uniform(1.5, 2.8), status)
            await asyncio.sleep(0.012)

    async def settle(self, subscriber: RecordingSubscriber) -> None:
        """Wait until a subscriber has everything: a change in each shard that comes after all others."""
        markets = [f"{event}/match_odds" for event in MARKS]
        versions = [subscriber.markets.get(market, {}).get("v") for market in markets]
        self._marks += 1
        for event in MARKS:
            self.feed(event, 2.5 if self._marks % 2 else 1.8)
        for market, version in zip(markets, versions, strict=True):
            await wait_until(lambda m=market, v=version: subscriber.markets.get(m, {}).get("v") not in {None, v}, market)  # type: ignore[misc]


async def ask(service: RunningService, path: str, status: int = 200, **claims: Any) -> Any:
    headers = {"Authorization": f"Bearer {a_token(**{'sub': 'ann', 'role': 'trader', **claims})}"}
    async with service.http.get(f"{service.base}/v1/history/{path}", headers=headers) as response:
        body = await response.read()
        assert status in {0, response.status}, body
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
        gold, default = recorders["gold"], recorders["default"]
        async with gold.following(lambda: installation.settle(gold)):
            async with default.following(lambda: installation.settle(default)):
                await installation.play(chance, 60)
            await installation.play(chance, 10)
            async with default.following(lambda: installation.settle(default)):
                await installation.play(chance, 30)
                installation.services = [service]
                await failing.aclose()
                await installation.play(chance, 60)
        assert 1 == default.resumed
        for shard, offer in enumerate(service.hub.replica.offers):
            await until_archived(database, offer.epoch, offer.seq, stream=str(shard))
        epochs = await database.fetch("SELECT count(DISTINCT (shard, epoch)) FROM entries")
        assert epochs[0][0] > 2

        async def check(profile: str) -> str:
            recorder = recorders[profile]
            from_ms, until_ms = chance.choice(recorder.certain)
            market = f"{chance.choice(EVENTS)}/match_odds"
            changed_ms = chance.choice(recorder.held[market]).from_ms + chance.choice((-1, 0, 1))
            at_ms = min(max(from_ms, chance.choice((changed_ms, chance.randrange(from_ms, until_ms)))), until_ms - 1)
            expected = recorder.held_at(market, at_ms)
            answer = await ask(service, f"markets/{market}?at={at_ms}", 0, sub=profile, profile=profile)
            found = answer.get("market")
            assert found is not None or "not on offer" in answer["error"]["message"], answer
            if expected == found:
                return "" if expected is None else str(expected["status"])
            # It was published, and had not arrived: then the subscriber has had that, or what has followed it, soon after.
            assert recorder.is_behind(market, at_ms, found), (profile, at_ms, market, expected, answer)
            return "in transit"

        seen: list[str] = []
        for _ in range(1000 // ASKED_AT_ONCE + 1):
            seen += await asyncio.gather(*(check(chance.choice(PROFILES)) for _ in range(ASKED_AT_ONCE)))
        assert {"", "open", "suspended"} <= set(seen)
        assert seen.count("in transit") < len(seen) / 20
