"""The lines of one event's totals or handicaps, kept from contradicting each other.

The higher the line the likelier is one side: under 2.5 is not less likely than under 1.5. Each line is priced from a book
of its own, so a thin one can say otherwise. Lines that contradict each other are pooled: each gets the mean of those it
disagrees with, the least change that makes them agree (Ayer et al., "An empirical distribution function for sampling with
incomplete information", 1955).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oddsengine.domain.ids import EventId
    from oddsengine.pricing.market.market_book import Group, MarketBook
    from oddsengine.pricing.methods.implied import FairPriceInputs

#: (event, market type, period)
LadderKey: TypeAlias = "tuple[EventId, str, str | None]"
#: A pooled probability this near to a line's own is its own.
_SAME = 1e-12


def pooled(probabilities: Sequence[float]) -> list[float]:
    """Find the sequence that never falls and is nearest to this one, by least squares."""
    blocks: list[tuple[float, int]] = []
    for probability in probabilities:
        mean, size = probability, 1
        while blocks and blocks[-1][0] > mean:
            before, count = blocks.pop()
            mean = (before * count + mean * size) / (count + size)
            size += count
        blocks.append((mean, size))
    return [mean for mean, size in blocks for _ in range(size)]


class _Leg(NamedTuple):
    """A line and the longest prices of its rising and falling side, thousandths."""

    line: float
    market: MarketId
    rising: int | None
    falling: int | None


class LineLadders:
    """Every ladder of lines there is, by event, market type and period."""

    def __init__(self) -> None:
        self._ladders: dict[LadderKey, dict[MarketId, MarketBook]] = {}

    def join(self, book: MarketBook) -> None:
        """Take a market's lines in, in place of those of the same market."""
        if book.has_lines:
            self._ladders.setdefault(_key(book), {})[book.definition.id] = book

    def leave(self, book: MarketBook) -> set[MarketId]:
        """Let a market's lines go; tell which markets are priced otherwise without them."""
        key = _key(book)
        ladder = self._ladders.get(key)
        if ladder is None or ladder.pop(book.definition.id, None) is None:
            return set()
        if not ladder:
            del self._ladders[key]
            return set()
        return self._agree(ladder, {belief for other in ladder.values() for belief in other.groups})

    def agree(self, book: MarketBook) -> set[MarketId]:
        """Make the lines beside a market's agree with it; tell which other markets are priced otherwise now."""
        ladder = self._ladders.get(_key(book)) if book.has_lines else None
        if ladder is None or (len(ladder) == 1 and book.lines == 1):
            return set()
        disturbed = self._agree(ladder, book.groups)
        disturbed.discard(book.definition.id)
        return disturbed

    def arbitrage(self, book: MarketBook) -> set[MarketId]:
        """Name the markets on whose lines and this one's a bettor could back both sides and not lose.

        The falling side of a line and the rising side of a higher one win together or one of them does.
        """
        ladder = self._ladders.get(_key(book)) if book.has_lines else None
        if ladder is None or (len(ladder) == 1 and book.lines == 1):
            return set()
        legs = [_Leg(line, market, *best) for market, other in ladder.items() for line, *best in other.best_sides()]
        me = book.definition.id
        return {
            market
            for low in legs
            for high in legs
            if high.line > low.line and me in (low.market, high.market) and low.falling and high.rising
            if 1000 / low.falling + 1000 / high.rising < 1.0
            for market in (low.market, high.market)
        }

    def _agree(self, ladder: dict[MarketId, MarketBook], beliefs: Iterable[FairPriceInputs]) -> set[MarketId]:
        disturbed: set[MarketId] = set()
        for belief in beliefs:
            members = sorted(_members(ladder, belief), key=lambda member: member[0])
            own = [probability for _, _, _, probability in members]
            agreed = pooled(own) if any(low > high for low, high in pairwise(own)) else own
            for (_, market, group, probability), value in zip(members, agreed, strict=True):
                if group.pool(None if abs(value - probability) <= _SAME else value):
                    disturbed.add(market)
        return disturbed


def _members(ladder: dict[MarketId, MarketBook], belief: FairPriceInputs) -> Iterator[tuple[float, MarketId, Group, float]]:
    for market, book in ladder.items():
        for group in book.groups.get(belief, ()):
            probability = group.rising_probability()
            if group.line is not None and probability is not None:
                yield group.line, market, group, probability


def _key(book: MarketBook) -> LadderKey:
    definition = book.definition
    return definition.event, definition.type, definition.period
