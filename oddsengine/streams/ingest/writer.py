"""The writing end of a feed's ingest stream: the process that is connected to the provider."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.images import Aged, event_images, market_images
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.streams.clients.foreign_entries import is_followed_by_foreign
from oddsengine.streams.clients.server_clock import ServerClock
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.ingest.entries import IngestEntry, encode_entry
from oddsengine.streams.kept_entries import KeptEntries
from oddsengine.streams.keys import ingest_keys
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import Position, epoch_jump, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from redis.asyncio import Redis

    from oddsengine.streams.leases.keeper import Lease

#: How many bytes of entries each stream keeps. A snapshot has to fit in.
INGEST_BYTES_KEPT: Final = 32_000_000
#: An idle feeder writes this often, so that engines can distinguish it from a dead one.
HEARTBEAT_S: Final = 0.5
_RETRY_S: Final = 0.1
#: Longer than an event lasts.
_EVENT_MS: Final = 24 * 3600 * 1000
_SNAPSHOT_MARKETS: Final = 100
_log = structlog.get_logger(__name__)

_LATE: Final = b"LATE"
#: What `_append` returns for an entry that Redis has refused because it was too late.
_TOO_LATE: Final = Position(0, -1)


class Replaced(Exception):
    """Another process writes the stream."""


class IngestWriter:
    """Writes the updates of one feed. It is a feed's sink.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        feed: the feed's name.
        sources: its sources.
        lease: nothing is written while it is not held; what is missed then is made up for by a snapshot in another term.
        now_ms: Unix milliseconds by a clock that is never set.
        is_read: returns whether anybody may read the stream; while nobody does, nothing is written.
    """

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        feed: str,
        sources: Sequence[str],
        lease: Lease,
        now_ms: Callable[[], int],
        is_read: Callable[[], bool] = lambda: True,
    ) -> None:
        self._redis = redis
        self._keys = list(ingest_keys(namespace, feed))
        self._script = redis.register_script(load_script("ingest"))
        self._feed = feed
        self._user = f"feeder of {feed}"
        self._lease = lease
        self._now_ms = now_ms
        self._is_read = is_read
        self._books = {source: SourceBook(source) for source in sources}
        self._pending: list[UpdateBatch] = []
        #: when the oldest of them was received
        self._pending_ms = 0
        self._server_clock = ServerClock()
        self._is_writing = False
        self._wake = asyncio.Event()
        self._term = self._seq = 0
        self._kept = KeptEntries(INGEST_BYTES_KEPT)
        #: the number of the last snapshot that was asked for, and of the last one that was written
        self._wanted = self._served = 0
        self._has_served = False
        #: entries written
        self.entries = 0

    def receive(self, batch: UpdateBatch) -> None:
        """Apply updates of a source. Once `run` writes, they are written with the next entry."""
        now_ms = self._now_ms()
        book = self._books[batch.source]
        published_ms = now_ms if batch.published_ms is None else batch.published_ms
        for update in batch.updates:
            book.apply(update, published_ms, now_ms)
        if self._is_writing:
            if not self._pending:
                self._pending_ms = now_ms
            self._pending.append(batch)
            self._wake.set()

    @property
    def is_live(self) -> bool:
        """Whether some source is live, so that its state is worth passing on."""
        return any(book.health == "live" for book in self._books.values())

    def images(self) -> Iterator[Aged]:
        """Yield everything that is known, as a snapshot has it."""
        for book in self._books.values():
            yield event_images(book)
            yield from market_images(book, list(book.markets), self._now_ms())
            yield Aged(0, _status_of(book))

    def agrees(self, batch: UpdateBatch) -> bool:
        """Check whether new images of a source equal what its book holds. Changes nothing."""
        return agrees(self._books[batch.source], batch)

    def retire(self, keep_ms: int) -> None:
        """Forget the markets that were closed a while ago, and old events without markets.

        Args:
            keep_ms: how long a closed market is kept, in milliseconds.
        """
        now_ms = self._now_ms()
        for book in self._books.values():
            for key, market in list(book.markets.items()):
                if (
                    market.definition is not None
                    and market.definition.status == "closed"
                    and now_ms - market.received_ms > keep_ms
                ):
                    del book.markets[key]
            used = {market.definition.event for market in book.markets.values() if market.definition is not None}
            for event_id, event in list(book.events.items()):
                if event_id not in used and event.start_ms is not None and now_ms - event.start_ms > keep_ms + _EVENT_MS:
                    del book.events[event_id]

    async def run(self) -> None:
        """Write until cancelled.

        Raises:
            Replaced: another process writes the stream.
        """
        while True:
            await self._lease.until_held()
            if not self._is_read():
                await asyncio.sleep(_RETRY_S)
                continue
            try:
                await self._open()
                await self._write_term()
            finally:
                self._is_writing = False

    async def _open(self) -> None:
        """Begin a term. What was not written of the last one is part of the next snapshot."""
        self._pending.clear()
        self._is_writing = True
        self._has_served = False
        self._kept = KeptEntries(INGEST_BYTES_KEPT)
        self._term, self._seq = max(self._now_ms(), self._term + 1) + epoch_jump(), 0
        while self._lease.is_held() and (top := await self._append(IngestEntry(continues=self.is_live))) is not None:
            self._term = max(self._term, top.epoch) + 1 + epoch_jump()
        self._served = 0
        _log.info("feed taken over", feed=self._feed, term=self._term)

    async def _write_term(self) -> None:
        """Write entries until one is lost, the lease has ended, or nobody reads them any more."""
        while self._is_read():
            if not self._pending:
                try:
                    async with asyncio.timeout(HEARTBEAT_S):
                        await self._wake.wait()
                except TimeoutError:
                    pass
            self._wake.clear()
            if not await self._write_next(self._take_pending()):
                return
            # Smaller, where Redis has lost the number.
            if (self._wanted != self._served or not self._has_served) and self.is_live:
                self._served, self._has_served = self._wanted, True
                for entry in self._snapshot(max(self._served, 1)):
                    # What has changed meanwhile goes first: an image is of the moment at which it is written.
                    if not await self._write_next(entry):
                        return

    def _take_pending(self) -> IngestEntry:
        batches, self._pending = self._pending, []
        return IngestEntry(batches, sent_ms=self._pending_ms if batches else 0)

    def _snapshot(self, number: int) -> Iterator[IngestEntry]:
        """Yield the entries of a snapshot. Each is of the moment at which it is taken, with all that was received before."""
        yield _entry_of([event_images(book) for book in self._books.values()], number, is_first=True)
        for book in self._books.values():
            markets = list(book.markets)
            for start in range(0, len(markets), _SNAPSHOT_MARKETS):
                if self._pending:
                    yield self._take_pending()
                images = list(market_images(book, markets[start : start + _SNAPSHOT_MARKETS], self._now_ms()))
                yield _entry_of(images, number)
        statuses = [_status_of(book) for book in self._books.values()]
        yield IngestEntry(statuses, number, is_last=True)
        markets_written = sum(len(book.markets) for book in self._books.values())
        _log.info("feed snapshot written", feed=self._feed, number=number, markets=markets_written)

    async def _write_next(self, entry: IngestEntry) -> bool:
        """Write the next entry of the term. Return False if the term has ended."""
        if not self._lease.is_held():
            return self._not_in_time("the lease has ended")
        self._seq += 1
        top = await self._append(entry)
        if top is None:
            self.entries += 1
            return True
        if top is _TOO_LATE:
            return self._not_in_time("it was on its way for too long")
        if top.epoch > self._term and not await self._is_foreign(Position(self._term, self._seq - 1)):
            raise Replaced
        if not self._lease.is_held():
            return self._not_in_time("the lease has ended")
        _log.error("ingest stream lost by redis, beginning another term", feed=self._feed, at=top.stream_id())
        return False

    async def _is_foreign(self, position: Position) -> bool:
        """Check whether all entries after a position are foreign; False if Redis does not answer."""
        try:
            return await is_followed_by_foreign(self._redis, self._keys[0], position)
        except UNAVAILABLE:
            return False

    def _not_in_time(self, reason: str) -> bool:
        _log.warning("feed entry not in time, beginning another term", feed=self._feed, reason=reason)
        return False

    async def _append(self, entry: IngestEntry) -> Position | None:
        """Append an entry. Return None, the stream's last position if the entry does not fit there, or `_TOO_LATE`."""
        entry.sent_ms = entry.sent_ms or self._now_ms()
        encoded = encode_entry(entry)
        self._kept.add(self._seq, len(encoded))
        # A repeated call does not make the entry newer.
        limit_ms = self._server_clock.limit_ms()
        arguments: list[Any] = [self._term, self._seq, encoded, self._kept.oldest(self._term), limit_ms]
        while True:
            sent_s = time.monotonic()
            try:
                reply, wanted, server_ms = await self._script(keys=self._keys, args=arguments)
            except UNAVAILABLE as error:
                note_outage(self._user, error)
                await asyncio.sleep(_RETRY_S)
                if not self._lease.is_held():
                    return Position(self._term, 0)
                continue
            REDIS_OUTAGE.worked(self._user)
            self._wanted = int(wanted)
            if reply == _LATE:
                # What is current by now is in the next term. The clock may be that of another server.
                self._server_clock.forget()
                return _TOO_LATE
            self._server_clock.note(sent_s, server_ms)
            return None if reply == b"OK" else parse_stream_id(reply)


def _entry_of(images: list[Aged], number: int, *, is_first: bool = False) -> IngestEntry:
    return IngestEntry([each.batch for each in images], number, is_first, False, [each.age_ms for each in images])


def _status_of(book: SourceBook) -> UpdateBatch:
    return UpdateBatch(book.source, None, [SourceStatus(book.health, book.health_reason)])
