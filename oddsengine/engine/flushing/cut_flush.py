"""A flush of a shard that has more to do than fits into one turn of the event loop: a part of it at a time.

Suspensions come first: they need no price. Then markets are priced, those of an event together, since the guards compare them.
Every other turn is for the event that moved last, so that an open market does not wait behind thousands that are to open again;
the rest are for what a person has commanded and for what has waited longest, so that nothing waits forever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.engine.flushing.backlog import Backlog
    from oddsengine.engine.flushing.dirty_sets import DirtySets

#: A flush of up to so many markets and events is not cut: a few milliseconds.
WHOLE_UP_TO: Final = 100


class TimeSlice(Protocol):
    """The time that a part of a flush may take; a flush of up to `whole_up_to` markets and events is not cut."""

    whole_up_to: int

    def begin(self, sharers: int) -> None:
        """Start; the time is shared among a number of shards that all have more to do than fits into one part."""

    def has_time(self) -> bool:
        """Check whether the part may go on."""


class Staging(Protocol):
    """The part of the pipeline that a cut flush needs."""

    def stage_event(self, shard: int, event: EventId, *, is_leaving: bool, is_changed: bool) -> None:
        """Stage the description of an event, or withdraw it."""

    def stage_suspension(self, shard: int, market: MarketId, now_ms: int) -> AbstractSet[MarketId] | None:
        """Stage an open market that is to be suspended, whatever its price. Return the others to be priced because of it.

        Return None, and stage nothing, if it is to be priced.
        """

    def flush_dirty(self, shard: int, now_ms: int) -> None:
        """Stage what is dirty, all of it."""


def flush_part(staging: Staging, dirty: DirtySets, backlog: Backlog, shard: int, now_ms: int, time_slice: TimeSlice) -> None:
    """Stage a part of what is dirty in a shard, or was put off before, and put off the rest.

    Args:
        staging: stages it.
        dirty: what was marked since the last flush.
        backlog: what earlier flushes have put off.
        shard: the shard.
        now_ms: Unix milliseconds.
        time_slice: how much is done; more than nothing in any case.
    """
    backlog.add(dirty.take_leaving(shard), dirty.take_events(shard), sorted(dirty.take_markets(shard)))
    _suspend(staging, dirty, backlog, shard, now_ms, time_slice)
    _price(staging, dirty, backlog, shard, now_ms, time_slice)


def _suspend(staging: Staging, dirty: DirtySets, backlog: Backlog, shard: int, now_ms: int, time_slice: TimeSlice) -> None:
    has_time = time_slice.has_time
    while backlog.unseen:
        event, unseen = backlog.unseen.popitem(last=False)
        if unseen.is_leaving or unseen.is_changed:
            staging.stage_event(shard, event, is_leaving=unseen.is_leaving, is_changed=unseen.is_changed)
            # Its markets may have to be suspended because of it.
            unseen.markets |= dirty.take_markets(shard)
        markets = sorted(unseen.markets)
        to_price: set[MarketId] = set()
        for number, market in enumerate(markets, 1):
            others = staging.stage_suspension(shard, market, now_ms)
            if others is None:
                to_price.add(market)
            else:
                for other in others:
                    # Their books may not have moved, but they follow from those that are suspended now.
                    dirty.chosen.pop(other, None)
                to_price |= others
            if number < len(markets) and not has_time():
                backlog.put_back(event, markets[number:])
                break
        backlog.to_price(event, to_price)
        if not has_time():
            return


def _price(staging: Staging, dirty: DirtySets, backlog: Backlog, shard: int, now_ms: int, time_slice: TimeSlice) -> None:
    #: what did not settle in its turn waits for the next flush
    unsettled: set[MarketId] = set()
    while True:
        dirty.markets[shard] = backlog.take_to_price()
        staging.flush_dirty(shard, now_ms)
        unsettled |= dirty.take_markets(shard)
        if not backlog.unpriced or not time_slice.has_time():
            break
    dirty.markets[shard] |= unsettled
