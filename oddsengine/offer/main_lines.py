"""Which of an event's lines of one type, period and unit is the main one: that whose two sides are priced nearest to even.

It stays that until another one is clearly nearer, so that it does not change with every price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from oddsengine.domain.changes import MarketIdentity
from oddsengine.domain.market_types import HEAD_STARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.domain.taxonomy import MarketType

#: The types whose lines are the same bet at different numbers.
_TYPES: Final[frozenset[MarketType]] = frozenset({"handicap", "asian_handicap", "total", "home_total", "away_total"})
#: How much nearer to even, in the difference of the shares of both sides, another line must be to become the main one.
MIN_LEAD: Final = 0.06
#: How long a main line is kept while it is suspended and others are open.
KEPT_SUSPENDED_MS: Final = 10_000

#: The lines that are alternatives of each other: those of an event with the same type, period and unit.
_Key: TypeAlias = "tuple[EventId, MarketType, str | None, str | None]"


def is_line(identity: MarketIdentity) -> bool:
    """Check whether a market is one of several lines of the same bet."""
    return identity.line is not None and identity.type in _TYPES


def imbalance(market: MarketRecord) -> float | None:
    """Return how far from even the sides of a line are priced in the first profile, 0 to 1; None if it takes no bets."""
    if market.state.status != "open":
        return None
    selections = market.selections
    low, high = ("home", "away") if market.identity.type in HEAD_STARTS else ("under", "over")
    first, second = selections.get(low), selections.get(high)
    if first is None or second is None or not first.prices or not second.prices:
        return None
    one, other = first.prices[0], second.prices[0]
    return None if one is None or other is None else abs(one - other) / (one + other)


class _Lines:
    """The lines that are alternatives of each other."""

    __slots__ = ("imbalances", "key", "main", "members", "suspended_since_ms")

    def __init__(self, key: _Key) -> None:
        self.key = key
        self.members: set[MarketId] = set()
        #: of the lines that take bets
        self.imbalances: dict[MarketId, float] = {}
        self.main: MarketId | None = None
        #: since when the main one takes no bets while others do, Unix milliseconds
        self.suspended_since_ms: int | None = None

    def move(self, market: MarketId, distance: float | None) -> bool:
        """Set how far from even a line is, None if it takes no bets. Return whether another line may become the main one."""
        before, main = self.imbalances.get(market), self.main
        if distance is None:
            self.imbalances.pop(market, None)
            return before is not None
        self.imbalances[market] = distance
        if market == main:
            return before is None or distance > before
        own = None if main is None else self.imbalances.get(main)
        return own is None or own - distance >= MIN_LEAD

    def elect(self, markets: Mapping[MarketId, MarketRecord], now_ms: int) -> None:
        """Choose the main line."""
        imbalances, main = self.imbalances, self.main
        if not imbalances:
            self.suspended_since_ms = None
            return
        smallest = min(imbalances.values())
        own = imbalances.get(main) if main is not None else None
        if own is not None and own - smallest < MIN_LEAD:
            self.suspended_since_ms = None
            return
        if own is None and main is not None and main in markets and markets[main].state.status == "suspended":
            if self.suspended_since_ms is None:
                self.suspended_since_ms = now_ms
            if now_ms - self.suspended_since_ms < KEPT_SUSPENDED_MS:
                return
        self.suspended_since_ms = None
        self.main = min(market for market, each in imbalances.items() if each == smallest)


class _Place(NamedTuple):
    """The lines that a market is one of. Keyed by the identity of its `MarketIdentity` object, not by its value."""

    identity: MarketIdentity
    lines: _Lines


class MainLines:
    """The main lines of a shard."""

    def __init__(self) -> None:
        #: the lines that have changed since the last call of `settle`
        self.moved: dict[MarketId, MarketRecord] = {}
        self._by_key: dict[_Key, _Lines] = {}
        self._places: dict[MarketId, _Place] = {}
        #: those whose main line is suspended
        self._waiting: dict[_Lines, None] = {}

    def is_due(self, now_ms: int) -> bool:
        """Check whether `settle` may have something to do."""
        if self.moved or not self._waiting:
            return bool(self.moved)
        return any(
            lines.suspended_since_ms is not None and now_ms - lines.suspended_since_ms >= KEPT_SUSPENDED_MS
            for lines in self._waiting
        )

    def remove(self, market: MarketId) -> None:
        """Drop a market that is gone. No-op if it is no line."""
        self.moved.pop(market, None)
        place = self._places.pop(market, None)
        if place is None:
            return
        lines = place.lines
        lines.members.discard(market)
        lines.imbalances.pop(market, None)
        if lines.main == market:
            lines.main = None
        if not lines.members:
            del self._by_key[lines.key]
            self._waiting.pop(lines, None)

    def settle(self, markets: Mapping[MarketId, MarketRecord], now_ms: int) -> dict[MarketId, bool]:
        """Choose the main lines by what has changed. Return the lines to be marked, with whether each is the main one.

        Args:
            markets: all markets of the shard.
            now_ms: Unix milliseconds.
        """
        moved, self.moved = self.moved, {}
        touched, self._waiting = self._waiting, {}
        unmarked: list[MarketId] = []
        for market, record in moved.items():
            place = self._places.get(market)
            if place is None or place.identity is not record.identity:
                place = self._place(market, record.identity)
            lines = place.lines
            if lines.main is None and record.state.main_line:
                lines.main = market
            if lines.move(market, imbalance(record)):
                touched[lines] = None
            if record.state.main_line is not (lines.main == market):
                unmarked.append(market)
        marks: dict[MarketId, bool] = {}
        for lines in touched:
            before = lines.main
            lines.elect(markets, now_ms)
            if lines.suspended_since_ms is not None:
                self._waiting[lines] = None
            if lines.main != before and lines.main is not None:
                marks[lines.main] = True
                if before is not None:
                    marks[before] = False
        for market in unmarked:
            is_main = self._places[market].lines.main == market
            if moved[market].state.main_line is not is_main:
                marks[market] = is_main
        return marks

    def _place(self, market: MarketId, identity: MarketIdentity) -> _Place:
        key = identity.event, identity.type, identity.period, identity.unit
        before = self._places.get(market)
        if before is not None and before.lines.key != key:
            self.remove(market)
        lines = self._by_key.get(key)
        if lines is None:
            lines = self._by_key[key] = _Lines(key)
        lines.members.add(market)
        place = self._places[market] = _Place(identity, lines)
        return place
