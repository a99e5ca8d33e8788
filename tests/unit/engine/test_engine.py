"""The engine around its pipeline, without Redis: nothing here connects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from redis.asyncio import Redis

from oddsengine.engine.engine import Engine, Retention
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


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
    samples = {(name, *labels): value for name, labels, value in engine.samples()}
    assert 8 == sum(samples["oddsengine_markets", shard] for shard in "01")
    assert 8 == sum(samples["oddsengine_events", shard] for shard in "01")
    assert 0 == samples["oddsengine_shard_flushes_total", "0"] == samples["oddsengine_shard_claims_total", "1"]
    assert 0 == samples[("oddsengine_unmatched_events",)]
    assert 8 == samples[("oddsengine_identities",)]


async def test_feeds_are_described_by_their_runner(engine: Engine) -> None:
    assert [] == engine.feeds()
    engine.describe_feeds = lambda: [{"feed": "src"}]
    assert [{"feed": "src"}] == engine.feeds()
