"""Keeps the identities of events: decides which are one if that is up to this engine, and takes over what was decided.

Nothing is published of an event before its id is in Redis. While Redis is away nothing is decided: what is known goes on.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.sourcing.matching.identities import Decisions
from oddsengine.sourcing.matching.pair_table import feed_of
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage, until_answered
from oddsengine.streams.identities.progress import IdentityProgress
from oddsengine.streams.positions import epoch_jump

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oddsengine.engine.matched_events import MatchedEvents
    from oddsengine.sourcing.source_book import SourceBook
    from oddsengine.streams.identities.log import IdentityLog
    from oddsengine.streams.identities.progress import LogEntry, Write

#: How long what was decided of an event is kept after it has started, and all feeds have dropped it.
KEPT_MS: Final = 24 * 3600 * 1000
#: How many events are decided of with one write. With those that may be the same it takes some milliseconds.
_DECIDED_AT_ONCE: Final = 200
_LEARNED_AT_ONCE: Final = 20
_BLOCK_MS: Final = 200
_RETRY_S: Final = 0.1
_CHECK_EVERY_S: Final = 0.5
_TIDY_EVERY_S: Final = 5.0
#: How long after it has begun to decide an engine knows which events feeds still have.
_DESCRIBED_AFTER_S: Final = 600.0
_USER: Final = "identities"
_log = structlog.get_logger(__name__)


class IdentityKeeper:
    """The identities of the events of one engine.

    Args:
        log: where they are.
        matched: returns what places events, whose matcher defers; None while there is nothing to match.
        books: the sources.
        decides: returns whether this engine decides.
        changed: is called after decisions were applied.
        wall_ms: Unix milliseconds by the world's clock.
        clock: monotonic seconds.
        jump: returns by how much to advance a new epoch.
    """

    def __init__(
        self,
        log: IdentityLog,
        matched: Callable[[], MatchedEvents | None],
        books: Mapping[str, SourceBook],
        *,
        decides: Callable[[], bool],
        changed: Callable[[], None],
        wall_ms: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
        jump: Callable[[], int] = epoch_jump,
    ) -> None:
        self._identities = log
        self._matched = matched
        self._books = books
        self._decides = decides
        self._changed = changed
        self._wall_ms = wall_ms
        self._clock = clock
        self._progress = IdentityProgress(jump)
        self._wake = asyncio.Event()
        self._deciding_since_s = self._next_tidy_s = clock()
        #: the last command that was obeyed here, the last one that decisions take into account, and that which we have written
        self._obeyed = self._decided_upto = self._written_upto = 0
        #: a command to wait for, since it settles which events are one, and up to which one those before it were obeyed
        self._settling, self._before_settling = 0, 0
        #: how often Redis had lost decisions
        self.losses = 0

    @property
    def is_deciding(self) -> bool:
        """Whether this engine decides."""
        return self._progress.is_open

    @property
    def _placed(self) -> MatchedEvents:
        """The placing of events. Only where there is something to match."""
        matched = self._matched()
        if matched is None:
            raise RuntimeError("a single feed has nothing to decide")
        return matched

    def wake(self) -> None:
        """Decide now if there is something to decide."""
        matched = self._matched()
        if matched is not None and matched.matcher.has_pending:
            self._wake.set()

    def obey(self, seq: int, *, settles: bool) -> None:
        """Note that the commands up to a number were obeyed, and whether one of them settles which events are one."""
        if settles and self._matched() is not None:
            self._before_settling = self.acknowledged
            self._settling = seq
        self._obeyed = max(self._obeyed, seq)
        self._wake.set()

    @property
    def acknowledged(self) -> int:
        """Up to which number commands are obeyed, and decisions take those into account that settle which events are one."""
        return self._obeyed if self._settling <= self._decided_upto else self._before_settling

    async def load(self) -> None:
        """Take over everything that is decided. Waits until Redis answers. Call it before anything is published."""
        await until_answered(_USER, self._read_to_end)

    async def catch_up(self) -> None:
        """Take over what was decided meanwhile. Waits until Redis answers. Call it before another shard is published."""
        await until_answered(_USER, self._read_to_end)

    async def run(self) -> None:
        """Decide or follow, until cancelled."""
        with REDIS_OUTAGE.used_by(_USER):
            while True:
                try:
                    if self._matched() is None:
                        # A single feed: the ids of its events are its own. A reload may add another.
                        await asyncio.sleep(_CHECK_EVERY_S)
                    elif await self.step(_BLOCK_MS):
                        await asyncio.sleep(0)
                    elif self._progress.is_open:
                        await self._wait()
                except UNAVAILABLE as error:
                    note_outage(_USER, error)
                    await asyncio.sleep(_RETRY_S)
                else:
                    REDIS_OUTAGE.worked(_USER)

    async def step(self, block_ms: int | None = None) -> bool:
        """Decide of some events, or take over what another engine has decided. Return whether there may be more to do.

        Args:
            block_ms: how long to wait for what another engine decides, in milliseconds; None: not at all.
        """
        try:
            if self._decides():
                return await self._decide()
            self._progress.is_open = False
            return await self._follow(block_ms)
        except UNAVAILABLE:
            # Whether the last decisions were written is not known.
            self._progress.is_open = False
            raise

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(_CHECK_EVERY_S):
                await self._wake.wait()
        except TimeoutError:
            await self.check()

    async def _follow(self, block_ms: int | None) -> bool:
        if self._progress.must_load:
            await self._load_table()
            return True
        if self._take(await self._identities.read(self._progress.at, block_ms)):
            return True
        await self.check()
        return self._progress.must_load

    async def _read_to_end(self) -> None:
        if self._matched() is None:
            return
        while self._progress.must_load or self._take(await self._identities.read(self._progress.at)):
            if self._progress.must_load:
                await self._load_table()

    def _take(self, entries: list[LogEntry]) -> bool:
        for decisions in self._progress.read(entries):
            self._apply(decisions)
        return bool(entries)

    async def check(self) -> None:
        """Find out whether Redis still has what we have read."""
        at = self._progress.at
        log, table = await self._identities.last_of_log(), await self._identities.last()
        if self._progress.at == at and table != at and not self._take(await self._identities.read(at)):
            self._progress.check(table, log)

    async def _load_table(self) -> None:
        progress, matcher = self._progress, self._placed.matcher
        at = progress.at
        log, stored = await self._identities.last_of_log(), await self._identities.load()
        for count, identity in enumerate(stored.decisions.identities.values(), 1):
            # Comparing an event with the others takes a millisecond: others get their turn.
            if identity is not None and matcher.learn(identity.event) and not count % _LEARNED_AT_ONCE:
                await asyncio.sleep(0)
        if progress.at != at or not progress.must_load:
            return  # it was read by somebody else meanwhile
        reading = progress.load(stored, log, matcher.decided, matcher.possible, self._wall_ms())
        if reading.restoration is None:
            progress.loaded(stored.at)
        else:
            _log.error("identities lost by redis, writing them again", events=len(reading.restoration.decisions.identities))
            if not await self._identities.write(reading.restoration):
                return
            self.losses += 1
            progress.loaded(reading.restoration.at)
        if reading.decisions:
            self._apply(reading.decisions)
            _log.info("identities loaded", events=len(matcher.decided))

    async def _decide(self) -> bool:
        progress, matcher = self._progress, self._placed.matcher
        if not progress.is_open:
            await self._read_to_end()
            if not await self._write(progress.opening(self._wall_ms())):
                await self.check()
                return True
            matcher.reconsider_all()
            self._written_upto = 0
            self._deciding_since_s = self._clock()
            _log.info("deciding identities", events=len(matcher.decided))
        self._wake.clear()
        decisions = matcher.propose(self._wall_ms(), _DECIDED_AT_ONCE)
        if not decisions and not matcher.has_pending:
            decisions = self._tidy()
        if not matcher.has_pending and self._obeyed > self._written_upto:
            decisions = Decisions(decisions.identities, decisions.possible, self._obeyed)
        if decisions:
            return await self._write(progress.following(decisions))
        return matcher.has_pending

    async def _write(self, write: Write) -> bool:
        if not await self._identities.write(write):
            self._progress.is_open = False
            return False
        self._written_upto = max(self._written_upto, write.decisions.obeyed)
        if self._progress.written(write) and write.decisions:
            self._apply(write.decisions)
        return True

    def _tidy(self) -> Decisions:
        """Return the removal of what is no longer needed."""
        now_s = self._clock()
        unheard = {feed_of(book.source) for book in self._books.values() if book.health != "live"}
        if now_s >= self._next_tidy_s:
            self._next_tidy_s = now_s + _TIDY_EVERY_S
            self._placed.matcher.delist_missing(unheard)
            if now_s - self._deciding_since_s >= _DESCRIBED_AFTER_S:
                return self._placed.matcher.ended(unheard, self._wall_ms() - KEPT_MS)
        return Decisions()

    def _apply(self, decisions: Decisions) -> None:
        self._placed.apply(decisions)
        self._decided_upto = max(self._decided_upto, decisions.obeyed)
        self._changed()
