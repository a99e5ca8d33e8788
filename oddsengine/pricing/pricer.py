"""From one source's market to the market we publish, for every profile at once, at the cost of what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oddsengine.books.changes import MarketIdentity, MarketState
from oddsengine.books.offer import OfferedMarket, OfferedSelection
from oddsengine.pricing.book import MovingBook, PricedSelection, coherence, price_book
from oddsengine.pricing.fair import fair_from_exchange

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.books.source_book import SelectionBook, SourceMarket
    from oddsengine.markets.feed_updates import MarketDefinition, SelectionDefinition
    from oddsengine.markets.ids import MarketId
    from oddsengine.pricing.fair import ExchangeLimits, Fair
    from oddsengine.pricing.profile import Profile

#: New prices of some selections, one a profile each; what is not named is as it was.
PriceChanges: TypeAlias = list[tuple[str, tuple[int | None, ...]]]


class PricedMarket(NamedTuple):
    """One profile's prices of one market by selection key; `refusal` says why there are none."""

    selections: dict[str, PricedSelection]
    refusal: str | None


class _Group:
    """A set of selections whose probabilities sum to the number of winners, as one profile's limits see it."""

    __slots__ = ("any_price", "books", "factor", "inverses", "moving", "probabilities", "selections", "winners")

    def __init__(
        self, selections: list[SelectionDefinition], market: SourceMarket, winners: int, profiles: list[Profile]
    ) -> None:
        self.selections = selections
        self.books: list[SelectionBook | None] = [market.books.get(selection.source_id) for selection in selections]
        self.winners = min(winners, len(selections))
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        self.factor: float | None = None
        self.any_price = False
        self.moving = [MovingBook(len(selections), self.winners, profile) for profile in profiles]


class _Working:
    """What is kept of a market between two pricings; thrown away when the market's nature or its books change."""

    __slots__ = ("books", "definition", "groups", "offered_open", "size")

    def __init__(self, market: SourceMarket, definition: MarketDefinition, groups: list[list[_Group]]) -> None:
        self.definition = definition
        self.books = market.books
        self.size = len(market.books)
        #: a list of groups for each distinct set of limits
        self.groups = groups
        self.offered_open = False

    def fits(self, market: SourceMarket, definition: MarketDefinition) -> bool:
        return self.definition is definition and self.books is market.books and self.size == len(market.books)


class Pricer:
    """Prices markets for every profile.

    Args:
        profiles: by name, in the order of every published `prices`.
    """

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = dict(profiles)
        #: Profiles that believe the same prices share their probabilities: limits -> places in `prices`.
        self._by_limits: dict[ExchangeLimits, list[int]] = {}
        for place, profile in enumerate(self.profiles.values()):
            self._by_limits.setdefault(profile.exchange, []).append(place)
        self._working: dict[MarketId, _Working] = {}
        self._identities: dict[MarketId, tuple[MarketDefinition, MarketIdentity]] = {}

    def offered(self, market: SourceMarket, definition: MarketDefinition) -> OfferedMarket | PriceChanges:
        """Price a market as its source says it stands.

        Args:
            market: the source's books.
            definition: `market.definition`, which is known by now.

        Returns:
            The whole market, or, where all but prices is as at the last call, only the prices that changed.
        """
        if definition.status != "open":
            return self._closed_or_suspended(definition, "provider")
        if not definition.winners:
            return self.suspended(definition, "not_priceable")
        working = self._working.get(definition.id)
        if working is None or not working.fits(market, definition):
            working = self._working[definition.id] = self._begin(market, definition)
        changed, refusal = self._move(working)
        if refusal is not None:
            # One profile's doubt is about the market, not about the profile: what may be wrong is open to nobody.
            return self.suspended(definition, refusal)
        if working.offered_open:
            return [(key, self._prices(working, key)) for key in changed] if changed else []
        working.offered_open = True
        return OfferedMarket(
            definition.id,
            self._identity(definition),
            MarketState("open", None, definition.in_play),
            {
                str(selection.key): OfferedSelection(selection.name, selection.status, self._prices(working, selection.key))
                for selection in definition.selections
            },
        )

    def suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        """Say that a market is suspended for a reason of ours; a closed one stays closed."""
        return self._closed_or_suspended(definition, reason)

    def explain(self, market: SourceMarket, definition: MarketDefinition) -> dict[str, PricedMarket]:
        """Give every number behind a market's prices, by profile."""
        return {name: _price_plainly(market, definition, profile) for name, profile in self.profiles.items()}

    def forget(self, market: MarketId) -> None:
        """Drop what is remembered of a market that is gone."""
        self._working.pop(market, None)
        self._identities.pop(market, None)

    def _closed_or_suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        self._working.pop(definition.id, None)
        closed = definition.status == "closed"
        state = MarketState("closed" if closed else "suspended", None if closed else reason, definition.in_play)
        no_prices = (None,) * len(self.profiles)
        selections = {
            str(selection.key): OfferedSelection(selection.name, selection.status, no_prices)
            for selection in definition.selections
        }
        return OfferedMarket(definition.id, self._identity(definition), state, selections)

    def _identity(self, definition: MarketDefinition) -> MarketIdentity:
        known = self._identities.get(definition.id)
        if known is not None and known[0] is definition:
            return known[1]
        identity = MarketIdentity(definition.event, definition.type, definition.period, definition.line, definition.winners)
        self._identities[definition.id] = (definition, identity)
        return identity

    def _begin(self, market: SourceMarket, definition: MarketDefinition) -> _Working:
        profiles = list(self.profiles.values())
        groups = [
            [
                _Group(selections, market, definition.winners, [profiles[place] for place in places])
                for selections in priced_together(definition)
            ]
            for places in self._by_limits.values()
        ]
        for book in market.books.values():
            book.moved = True
        return _Working(market, definition, groups)

    def _move(self, working: _Working) -> tuple[dict[str, None], str | None]:
        """Price what moved; give the selections with another price, and why the market can't be open, if it can't."""
        changed: dict[str, None] = {}
        moved_books: list[SelectionBook] = []
        any_price = False
        for limits, groups in zip(self._by_limits, working.groups, strict=True):
            for group in groups:
                probabilities = group.probabilities
                moved: list[int] = []
                for place, book in enumerate(group.books):
                    if book is not None and book.moved:
                        moved_books.append(book)
                        answer = _raw(book, limits)
                        probability = None if answer is None else answer.probability
                        if probability != probabilities[place]:
                            probabilities[place] = probability
                            group.inverses[place] = None if probability is None else 1.0 / probability
                            moved.append(place)
                # Most changes of a book are deep in it and move no probability.
                if moved or group.factor is None:
                    group.factor = coherence(probabilities, group.winners)
                    if group.factor is None:
                        return changed, "incoherent"
                    for moving in group.moving:
                        for place in moving.move(group.inverses, group.factor, moved):
                            changed[group.selections[place].key] = None
                    group.any_price = any(probabilities)
                any_price = any_price or group.any_price
        for book in moved_books:
            book.moved = False
        return changed, None if any_price else "no_price"

    def _prices(self, working: _Working, key: str) -> tuple[int | None, ...]:
        prices: list[int | None] = [None] * len(self.profiles)
        for places, groups in zip(self._by_limits.values(), working.groups, strict=True):
            for group in groups:
                for at, selection in enumerate(group.selections):
                    if selection.key == key:
                        for place, book in zip(places, group.moving, strict=True):
                            prices[place] = book.prices[at]
        return tuple(prices)


def _raw(book: SelectionBook, limits: ExchangeLimits) -> Fair | None:
    back, lay = book.best()
    return fair_from_exchange(back, lay, book.last, limits)


def _price_plainly(market: SourceMarket, definition: MarketDefinition, profile: Profile) -> PricedMarket:
    if not definition.winners:
        return PricedMarket({}, "not_priceable")
    selections: dict[str, PricedSelection] = {}
    for group in priced_together(definition):
        books = [market.books.get(selection.source_id) for selection in group]
        raw = [None if book is None else _raw(book, profile.exchange) for book in books]
        priced = price_book(raw, min(definition.winners, len(group)), profile)
        if priced is None:
            return PricedMarket({}, "incoherent")
        selections.update({selection.key: answer for selection, answer in zip(group, priced, strict=True)})
    any_price = any(selection.raw is not None for selection in selections.values())
    return PricedMarket(selections, None if any_price else "no_price")


def priced_together(definition: MarketDefinition) -> list[list[SelectionDefinition]]:
    """Part the active selections into the sets whose probabilities sum to the number of winners.

    All of them, except in an Asian handicap market with many lines, where the two sides of each line are a set: the
    first side at h and the other at -h.
    """
    active = [selection for selection in definition.selections if selection.status == "active"]
    if definition.type != "asian_handicap" or not any(selection.handicap for selection in definition.selections):
        return [active] if active else []
    first_side = _side(definition.selections[0])
    lines: dict[float, list[SelectionDefinition]] = {}
    for selection in active:
        line = selection.handicap if _side(selection) == first_side else -selection.handicap
        lines.setdefault(line, []).append(selection)
    return list(lines.values())


def _side(selection: SelectionDefinition) -> str:
    return selection.source_id.partition("@")[0]
