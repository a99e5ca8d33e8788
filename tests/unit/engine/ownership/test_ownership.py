"""What an engine does with its shard as its lease and its rivals have it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.engine.ownership.ownership import Ownership
from oddsengine.engine.ownership.shard_writer import ShardWriter
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.streams.errors import Fenced
from oddsengine.streams.leases.values import Entry, Member, encode
from oddsengine.streams.positions import Position
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates
from tests.support.service import wait_until
from tests.support.streams.lease_table import AwaitedTable
from tests.support.streams.memory_publisher import MemoryPublisher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from oddsengine.streams.leases.values import Operation, Table

LEASE_S = 2.0


class Engine:
    """An engine with one shard."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.table = AwaitedTable()
        self.pipeline = Pipeline(Pricer({"default": Profile()}), ("src",))
        self.publisher = MemoryPublisher(self.pipeline.offers[0])
        self.has_caught_up = asyncio.Event()
        self.has_caught_up.set()
        table: Any = self.table
        catch_up: Any = self.has_caught_up.wait
        self.ownership = Ownership(
            "a",
            table,
            self.pipeline,
            lease_s=LEASE_S,
            closed_event_ttl_s=60,
            now_ms=int,
            catch_up=catch_up,
            clock=lambda: self.now_s,
        )
        self.writer = ShardWriter(self.pipeline, 0, self.publisher, int, closed_event_ttl_s=60, lease=self.ownership.lease)
        self.ownership.use([self.writer])
        self.pipeline.receive(live(), 0)
        self.pipeline.receive(a_batch(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0))), 0)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.ownership.run())
        try:
            yield
        finally:
            await end_tasks([running])
            await self.ownership.end()

    async def owns(self) -> None:
        """Wait until the shard is owned."""
        await wait_until(lambda: self.writer.is_owner, "the shard")

    def update(self, odds: float) -> None:
        """Receive other prices."""
        books = [a_quote("home", odds), a_quote("away", odds / (odds - 1))]
        self.pipeline.receive(a_batch(MarketUpdate("1.1", books=books)), 0)
        self.writer.wake()

    async def looks(self, times: int) -> None:
        """Wait until it has looked at the table a number of times."""
        enough = self.table.answered + times
        await wait_until(lambda: self.table.answered >= enough, "the table read")


async def test_a_shard_is_taken_over_once_all_is_known_that_was_decided_and_commanded_before() -> None:
    engine = Engine()
    engine.has_caught_up.clear()
    async with engine.running():
        await engine.looks(3)
        assert (0, False) == (engine.publisher.loads, engine.writer.is_owner)
        engine.has_caught_up.set()
        await engine.owns()


async def test_a_shard_on_which_somebody_without_a_lease_opens_epochs_is_left_alone_for_a_while() -> None:
    engine = Engine()
    async with engine.running():
        await engine.owns()
        engine.publisher.errors = [Fenced(0, 1, Position(9, 0))]
        engine.update(2.2)
        await wait_until(lambda: engine.ownership.lost == 1, "the loss")
        await engine.looks(4)
        assert (1, {}) == (engine.publisher.loads, engine.table.model.entries)
        engine.now_s += 6 * LEASE_S
        await engine.looks(2)
        engine.now_s += 1.0  # it has stood still, as far as it knows, and has read for a moment
        await engine.owns()
        assert 2 == engine.publisher.loads


async def test_what_is_being_written_is_given_up_once_another_engine_owns_the_shard() -> None:
    engine = Engine()
    async with engine.running():
        await engine.owns()
        engine.publisher.released.clear()
        engine.update(2.2)
        engine.table.model.members["b"], engine.table.model.entries["0"] = encode(Member(1)), encode(Entry("b"))
        await wait_until(lambda: engine.ownership.lost == 1, "the loss")
        written = list(engine.publisher.written)
        engine.publisher.released.set()
        await engine.looks(2)
        assert (written, []) == (engine.publisher.written, engine.ownership.owned)


async def test_an_engine_ranks_by_its_sources_only_while_it_holds_its_lease() -> None:
    """One that joins, or is back, is given nothing before."""
    engine = Engine()
    ranks: list[int] = []
    write = engine.table.write

    async def noted(member: str, value: bytes, operations: Iterable[Operation] = ()) -> Table:
        ranks.append(msgspec.json.decode(value, type=Member).rank)
        return await write(member, value, operations)

    engine.table.write = noted  # type: ignore[method-assign]
    async with engine.running():
        await wait_until(lambda: len(ranks) > 2, "its rank")
    assert [0, 1] == list(dict.fromkeys(ranks))
