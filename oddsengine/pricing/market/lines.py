"""The lines of one event's totals or handicaps, kept from contradicting each other.

The higher the line, the likelier one side: under 2.5 is at least as likely as under 1.5. Each line is priced from its own
book, so a thin one can contradict the others. Lines that do are pooled: each gets the mean of those it disagrees with, the
smallest change that makes them agree (Ayer et al., "An empirical distribution function for sampling with incomplete
information", 1955).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from oddsengine.domain.ids import EventId
    from oddsengine.pricing.market.market_book import MarketBook
    from oddsengine.pricing.market.priced_group import PricedGroup
    from oddsengine.pricing.methods.implied import FairPriceInputs

#: (event, market type, period, unit)
LadderKey: TypeAlias = "tuple[EventId, str, str | None, str | None]"
#: A pooled probability this close to a line's own is the line's own.
_EQUAL: Final = 1e-12


def pooled(probabilities: Sequence[float]) -> list[float]:
    """Return the non-decreasing sequence closest to the given one, by least squares."""
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
    """A line and the longest prices of its rising and falling side, in thousandths."""

    line: float
    market: MarketId
    rising: int | None
    falling: int | None


class LineLadders:
    """The line ladders of all events, by event, market type, period and unit."""

    def __init__(self) -> None:
        self._ladders: dict[LadderKey, dict[MarketId, MarketBook]] = {}

    def add(self, book: MarketBook) -> None:
        """Add a market's lines to its ladder, in place of earlier ones of the same market."""
        if book.has_lines:
            self._ladders.setdefault(_key(book), {})[book.definition.id] = book

    def remove(self, book: MarketBook) -> set[MarketId]:
        """Remove a market's lines. Return the markets that have other probabilities without them."""
        key = _key(book)
        ladder = self._ladders.get(key)
        if ladder is None or ladder.pop(book.definition.id, None) is None:
            return set()
        for group in (each for groups in book.groups.values() for each in groups):
            # It may be added again, when the others are gone.
            group.pool(None)
        if not ladder:
            del self._ladders[key]
            return set()
        return self._pool(ladder, {inputs for other in ladder.values() for inputs in other.groups})

    def pool(self, book: MarketBook) -> set[MarketId]:
        """Pool a market's lines with the others of its ladder. Return the other markets that now have other probabilities."""
        ladder = self._ladders.get(_key(book)) if book.has_lines else None
        if ladder is None or (len(ladder) == 1 and book.line_count == 1):
            return set()
        dirty = self._pool(ladder, book.groups)
        dirty.discard(book.definition.id)
        return dirty

    def arbitrage(self, book: MarketBook) -> set[MarketId]:
        """Return the markets, this one included, with whose lines a bettor could back both sides without risk.

        Of the falling side of a line and the rising side of a higher one, at least one wins.
        """
        ladder = self._ladders.get(_key(book)) if book.has_lines else None
        if ladder is None or (len(ladder) == 1 and book.line_count == 1):
            return set()
        legs = [_Leg(line, market, *best) for market, other in ladder.items() for line, *best in other.best_sides()]
        own = book.definition.id
        return {
            market
            for low in legs
            for high in legs
            if high.line > low.line and own in (low.market, high.market) and low.falling and high.rising
            if 1000 / low.falling + 1000 / high.rising < 1.0
            for market in (low.market, high.market)
        }

    def _pool(self, ladder: dict[MarketId, MarketBook], all_inputs: Iterable[FairPriceInputs]) -> set[MarketId]:
        dirty: set[MarketId] = set()
        for inputs in all_inputs:
            members = sorted(_members(ladder, inputs), key=lambda member: member[0])
            own = [probability for _, _, _, probability in members]
            agreed = pooled(own) if any(low > high for low, high in pairwise(own)) else own
            for (_, market, group, probability), value in zip(members, agreed, strict=True):
                if group.pool(None if abs(value - probability) <= _EQUAL else value):
                    dirty.add(market)
        return dirty


def _members(ladder: dict[MarketId, MarketBook], inputs: FairPriceInputs) -> Iterator[tuple[float, MarketId, PricedGroup, float]]:
    for market, book in ladder.items():
        for group in book.groups.get(inputs, ()):
            probability = group.rising_probability()
            if group.line is not None and probability is not None:
                yield group.line, market, group, probability


def _key(book: MarketBook) -> LadderKey:
    definition = book.definition
    return definition.event, definition.type, definition.period, definition.unit
