"""The owner of a shard, with a publisher that keeps its writes in memory."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.domain.changes import MarketState
from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.domain.ids import MarketId
from oddsengine.domain.results import SelectionResult
from oddsengine.engine.ended_events import RECOVERING, STOPPED
from oddsengine.engine.ownership.shard_writer import HEARTBEAT_S, ShardWriter
from oddsengine.engine.pipeline import Pipeline
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.streams.errors import Fenced, Overtaken, PositionLost, TooLate
from oddsengine.streams.leases.keeper import Lease
from oddsengine.streams.leases.state import LeaseState
from oddsengine.streams.leases.values import Table
from oddsengine.streams.positions import Position
from tests.support.builders import a_batch, a_definition, a_quote, an_event, an_offer_of, live, market_updates
from tests.support.streams.memory_publisher import MemoryPublisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKET = MarketId("e1/match_odds")


class SwitchedLease:
    """A lease that is held when the test says so."""

    def __init__(self) -> None:
        self.is_ours = True
        self._given = asyncio.Event()

    def is_held(self) -> bool:
        return self.is_ours

    async def until_held(self) -> None:
        while not self.is_ours:
            self._given.clear()
            await self._given.wait()

    def give(self) -> None:
        self.is_ours = True
        self._given.set()


class Owned:
    """A shard's writer and all it works with."""

    def __init__(self) -> None:
        self.pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
        self.publisher = MemoryPublisher(self.pipeline.offers[0])
        self.now_ms = 0
        self.lease = SwitchedLease()
        self.writer = ShardWriter(self.pipeline, 0, self.publisher, lambda: self.now_ms, closed_event_ttl_s=60, lease=self.lease)
        self.pipeline.receive(live(), 0)
        self.pipeline.receive(a_batch(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0))), 0)

    def left_by_another(self, v: int = 1) -> None:
        """Store an open market in Redis that no source here has."""
        offer = OwnedOffer(self.publisher.offer.profiles)
        offer.stage_event(an_event())
        offer.stage_market(an_offer_of(MARKET, {"home": 2000, "away": 2000}))
        offer.markets[MARKET].v = v
        offer.commit(0)
        offer.open_epoch(7)
        self.publisher.offer = offer
        self.pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
        self.pipeline.receive(live(), 0)
        self.writer = ShardWriter(self.pipeline, 0, self.publisher, lambda: self.now_ms, 60, lease=self.lease)

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
        async with asyncio.timeout(30):
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


async def test_a_batch_that_came_too_late_is_replaced_by_a_claim(owned: Owned) -> None:
    async with owned.running():
        owned.publisher.errors = [TooLate(0, Position(1, 1))]
        owned.update(2.2)
        await owned.settle()
        assert ([], 1) == (owned.publisher.written, owned.writer.claims)
        assert not owned.pipeline.is_dirty


async def test_a_claim_that_came_too_late_is_made_again_with_what_has_changed(owned: Owned) -> None:
    async with owned.running():
        owned.publisher.errors = [TooLate(0, Position(1, 1))]
        owned.publisher.claim_errors = [TooLate(0, Position(2, 0)), TooLate(0, Position(3, 0))]
        owned.update(2.2)
        await owned.settle()
        assert ([], 1) == (owned.publisher.written, owned.writer.claims)
        assert not owned.pipeline.is_dirty


async def test_a_fenced_writer_stops(owned: Owned) -> None:
    async with owned.running() as task:
        owned.publisher.errors = [Fenced(0, 1, Position(2, 0))]
        owned.writer.wake()
        with pytest.raises(Fenced):
            await task


async def test_take_over_suspends_what_was_open_and_is_not_known_before_it_claims(owned: Owned) -> None:
    owned.left_by_another()
    owned.publisher.errors = [RedisConnectionError("not yet")]
    await owned.writer.take_over()
    assert ("suspended", RECOVERING) == offered(owned)
    assert (8, 0, 1) == (owned.pipeline.offers[0].epoch, owned.pipeline.offers[0].seq, owned.writer.claims)


async def test_take_over_opens_what_is_known_with_the_epoch_and_keeps_versions(owned: Owned) -> None:
    owned.left_by_another(v=41)
    books = [a_quote("home", 2.0), a_quote("away", 2.0)]
    owned.pipeline.receive(a_batch(*market_updates(a_definition(), *books)), 0)
    await owned.writer.take_over()
    assert (("open", None), 42) == (offered(owned), owned.pipeline.offers[0].markets[MARKET].v)


async def test_what_the_last_owner_closed_with_a_result_is_not_opened_again(owned: Owned) -> None:
    """The source that closed it may not mention it any more, while another one still offers it."""
    owned.left_by_another()
    record = owned.publisher.offer.markets[MARKET]
    record.state = MarketState("closed", None, in_play=False)
    record.selections["home"].result = SelectionResult("winner")
    books = [a_quote("home", 2.0), a_quote("away", 2.0)]
    owned.pipeline.receive(a_batch(*market_updates(a_definition(), *books)), 0)
    await owned.writer.take_over()
    async with owned.running():
        owned.update(2.2)
        await owned.settle()
        assert ("closed", None) == offered(owned)
        owned.pipeline.receive(a_batch(*market_updates(a_definition(status="closed"))), 0)
        owned.writer.wake()
        await owned.settle()
        owned.update(2.2)
        owned.pipeline.receive(a_batch(*market_updates(a_definition(), *books)), 0)
        owned.writer.wake()
        await owned.settle()
        assert ("open", None) == offered(owned), "by the source that closed it"


async def test_a_take_over_starts_again_if_the_shard_was_written_to_meanwhile(owned: Owned) -> None:
    owned.left_by_another()
    owned.publisher.claim_errors = [Overtaken(0, Position(7, 0), Position(7, 1))]
    await owned.writer.take_over()
    assert (2, 1) == (owned.publisher.loads, owned.writer.claims)


async def test_a_writer_that_finishes_flushes_once_more_and_suspends_nothing(owned: Owned) -> None:
    async with owned.running() as task:
        owned.writer.wake()
        await owned.settle()
        owned.update(2.2)
        owned.writer.finish()
        await task
    assert ([1, 2], ("open", None)) == (owned.publisher.written, offered(owned))


async def test_nothing_is_written_while_the_lease_is_not_held(owned: Owned) -> None:
    owned.lease.is_ours = False
    async with owned.running():
        owned.writer.wake()
        await owned.settle()
        assert [] == owned.publisher.written
        owned.lease.give()
        await owned.settle()
        assert [1] == owned.publisher.written


async def test_what_was_priced_while_the_lease_ended_is_published_with_what_is_newer_by_then(owned: Owned) -> None:
    flushes: list[bool] = []

    class EndsAtItsSecondLook(SwitchedLease):
        def is_held(self) -> bool:
            flushes.append(owned.pipeline.is_dirty)
            self.is_ours = self.is_ours and len(flushes) != 2
            return self.is_ours

    lease = EndsAtItsSecondLook()
    owned.writer = ShardWriter(owned.pipeline, 0, owned.publisher, lambda: owned.now_ms, closed_event_ttl_s=60, lease=lease)
    async with owned.running():
        owned.writer.wake()
        await owned.settle()
        assert ([], [True, False]) == (owned.publisher.written, flushes[:2])
        owned.update(2.6)
        lease.give()
        await owned.settle()
    assert ([1], 0) == (owned.publisher.written, owned.writer.claims)


async def test_a_batch_that_was_not_written_before_the_lease_ended_is_replaced_by_a_claim(owned: Owned) -> None:
    """Its prices are old by then."""
    async with owned.running():
        owned.writer.wake()
        await owned.settle()
        owned.publisher.errors = [RedisConnectionError("gone") for _ in range(1000)]
        owned.update(2.2)
        await owned.settle()
        owned.lease.is_ours = False
        owned.publisher.errors.clear()
        owned.update(2.6)
        await asyncio.sleep(0.15)
        owned.lease.give()
        await owned.settle()
    assert ([1], 1) == (owned.publisher.written, owned.writer.claims)
    assert not owned.pipeline.is_dirty, "the claim has the latest prices"


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
    owned.left_by_another()
    owned.publisher.offer.suspend_all(STOPPED)
    owned.publisher.offer.commit(0)
    await owned.writer.take_over()
    assert ("suspended", RECOVERING) == offered(owned)


async def test_an_owner_reports_why_its_writes_do_not_arrive() -> None:
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


async def test_a_process_that_stood_still_reads_before_it_writes() -> None:
    now_s = 100.0
    state = LeaseState("a", ["0"], 2.0)
    lease = Lease(state, lambda: now_s)
    state.observe(now_s, now_s, state.value(now_s, 0, is_leaving=False), Table({}, {}))
    assert lease.is_held()
    lease.hold_back()
    assert not lease.is_held()
    now_s += 1.0
    assert lease.is_held()
    now_s += 1.0
    assert not lease.is_held()
