"""The part of an ingest stream that an engine takes over: nothing that it can't vouch for. Pure.

A feed's state is known once a whole snapshot was read and nothing was missed since. Until then, and after anything is missed, its
sources are down here, whatever the provider says: their markets are suspended. Only while a live feed moves from one process to
another, for a moment, what is known is still good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.domain.feed_updates import MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.sourcing.images import Aged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from oddsengine.domain.feed_updates import FeedUpdate
    from oddsengine.streams.ingest.entries import IngestEntry
    from oddsengine.streams.positions import Position

#: No snapshot was asked for yet.
_NONE_ASKED: Final = 2**62
_WAITING: Final = "waiting for a snapshot of its feeder"


class Confirmation:
    """Finds the markets of a source that its present connection does not have: they must not open again.

    Args:
        sources: the sources of a feed.
        known: returns the ids of the markets that our book of a source has.
    """

    def __init__(self, sources: Sequence[str], known: Callable[[str], Iterable[str]]) -> None:
        self._seen: dict[str, set[str]] = {source: set() for source in sources}
        self._known = known

    def note(self, batch: UpdateBatch) -> None:
        """Note the markets that a batch has."""
        seen = self._seen.get(batch.source)
        if seen is not None:
            seen.update(update.market for update in batch.updates if type(update) is MarketUpdate)

    def is_open(self, source: str) -> bool:
        """Check whether the markets of a source are still being collected."""
        return source in self._seen

    def close(self, source: str) -> UpdateBatch | None:
        """Return the removal of the markets of a source that were not seen; None if there are none."""
        seen = self._seen.pop(source, None)
        if seen is None:
            return None
        gone: list[FeedUpdate] = [MarketGone(market) for market in self._known(source) if market not in seen]
        return UpdateBatch(source, None, gone) if gone else None


class FeedIntake:
    """The state of one feed, read from its stream.

    Args:
        sources: the sources of the feed.
        known: returns the ids of the markets that our book of a source has.
    """

    def __init__(self, sources: Sequence[str], known: Callable[[str], Iterable[str]]) -> None:
        self._sources = sources
        self._known = known
        self._at: Position | None = None
        self._statuses: dict[str, SourceStatus] = {}
        self._confirmation: Confirmation | None = None
        #: the number of the first snapshot that is good for us
        self._snapshot = _NONE_ASKED
        #: whether everything is known
        self.is_current = False
        #: whether another process has just taken a live feed over, and its snapshot is on the way
        self.is_moving = False
        #: whether its sources are down because nothing was read in time
        self.is_silent = False
        self.gaps = 0

    @property
    def must_ask(self) -> bool:
        """Whether no snapshot will come without being asked for."""
        return not self.is_current and self._snapshot == _NONE_ASKED

    def expect(self, number: int) -> None:
        """Wait for a snapshot that was asked for; earlier ones may be incomplete for us."""
        self._snapshot = number

    def forget_position(self) -> None:
        """Forget what was read last: the next entry does not follow it."""
        self._at = None

    def lost(self, reason: str) -> list[Aged]:
        """Return that the sources are down, if that is news: nothing has arrived for too long."""
        if self.is_silent:
            return []
        self.is_silent = True
        return self._down(reason)

    def expire_move(self) -> list[Aged]:
        """Return that the sources are down if a move takes too long."""
        if not self.is_moving:
            return []
        self.is_moving = False
        return self._down(_WAITING)

    def read(self, position: Position, entry: IngestEntry, late_s: float = 0.0) -> list[Aged]:
        """Return what to apply of an entry, in order.

        Args:
            position: of the entry.
            entry: the entry.
            late_s: by how much it is too late, because we read too slowly; 0 if it is not.
        """
        taken: list[Aged] = []
        at, self._at = self._at, position
        if at is None or position.epoch != at.epoch or position.seq != at.seq + 1:
            is_next_term = at is not None and position.epoch > at.epoch and position.seq == 0
            self.gaps += at is not None
            is_known = (self.is_current or self.is_moving) and not self.is_silent
            self.is_moving = is_next_term and entry.continues and is_known
            if not self.is_moving:
                taken += self._down(_WAITING)
            self.is_current, self._confirmation, self.is_silent = False, None, False
            # Every term has a snapshot once its feed is live.
            self._snapshot = 0 if is_next_term else _NONE_ASKED
            if at is None or position.epoch != at.epoch:
                self._statuses.clear()
        elif self.is_silent and not late_s:
            self.is_silent = False
            taken += self._present_statuses() if self.is_current else self._down(_WAITING)
        if self.is_current and entry.snapshot:
            # It is for others.
            return taken + self.lost(f"read {late_s:.1f} s late") if late_s else taken
        if entry.is_first and entry.snapshot >= self._snapshot:
            self._confirmation = Confirmation(self._sources, self._known)
        for index, batch in enumerate(entry.batches):
            self._take(batch, entry.ages_ms[index] if entry.ages_ms else 0, taken)
        if entry.is_last and self._confirmation is not None:
            for source in self._sources:
                gone = self._confirmation.close(source)
                if gone is not None:
                    taken.append(Aged(0, gone))
            self._confirmation, self.is_current, self.is_moving = None, True, False
            if not self.is_silent:
                taken += self._present_statuses()
        return taken + self.lost(f"read {late_s:.1f} s late") if late_s else taken

    def _take(self, batch: UpdateBatch, age_ms: int, taken: list[Aged]) -> None:
        if batch.source not in self._sources:
            return
        for update in batch.updates:
            if type(update) is SourceStatus:
                self._statuses[batch.source] = update
        if self.is_current and not self.is_silent:
            taken.append(Aged(age_ms, batch))
            return
        if self._confirmation is not None:
            self._confirmation.note(batch)
        rest = [update for update in batch.updates if type(update) is not SourceStatus]
        if rest:
            taken.append(Aged(age_ms, UpdateBatch(batch.source, batch.published_ms, rest)))

    def _present_statuses(self) -> list[Aged]:
        return [Aged(0, UpdateBatch(source, None, [status])) for source, status in self._statuses.items()]

    def _down(self, reason: str) -> list[Aged]:
        return [Aged(0, UpdateBatch(source, None, [SourceStatus("down", reason)])) for source in self._sources]
