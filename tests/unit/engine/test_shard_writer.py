"""The owner of a shard, with a publisher that keeps its writes in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.domain.ids import MarketId
from oddsengine.engine.ended_events import RECOVERING, STOPPED
from oddsengine.engine.pipeline import Pipeline
from oddsengine.engine.shard_writer import HEARTBEAT_S, ShardWriter
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.streams.errors import Fenced, PositionLost
from oddsengine.streams.positions import Position
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.streams.publisher import Publication

MARKET = MarketId("e1/match_odds")


class MemoryPublisher:
    """Keeps what is written. Each call first raises the next of `errors`; writes wait for `released`."""

    def __init__(self, offer: OwnedOffer) -> None:
        self.offer = offer
        self.written: list[int] = []
        self.errors: list[Exception] = []
        self.released = asyncio.Event()
        self.released.set()

    async def load(self) -> None:
        self._raise()

    async def claim(self, now_ms: int) -> None:
        self._raise()
        self.offer.open_epoch(self.offer.epoch + 1)

    async def publish(self, publication: Publication) -> None:
        await self.released.wait()
        self._raise()
        self.written.append(publication.seq)

    def _raise(self) -> None:
        if self.errors:
            raise self.errors.pop(0)


class Owned:
    """A shard's writer and all it works with."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
        self.publisher = MemoryPublisher(self.pipeline.offers[0])
        self.now_ms = 0
        self.writer = ShardWriter(self.pipeline, 0, self.publisher, lambda: self.now_ms, closed_event_ttl_s=60)
        self.pipeline.receive(live(), 0)
        self.pipeline.receive(a_batch(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0))), 0)

    def update(self, odds: float) -> None:
        books = [a_quote("home", odds), a_quote("away", odds / (odds - 1))]
        self.pipeline.receive(a_batch(MarketUpdate("1.1", books=books)), self.now_ms)
        self.writer.wake()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[None]]:
        task = asyncio.create_task(self.writer.run())
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settle(self) -> None:
        """Run the writer as far as it gets without time passing."""
        for _ in range(20):
            await asyncio.sleep(0)


@pytest.fixture
def owned() -> Owned:
    return Owned()


async def test_an_idle_writer_flushes_at_once(owned: Owned) -> None:
    async with owned.running():
        owned.writer.wake()
        await owned.settle()
        assert [1] == owned.publisher.written
        assert 1 == owned.writer.flushes
        owned.writer.wake()
        await owned.settle()
        assert [1] == owned.publisher.written, "nothing to publish"


async def test_changes_during_a_write_gather_in_the_next(owned: Owned) -> None:
    async with owned.running():
        owned.publisher.released.clear()
        owned.writer.wake()
        await owned.settle()
        for odds in (2.2, 2.4, 2.0, 2.6):
            owned.update(odds)
        await owned.settle()
        assert [] == owned.publisher.written
        owned.publisher.released.set()
        await owned.settle()
    assert [1, 2] == owned.publisher.written
    assert 2 == owned.pipeline.offers[0].markets[MARKET].v


async def test_an_idle_owner_writes_a_heartbeat(owned: Owned) -> None:
    async with owned.running():
        owned.writer.wake()
        await owned.settle()
        for beat in (1, 2):
            owned.now_ms = round(beat * HEARTBEAT_S * 1000)
            owned.writer.wake()
            await owned.settle()
            assert 1 + beat == owned.publisher.written[-1]


async def test_a_write_is_repeated_until_redis_answers(owned: Owned) -> None:
    async with owned.running():
        owned.publisher.errors = [RedisConnectionError("gone"), OSError("still gone")]
        owned.writer.wake()
        async with asyncio.timeout(5):
            while not owned.publisher.written:
                await asyncio.sleep(0.01)
    assert ([1], 0) == (owned.publisher.written, owned.writer.claims)


async def test_a_lost_position_claims_the_shard(owned: Owned) -> None:
    async with owned.running():
        owned.publisher.errors = [PositionLost(0, Position(1, 1), Position(1, 0))]
        owned.writer.wake()
        await owned.settle()
        assert ([], 1) == (owned.publisher.written, owned.writer.claims)
        owned.update(2.2)
        await owned.settle()
        assert [1] == owned.publisher.written, "the first batch of the new epoch"


async def test_a_fenced_writer_stops(owned: Owned) -> None:
    async with owned.running() as task:
        owned.publisher.errors = [Fenced(0, 1, Position(2, 0))]
        owned.writer.wake()
        with pytest.raises(Fenced):
            await task


async def test_take_over_suspends_what_was_open_before_it_claims(owned: Owned) -> None:
    owned.pipeline.flush(0, 0)
    owned.pipeline.offers[0].commit(0)
    owned.publisher.errors = [RedisConnectionError("not yet")]
    await owned.writer.take_over()
    state = owned.pipeline.offers[0].markets[MARKET].state
    assert ("suspended", RECOVERING) == (state.status, state.reason)
    assert (1, 0, 1) == (owned.pipeline.offers[0].epoch, owned.pipeline.offers[0].seq, owned.writer.claims)


def offered(owned: Owned) -> tuple[str, str | None]:
    state = owned.pipeline.offers[0].markets[MARKET].state
    return state.status, state.reason


async def test_a_stopped_writer_suspends_what_is_open_with_its_last_write(owned: Owned) -> None:
    async with owned.running() as task:
        owned.writer.wake()
        await owned.settle()
        assert ("open", None) == offered(owned)
        owned.publisher.released.clear()
        owned.update(2.2)
        await owned.settle()
        owned.update(2.4)
        owned.writer.stop()
        owned.publisher.released.set()
        await task
    assert ([1, 2, 3], ("suspended", STOPPED)) == (owned.publisher.written, offered(owned))


async def test_a_writer_that_fails_suspends_what_is_open_too(owned: Owned) -> None:
    async with owned.running() as task:
        owned.writer.wake()
        await owned.settle()
        owned.publisher.errors = [KeyError("a bug")]
        owned.update(2.2)
        with pytest.raises(KeyError):
            await task
    assert ("suspended", STOPPED) == offered(owned)
    assert 3 == owned.publisher.written[-1]


async def test_a_fenced_writer_writes_nothing_more(owned: Owned) -> None:
    async with owned.running() as task:
        owned.publisher.errors = [Fenced(0, 1, Position(2, 0))]
        owned.writer.wake()
        await owned.settle()
        owned.writer.stop()
        with pytest.raises(Fenced):
            await task
    assert [] == owned.publisher.written


async def test_the_next_owner_shows_what_was_stopped_as_recovering(owned: Owned) -> None:
    owned.pipeline.flush(0, 0)
    owned.pipeline.offers[0].suspend_all(STOPPED)
    owned.pipeline.offers[0].commit(0)
    await owned.writer.take_over()
    assert ("suspended", RECOVERING) == offered(owned)


async def test_an_owner_says_why_its_writes_do_not_arrive() -> None:
    owned = Owned()
    owned.publisher.released.clear()
    async with owned.running():
        owned.writer.wake()
        await asyncio.sleep(0)
        assert "" == owned.writer.problem()
        owned.now_ms += 6000
        assert "nothing was written for 5 s" == owned.writer.problem()
        owned.publisher.errors = [RedisConnectionError("refused")]
        owned.publisher.released.set()
        await asyncio.sleep(0.01)
        assert "Redis does not take its writes: UNREACHABLE" == owned.writer.problem()
        await asyncio.sleep(0.15)
        assert "" == owned.writer.problem()
