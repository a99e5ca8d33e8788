"""When an engine takes a feed of another process for down, by its own clock: whatever Redis does, and whatever arrives."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.streams.ingest.entries import IngestEntry, encode_entry
from oddsengine.streams.ingest.reader import IngestReader
from oddsengine.streams.keys import BATCH_FIELD
from oddsengine.streams.state_age import StateAge
from tests.support.service import wait_until

if TYPE_CHECKING:
    from oddsengine.sourcing.images import Aged

SOURCE = "src"


class Stream:
    """A Redis with one stream. A read waits until there is something to read, if need be for ever."""

    def __init__(self) -> None:
        self.redis: Any = self
        self.entries: list[tuple[bytes, dict[bytes, bytes]]] = []
        self._wake = asyncio.Event()

    def add(self, term: int, seq: int, entry: IngestEntry) -> None:
        self.entries.append((f"{term}-{seq}".encode(), {BATCH_FIELD: encode_entry(entry)}))
        self._wake.set()

    async def xrevrange(self, _stream: str, count: int) -> list[Any]:
        return self.entries[-count:]

    async def incr(self, _key: str) -> int:
        return 1

    async def read(self, _stream: str, _after: str) -> list[Any]:
        self._wake.clear()
        if not self.entries:
            await self._wake.wait()
        found, self.entries = self.entries, []
        return found


class Engine:
    """A reader, what it has passed on, and its clock."""

    def __init__(self) -> None:
        self.redis = Stream()
        self.now_s = 100.0
        self.health: list[str] = []
        self.reader = IngestReader(self.redis, "ns", "feed", [SOURCE], lambda _: [], self._take, 2.0, lambda: self.now_s)
        self.task = asyncio.create_task(self.reader.run())

    def _take(self, aged: Aged) -> None:
        self.health += [each.health for each in aged.batch.updates if type(each) is SourceStatus]

    async def live(self, term: int = 1) -> None:
        """Read a snapshot of a live feed, whose process has a clock that is 70 seconds behind."""
        self.redis.add(term, 0, IngestEntry(sent_ms=30_000))
        await wait_until(lambda: not self.redis.entries, "the term")
        status = UpdateBatch(SOURCE, None, [SourceStatus("live", "said")])
        self.redis.add(term, 1, IngestEntry([status], 1, is_first=True, is_last=True, sent_ms=30_000))
        await wait_until(lambda: "live" == self.health[-1], "live")


async def test_a_feed_is_down_once_what_was_read_of_it_is_too_old() -> None:
    engine = Engine()
    try:
        await engine.live()
        engine.now_s += 1.9
        engine.reader.check_age()
        assert ("live", 1.9) == (engine.health[-1], round(engine.reader.age_s, 3))
        engine.now_s += 0.2
        engine.reader.check_age()
        assert "down" == engine.health[-1], "although a read that hangs is still waiting"
        assert engine.reader.age_s == 0.0, "no open price depends on it any more"
    finally:
        await end_tasks([engine.task])


async def test_the_age_of_what_arrives_late_counts() -> None:
    """It was on its way for 1.5 s, which is not too late: but nothing after it for half a second is."""
    engine = Engine()
    try:
        await engine.live()
        engine.now_s += 1.8
        engine.redis.add(1, 2, IngestEntry(sent_ms=30_300))
        await wait_until(lambda: not engine.redis.entries, "the entry")
        await asyncio.sleep(0)
        assert "live" == engine.health[-1]
        engine.now_s += 0.6
        engine.reader.check_age()
        assert "down" == engine.health[-1]
    finally:
        await end_tasks([engine.task])


async def test_a_move_makes_what_is_known_no_newer() -> None:
    engine = Engine()
    try:
        await engine.live()
        engine.now_s += 0.3
        engine.redis.add(2, 0, IngestEntry(continues=True, sent_ms=900_000))
        await wait_until(lambda: not engine.redis.entries, "the term")
        await asyncio.sleep(0)
        engine.redis.add(3, 0, IngestEntry(continues=True, sent_ms=500_000))
        await wait_until(lambda: not engine.redis.entries, "another term, before the snapshot of that one")
        await asyncio.sleep(0)
        engine.now_s += 1.5
        engine.reader.check_age()
        assert ("live", 1.8) == (engine.health[-1], round(engine.reader.age_s, 3)), "a busy machine may take so long"
        engine.now_s += 0.3
        engine.reader.check_age()
        assert "down" == engine.health[-1]
    finally:
        await end_tasks([engine.task])


def test_an_age_compares_no_clocks() -> None:
    age = StateAge(10.0)
    assert 12.0 == age.measure(5_000_000, 12.0), "the first one was not late, as far as is known"
    assert 12.5 == round(age.measure(5_000_500, 13.5), 2)
    age.note(12.5)
    age.note(12.0)
    assert 1.5 == age.age_s(14.0)
    age.forget_clock()
    assert 14.0 == age.measure(1_000, 14.0), "of another process"
