"""The engine around its pipeline, without Redis: nothing here connects."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from oddsengine.common.histogram import Histogram
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.engine import Engine, Retention
from oddsengine.engine.ownership.shard_writer import ShardWriter
from oddsengine.offer.entries.entry import decode_entry
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from oddsengine.domain.changes import Batch
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.streams.publisher import Publication


@pytest.fixture
async def engine() -> AsyncIterator[Engine]:
    redis = Redis()
    yield Engine(
        redis,
        "test",
        Pricer({"default": Profile()}),
        ("src", "other"),
        shards=2,
        retention=Retention(closed_event_ttl_s=60),
        now_ms=lambda: 1,
    )
    await redis.aclose()


async def test_metrics_of_every_shard(engine: Engine) -> None:
    engine.receive(live())
    for number in range(8):
        definition = a_definition(f"e{number}/match_odds")
        engine.receive(a_batch(*market_updates(definition, a_quote("home", 2.0), source_id=f"1.{number}")))
    pipeline = engine.pipeline
    assert pipeline.matched is not None
    assert ("oddsengine_undecided_events", (), 8) in list(engine.samples())
    pipeline.matched.apply(pipeline.matched.matcher.propose())
    for shard in range(2):
        pipeline.flush(shard, 1)
    samples = {(name, *labels): value for name, labels, value in engine.samples() if not isinstance(value, Histogram)}
    assert 8 == sum(samples["oddsengine_markets", shard] for shard in "01")
    assert 8 == sum(samples["oddsengine_events", shard] for shard in "01")
    assert 0 == samples["oddsengine_shard_flushes_total", "0"] == samples["oddsengine_shard_claims_total", "1"]
    assert 0 == samples[("oddsengine_unmatched_events",)]
    assert 8 == samples[("oddsengine_identities",)]


async def test_feeds_are_described_by_their_runner(engine: Engine) -> None:
    assert [] == engine.feeds()
    engine.describe_feeds = lambda: [{"feed": "src"}]
    assert [{"feed": "src"}] == engine.feeds()


class AgesPublisher:
    """Keeps what entries and claims say of their times."""

    def __init__(self, offer: OwnedOffer) -> None:
        self.offer = offer
        self.said: list[tuple[int, int]] = []

    async def load(self) -> None:
        """Load nothing."""

    async def claim(self, now_ms: int, unpublished: Sequence[Batch] = (), age_ms: int = 0) -> None:
        self.said.append((now_ms, age_ms))

    async def publish(self, publication: Publication) -> None:
        entry = decode_entry(publication.batch)
        self.said.append((entry.sent_ms, entry.age_ms))


async def test_everything_that_is_written_says_how_old_it_is(engine: Engine) -> None:
    publisher, now_ms = AgesPublisher(engine.pipeline.offers[0]), 1_000
    age_ms = 700
    writer = ShardWriter(engine.pipeline, 0, publisher, lambda: now_ms, 60.0, wall_ms=lambda: 5, age_ms=lambda: age_ms)
    await writer.take_over()
    age_ms, now_ms = 1_900, 2_500
    task = asyncio.create_task(writer.run())
    try:
        await asyncio.sleep(0)
        now_ms += 1_000  # time for a heartbeat
        writer.wake()
        async with asyncio.timeout(30):
            while len(publisher.said) < 2:
                await asyncio.sleep(0)
    finally:
        await end_tasks([task])
    assert [(1_000, 700), (3_500, 1_900)] == publisher.said
