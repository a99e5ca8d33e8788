"""Refuses what an adapter passes on and nothing can be priced by: numbers that are none, or that no odds and no stakes have.

All updates of a codec pass through here, live and in a replay, before any book, engine or other process has them: one market
with such a number would fail the flush that prices it, and all its neighbours with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from feeds.feed import Rejected
from oddsengine.common import speedups
from oddsengine.common.excerpts import echoed
from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oddsengine.domain.feed_updates import BookChange, FeedUpdate, MarketDefinition

#: Prices and sizes are 0 or between these: their sums and quotients are numbers too.
_SMALLEST: Final = 1e-100
_LARGEST: Final = 1e12
#: No line, number of winners or time is larger. Times are Unix milliseconds, which JSON has exactly up to 2**53.
_LARGEST_LINE: Final = 1e9
_MOST_WINNERS: Final = 1_000_000
_LATEST_MS: Final = 2**53
_NOT_WHOLE: Final = "an update of a market that was refused and has not been sent whole since"


class UpdateInspector:
    """Inspects the updates of one feed.

    A market of which something is refused is withdrawn until its source sends it whole: what is missing could be its best price.
    """

    def __init__(self) -> None:
        #: the markets that are withdrawn, by source
        self._withdrawn: set[tuple[str, str]] = set()

    def inspect(self, batch: UpdateBatch) -> tuple[UpdateBatch, Sequence[Rejected]]:
        """Return what can be used of a batch, the batch itself if that is all of it, and what was refused."""
        published_ms = batch.published_ms
        are_usable = _are_usable if speedups.books is None else speedups.books.are_usable
        # This is all that happens to most messages.
        if (
            not self._withdrawn
            and are_usable(batch.updates, MarketUpdate)
            and (published_ms is None or (type(published_ms) is int and 0 <= published_ms <= _LATEST_MS))
        ):
            return batch, ()
        rejected: list[Rejected] = []
        if published_ms is not None and not _is_time(published_ms):
            rejected.append(Rejected("time of a message", f"{echoed(published_ms)} is not a time", ""))
            published_ms = None
        updates = [kept for update in batch.updates if (kept := self._kept(batch.source, update, rejected)) is not None]
        return (UpdateBatch(batch.source, published_ms, updates) if rejected else batch), rejected

    def _kept(self, source: str, update: FeedUpdate, rejected: list[Rejected]) -> FeedUpdate | None:
        if isinstance(update, EventUpdate) and (event := update.event).start_ms is not None and not _is_time(event.start_ms):
            rejected.append(Rejected(f"start of event {event.id}", f"{echoed(event.start_ms)} is not a time", ""))
            return EventUpdate(msgspec.structs.replace(event, start_ms=None))
        if isinstance(update, MarketGone):
            self._withdrawn.discard((source, update.market))
        if not isinstance(update, MarketUpdate):
            return update
        key, where = (source, update.market), f"market {update.market}"
        if problem := next(_problems(update), None):
            self._withdrawn.add(key)
            rejected.append(Rejected(where, problem, ""))
            return MarketGone(update.market)
        if update.image:
            self._withdrawn.discard(key)
        elif key in self._withdrawn:
            rejected.append(Rejected(where, _NOT_WHOLE, ""))
            return None
        return update


def _are_usable(updates: Iterable[FeedUpdate], market_update: type[MarketUpdate]) -> bool:
    for update in updates:
        if type(update) is not market_update or update.definition is not None:
            return False
        for change in update.books:
            if _problem_of(change):
                return False
    return True


def _problems(update: MarketUpdate) -> Iterator[str]:
    if update.definition is not None:
        yield from _problems_of_definition(update.definition)
    for change in update.books:
        if problem := _problem_of(change):
            yield f"selection {change.selection}: {problem}"


def _problems_of_definition(definition: MarketDefinition) -> Iterator[str]:
    for name, number in (("limit", definition.limit), ("bet delay", definition.bet_delay_s)):
        if number is not None and not _is_amount(number):
            yield f"the {name} {echoed(number)}"
    for line in (definition.line or 0.0, *[selection.handicap for selection in definition.selections]):
        if not -_LARGEST_LINE <= line <= _LARGEST_LINE:
            yield f"the line {echoed(line)}"
    if not 0 <= definition.winners <= _MOST_WINNERS:
        yield f"{echoed(definition.winners)} winners"
    if definition.start_ms is not None and not _is_time(definition.start_ms):
        yield f"the start {echoed(definition.start_ms)}"


def _problem_of(change: BookChange) -> str | None:
    """Return what is wrong with a selection's changes, None if nothing is. Written out: it runs for every change."""
    # What its types say is not known yet.
    ladders: tuple[Any, ...] = (change.back, change.lay)
    books: tuple[Any, ...] = (change.back_levels, change.lay_levels, change.back_display, change.lay_display)
    for ladder in ladders:
        for row in ladder or ():
            if len(row) != 2 or not (_is_amount(row[0]) and _is_amount(row[1])):  # noqa: PLR2004 - a price and a size
                return f"the row {echoed(row)}"
    for levels in books:
        for level in levels or ():
            is_row = len(level) == 3 and isinstance(level[0], int)  # noqa: PLR2004 - a level, a price and a size
            if not (is_row and _is_amount(level[1]) and _is_amount(level[2])):
                return f"the level {echoed(level)}"
    if change.last is not None and not _is_amount(change.last):
        return f"the last trade {echoed(change.last)}"
    if change.quote is not None and not _is_amount(change.quote):
        return f"the quote {echoed(change.quote)}"
    return None


def _is_amount(number: Any) -> bool:
    """Check a price or a size. What is no number at all, whatever its type says, is neither."""
    return isinstance(number, int | float) and (number == 0 or _SMALLEST <= number <= _LARGEST)


def _is_time(number: Any) -> bool:
    return isinstance(number, int) and -_LATEST_MS <= number <= _LATEST_MS
