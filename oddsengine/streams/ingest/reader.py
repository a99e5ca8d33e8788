"""The reading end of a feed's ingest stream: every engine."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, Protocol

import structlog
from redis.exceptions import ResponseError

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.ingest.entries import decode_entry
from oddsengine.streams.ingest.intake import FeedIntake
from oddsengine.streams.keys import BATCH_FIELD, ingest_keys
from oddsengine.streams.positions import parse_stream_id
from oddsengine.streams.snapshots.stored import read_top
from oddsengine.streams.state_age import StateAge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis.asyncio import Redis

    from oddsengine.sourcing.images import Aged
    from oddsengine.streams.clients.shared_reader import Entry as StreamEntry

#: A feed whose feeder was silent for so long is down, unless messages of the feed may be less late than that.
SILENT_AFTER_S: Final = 2.0
#: Less is not silence: an idle feeder writes every half second.
_MIN_SILENT_AFTER_S: Final = 1.0
#: How many entries to read at once. Few: one of a snapshot has a hundred markets, and other work waits until all are applied.
READ_COUNT: Final = 20
_RETRY_S: Final = 0.1
#: A snapshot that has not come is asked for again: Redis may have lost the request.
_ASK_AGAIN_S: Final = 5.0
#: Once a feed is down because nothing of it was read in time, it stays so until entries are no later than this.
_CAUGHT_UP_S: Final = 0.3
_log = structlog.get_logger(__name__)


def silence_limit_s(lag_limit_s: float) -> float:
    """Return after how long without an entry a feed is down, and how late its entries may be read.

    Args:
        lag_limit_s: how late messages of the provider may be; 0 for no limit.
    """
    return min(SILENT_AFTER_S, max(lag_limit_s, _MIN_SILENT_AFTER_S)) if lag_limit_s else SILENT_AFTER_S


class StreamReader(Protocol):
    """The part of `streams.clients.shared_reader.SharedReader` that a reader of a feed needs; it waits for all feeds at once."""

    redis: Redis

    async def read(self, stream: str, after: str) -> list[StreamEntry]:
        """Return the next entries of a stream after an id, none if there are none for a moment."""
        ...


class IngestReader:
    """Reads one feed and passes on what can be vouched for.

    Args:
        reader: reads the feed's stream. Its client returns bytes.
        namespace: the namespace of the keys.
        feed: the feed's name.
        sources: its sources.
        known: returns the ids of the markets that our book of a source has.
        deliver: applies updates that were received a while ago.
        silent_after_s: how old the state of the feed may be that was read last.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        reader: StreamReader,
        namespace: str,
        feed: str,
        sources: Sequence[str],
        known: Callable[[str], Iterable[str]],
        deliver: Callable[[Aged], None],
        silent_after_s: float = SILENT_AFTER_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._reader = reader
        self._redis = reader.redis
        self._feed = feed
        self._keys = ingest_keys(namespace, feed)
        self._user = f"follower of feed {feed}"
        self._deliver = deliver
        self._silent_after_s = silent_after_s
        self._clock = clock
        self._sources = sources
        self._known = known
        self._intake = FeedIntake(sources, known)
        self._at = "0-0"
        self._is_placed = False
        self._active = asyncio.Event()
        self._active.set()
        self._last_read_s = self._asked_s = self._moving_s = clock()
        self._age = StateAge(clock())
        self._term = 0

    @property
    def is_current(self) -> bool:
        """Whether everything of the feed is known."""
        return self._intake.is_current

    @property
    def gaps(self) -> int:
        """The number of times that something was missed, or another process took the feed over."""
        return self._intake.gaps

    @property
    def age_s(self) -> float:
        """Return the age of what is known of the feed; 0 if it is down here, so that no price depends on it."""
        intake = self._intake
        is_good = (intake.is_current or intake.is_moving) and not intake.is_silent
        return self._age.age_s(self._clock()) if is_good and self._active.is_set() else 0.0

    def pause(self) -> None:
        """Read nothing until `resume`: this process is connected to the provider itself."""
        self._active.clear()

    def resume(self) -> None:
        """Read again, from the end that the stream has then."""
        self._intake = FeedIntake(self._sources, self._known)
        self._is_placed = False
        self._active.set()

    async def run(self) -> None:
        """Read until cancelled, from the present end of the stream. Errors of Redis are retried."""
        with REDIS_OUTAGE.used_by(self._user):
            while True:
                await self._active.wait()
                try:
                    if not self._is_placed:
                        at = await read_top(self._redis, self._keys.stream)
                        self._at, self._is_placed = at.stream_id(), True
                        self._last_read_s = self._clock()
                        self._age.begin(self._last_read_s)
                    await self._ask()
                    self._is_placed = await self._read() and self._is_placed
                except UNAVAILABLE as error:
                    note_outage(self._user, error)
                    self.check_age()
                    await asyncio.sleep(_RETRY_S)
                else:
                    REDIS_OUTAGE.worked(self._user)

    def check_age(self) -> None:
        """Mark the feed down if what was read of it is too old by now. Call it often: reading may take long, or hang."""
        if not self._active.is_set():
            return
        now_s = self._clock()
        if self._intake.is_moving and now_s - self._moving_s > self._silent_after_s:
            self._pass_on(self._intake.expire_move())
        if self._age.age_s(now_s) > self._silent_after_s:
            self._pass_on(self._intake.lost(f"nothing from its feeder for {self._silent_after_s:g} s"))

    async def _ask(self) -> None:
        """Ask for a snapshot if one is needed."""
        now_s = self._clock()
        if self._intake.is_current:
            self._asked_s = now_s
        elif self._intake.must_ask or now_s - self._asked_s > _ASK_AGAIN_S:
            self._asked_s = now_s
            self._intake.expect(await self._next_number())

    async def _next_number(self) -> int:
        wanted = self._keys.wanted
        try:
            return int(await self._redis.incr(wanted))
        except ResponseError as error:
            if "integer" not in str(error):
                raise
            # Something else has written there what is no number. To the feeder any other number is news.
            await self._redis.set(wanted, 1)
            return 1

    async def _read(self) -> bool:
        """Read and pass on the next entries. Return whether the stream goes on from where we are."""
        entries = await self._reader.read(self._keys.stream, self._at)
        if not self._active.is_set() or not self._is_placed:
            return False
        if not entries:
            self.check_age()
            if self._clock() - self._last_read_s <= self._silent_after_s:
                return True
            # It may have been replaced by a shorter one, which has no next entry.
            continues = (await read_top(self._redis, self._keys.stream)) >= parse_stream_id(self._at)
            if not continues:
                self._intake.forget_position()
            return continues
        for stream_id, fields in entries:
            was_current = self._intake.is_current
            try:
                entry = decode_entry(fields[BATCH_FIELD])
            except (*DECODING_ERRORS, LookupError) as error:
                _log.error("ingest entry unreadable", feed=self._feed, at=stream_id.decode(), error=repr(error))
                self._intake.forget_position()
                continue
            was_moving = self._intake.is_moving
            position = parse_stream_id(stream_id)
            if position.epoch != self._term:
                # Another process, with another clock.
                self._term = position.epoch
                self._age.forget_clock()
            now_s = self._clock()
            as_of_s = self._age.measure(entry.sent_ms, now_s)
            self._pass_on(self._intake.read(position, entry, self._late_s(now_s - as_of_s)))
            if not self._intake.is_moving:
                # Until the move is complete, what is known is as old as it was before.
                self._age.note(as_of_s)
            if self._intake.is_moving and not was_moving:
                self._moving_s = self._clock()
            elif was_current != self._intake.is_current:
                _log.info(
                    "feed followed" if self._intake.is_current else "feed not followed, something was missed", feed=self._feed
                )
        self._at = entries[-1][0].decode()
        self._last_read_s = self._clock()
        return True

    def _late_s(self, age_s: float) -> float:
        """Return by how much an entry is too late; 0 if it is not."""
        return age_s if age_s > (_CAUGHT_UP_S if self._intake.is_silent else self._silent_after_s) else 0.0

    def _pass_on(self, batches: Iterable[Aged]) -> None:
        for aged in batches:
            self._deliver(aged)
