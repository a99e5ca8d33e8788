"""From one source's market to the market we publish, for every profile at once, at the cost of what moved."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oddsengine.books.changes import MarketIdentity, MarketState
from oddsengine.books.offer import OfferedMarket, OfferedSelection
from oddsengine.pricing.book import MovingBook, PricedSelection, coherence, price_book
from oddsengine.pricing.fair import ExchangeLimits, fair_from_exchange, fair_from_quotes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.books.source_book import SelectionBook, SourceMarket
    from oddsengine.markets.feed_updates import MarketDefinition, SelectionDefinition
    from oddsengine.markets.ids import MarketId
    from oddsengine.pricing.fair import Fair
    from oddsengine.pricing.profile import Profile

#: New prices of some selections, one a profile each; what is not named is as it was.
PriceChanges: TypeAlias = list[tuple[str, tuple[int | None, ...]]]


class PricedMarket(NamedTuple):
    """One profile's prices of one market by selection key; `refusal` says why there are none."""

    selections: dict[str, PricedSelection]
    refusal: str | None


class _Belief(NamedTuple):
    """What a profile takes for fair of what a source says; profiles that agree share their probabilities."""

    limits: ExchangeLimits
    devig: str


class _Group:
    """A set of selections whose probabilities sum to the number of winners, as profiles of one belief see it."""

    __slots__ = ("any_price", "books", "factor", "inverses", "moving", "probabilities", "quoted", "selections", "winners")

    def __init__(
        self, selections: list[SelectionDefinition], market: SourceMarket, winners: int, profiles: list[Profile]
    ) -> None:
        self.selections = selections
        self.books: list[SelectionBook | None] = [market.books.get(selection.source_id) for selection in selections]
        self.winners = min(winners, len(selections))
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        self.factor: float | None = None
        #: whether a bookmaker prices it
        self.quoted = False
        self.any_price = False
        self.moving = [MovingBook(len(selections), self.winners, profile) for profile in profiles]

    def imply(self, belief: _Belief) -> list[int]:
        """Take over what the books that moved imply; tell whose probability is another now."""
        books = self.books
        places = [place for place, book in enumerate(books) if book is not None and book.moved]
        if not places:
            return places
        self.quoted = self.quoted or any(books[place].quote is not None for place in places)  # type: ignore[union-attr]
        if self.quoted:
            answers = _implied(books, self.winners, belief)
            places = list(range(len(books)))
        else:
            answers = [_from_exchange(books[place], belief.limits) for place in places]
        moved: list[int] = []
        for place, answer in zip(places, answers, strict=True):
            probability = None if answer is None else answer.probability
            if probability != self.probabilities[place]:
                self.probabilities[place] = probability
                self.inverses[place] = None if probability is None else 1.0 / probability
                moved.append(place)
        return moved


class _Working:
    """What is kept of a market between two pricings; thrown away when the market's nature or its books change."""

    __slots__ = ("books", "definition", "groups", "offered_open", "size")

    def __init__(self, market: SourceMarket, definition: MarketDefinition, groups: list[list[_Group]]) -> None:
        self.definition = definition
        self.books = market.books
        self.size = len(market.books)
        #: a list of groups for each distinct belief
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
        #: belief -> places in `prices`
        self._by_belief: dict[_Belief, list[int]] = {}
        for place, profile in enumerate(self.profiles.values()):
            self._by_belief.setdefault(_Belief(profile.exchange, profile.devig), []).append(place)
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
            for places in self._by_belief.values()
        ]
        for book in market.books.values():
            book.moved = True
        return _Working(market, definition, groups)

    def _move(self, working: _Working) -> tuple[dict[str, None], str | None]:
        """Price what moved; give the selections with another price, and why the market can't be open, if it can't."""
        changed: dict[str, None] = {}
        any_price = False
        touched = [book for book in working.books.values() if book.moved]
        for belief, groups in zip(self._by_belief, working.groups, strict=True):
            for group in groups:
                moved = group.imply(belief)
                # Most changes of a book are deep in it and move no probability.
                if moved or group.factor is None:
                    group.factor = coherence(group.probabilities, group.winners)
                    if group.factor is None:
                        return changed, "incoherent"
                    for moving in group.moving:
                        for place in moving.move(group.inverses, group.factor, moved):
                            changed[group.selections[place].key] = None
                    group.any_price = any(group.probabilities)
                any_price = any_price or group.any_price
        for book in touched:
            book.moved = False
        return changed, None if any_price else "no_price"

    def _prices(self, working: _Working, key: str) -> tuple[int | None, ...]:
        prices: list[int | None] = [None] * len(self.profiles)
        for places, groups in zip(self._by_belief.values(), working.groups, strict=True):
            for group in groups:
                for at, selection in enumerate(group.selections):
                    if selection.key == key:
                        for place, book in zip(places, group.moving, strict=True):
                            prices[place] = book.prices[at]
        return tuple(prices)


def _implied(books: list[SelectionBook | None], winners: int, belief: _Belief) -> list[Fair | None]:
    """Give what a source implies of a set of selections: a bookmaker by its prices, an exchange by its order books."""
    if any(book is not None and book.quote is not None for book in books):
        return fair_from_quotes([None if book is None else book.quote for book in books], winners, belief.devig)
    return [_from_exchange(book, belief.limits) for book in books]


def _from_exchange(book: SelectionBook | None, limits: ExchangeLimits) -> Fair | None:
    if book is None:
        return None
    back, lay = book.best()
    return fair_from_exchange(back, lay, book.last, limits)


def _price_plainly(market: SourceMarket, definition: MarketDefinition, profile: Profile) -> PricedMarket:
    if not definition.winners:
        return PricedMarket({}, "not_priceable")
    selections: dict[str, PricedSelection] = {}
    for group in priced_together(definition):
        books = [market.books.get(selection.source_id) for selection in group]
        winners = min(definition.winners, len(group))
        priced = price_book(_implied(books, winners, _Belief(profile.exchange, profile.devig)), winners, profile)
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
