"""Which of an event's lines of one type, period and unit is the main one: that whose two sides are priced nearest to even.

It stays that until another one is clearly nearer, so that it does not change with every price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from oddsengine.domain.market_types import HEAD_STARTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.changes import MarketIdentity, MarketRecord
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
    low, high = ("home", "away") if market.identity.type in HEAD_STARTS else ("under", "over")
    sides = market.selections.get(low), market.selections.get(high)
    first, second = (None if each is None or not each.prices else each.prices[0] for each in sides)
    return None if first is None or second is None else abs(first - second) / (first + second)


class _Lines:
    """The lines that are alternatives of each other."""

    __slots__ = ("imbalances", "main", "members", "suspended_since_ms")

    def __init__(self) -> None:
        self.members: set[MarketId] = set()
        #: of the lines that take bets
        self.imbalances: dict[MarketId, float] = {}
        self.main: MarketId | None = None
        #: since when the main one takes no bets while others do, Unix milliseconds
        self.suspended_since_ms: int | None = None

    def elect(self, markets: Mapping[MarketId, MarketRecord], now_ms: int) -> None:
        """Choose the main line."""
        imbalances, main = self.imbalances, self.main
        since_ms, self.suspended_since_ms = self.suspended_since_ms, None
        if not imbalances:
            return
        smallest = min(imbalances.values())
        if main is not None:
            own = imbalances.get(main)
            if own is not None:
                if own - smallest < MIN_LEAD:
                    return
            elif main in markets and markets[main].state.status == "suspended":
                self.suspended_since_ms = now_ms if since_ms is None else since_ms
                if now_ms - self.suspended_since_ms < KEPT_SUSPENDED_MS:
                    return
                self.suspended_since_ms = None
        self.main = min(market for market, each in imbalances.items() if each == smallest)


class MainLines:
    """The main lines of a shard."""

    def __init__(self) -> None:
        #: the lines that have changed since the last call of `settle`
        self.moved: dict[MarketId, MarketRecord] = {}
        self._by_key: dict[_Key, _Lines] = {}
        self._key_of: dict[MarketId, _Key] = {}
        #: those whose main line is suspended
        self._waiting: dict[_Key, _Lines] = {}

    def is_due(self, now_ms: int) -> bool:
        """Check whether `settle` may have something to do."""
        if not self._waiting:
            return bool(self.moved)
        return bool(self.moved) or any(
            lines.suspended_since_ms is not None and now_ms - lines.suspended_since_ms >= KEPT_SUSPENDED_MS
            for lines in self._waiting.values()
        )

    def remove(self, market: MarketId) -> None:
        """Drop a market that is gone. No-op if it is no line."""
        self.moved.pop(market, None)
        key = self._key_of.pop(market, None)
        if key is None:
            return
        lines = self._by_key[key]
        lines.members.discard(market)
        lines.imbalances.pop(market, None)
        if lines.main == market:
            lines.main = None
        if not lines.members:
            del self._by_key[key]
            self._waiting.pop(key, None)

    def settle(self, markets: Mapping[MarketId, MarketRecord], now_ms: int) -> dict[MarketId, bool]:
        """Choose the main lines by what has changed. Return the lines to be marked, with whether each is the main one.

        Args:
            markets: all markets of the shard.
            now_ms: Unix milliseconds.
        """
        touched, self._waiting = self._waiting, {}
        moved, self.moved = self.moved, {}
        for market, record in moved.items():
            identity = record.identity
            key = identity.event, identity.type, identity.period, identity.unit
            if self._key_of.get(market) != key:
                self.remove(market)
                self._key_of[market] = key
                self._by_key.setdefault(key, _Lines()).members.add(market)
            lines = touched[key] = self._by_key[key]
            distance = imbalance(record)
            if distance is None:
                lines.imbalances.pop(market, None)
            else:
                lines.imbalances[market] = distance
            if lines.main is None and record.state.main_line:
                lines.main = market
        marks: dict[MarketId, bool] = {}
        for key, lines in touched.items():
            before = lines.main
            lines.elect(markets, now_ms)
            if lines.suspended_since_ms is not None:
                self._waiting[key] = lines
            if lines.main != before and lines.main is not None:
                marks[lines.main] = True
                if before is not None:
                    marks[before] = False
        for market, record in moved.items():
            is_main = self._by_key[self._key_of[market]].main == market
            if record.state.main_line is not is_main:
                marks[market] = is_main
        return marks
