"""One market as it is priced: its probabilities for every belief, its prices for every profile, kept as books move.

A belief is what profiles take for fair of what a source says; profiles that agree share their probabilities.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.book import MovingBook, PricedSelection, coherence, price_book
from oddsengine.pricing.fair import ExchangeLimits, fair_from_exchange, fair_from_quotes

if TYPE_CHECKING:
    from oddsengine.books.source_book import SelectionBook, SourceMarket
    from oddsengine.markets.feed_updates import MarketDefinition, SelectionDefinition
    from oddsengine.pricing.fair import Fair
    from oddsengine.pricing.profile import Profile, Resolved


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
        self.moving = [MovingBook([selection.key for selection in selections], self.winners, profile) for profile in profiles]

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


class MarketBook:
    """What is kept of a market between two pricings; begun anew when the market's nature, its rules or its books change.

    Args:
        market: the source's books.
        definition: what the source says the market is.
        resolved: what holds for it, one entry a profile.
    """

    __slots__ = (
        "books",
        "definition",
        "groups",
        "market",
        "max_age_ms",
        "offered_open",
        "resolved",
        "seen",
        "size",
        "spike_limit",
    )

    def __init__(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]) -> None:
        self.definition = definition
        self.market = market
        self.resolved = resolved
        #: how long its source may say nothing of it; infinity where no profile minds
        self.max_age_ms = min((each.settings.max_age_s for each in resolved if each.settings.max_age_s), default=inf) * 1000
        self.books = market.books
        self.size = len(market.books)
        #: for each distinct belief the places of its profiles in `prices`, and the groups as it sees them
        self.groups = _groups(market, definition, resolved)
        self.offered_open = False

        limits = [each.settings.spike_limit for each in resolved if each.settings.spike_limit]
        self.spike_limit = min(limits, default=0.0)
        #: the fair probabilities at the last pricing, kept only where spikes are looked for
        self.seen: dict[str, float] | None = None

    def fair(self) -> dict[str, float]:
        """Give every fair probability there is, as the first profile sees it."""
        return {
            selection.key: probability * (group.factor or 1.0)
            for group in self.groups[0][2]
            for selection, probability in zip(group.selections, group.probabilities, strict=True)
            if probability is not None
        }

    def fits(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]) -> bool:
        """Tell whether it can go on: the market is what it was, by the same rules, with the same books."""
        return (
            self.definition is definition
            and self.resolved is resolved
            and self.books is market.books
            and self.size == len(market.books)
        )

    def is_old(self, now_ms: int) -> bool:
        """Tell whether the source has said nothing of the market for too long."""
        return now_ms - self.market.heard_ms > self.max_age_ms

    def move(self) -> tuple[dict[str, None], str | None]:
        """Price what moved; give the selections with another price, and why the market can't be open, if it can't."""
        changed: dict[str, None] = {}
        any_price = False
        touched = [book for book in self.books.values() if book.moved]
        for belief, _, groups in self.groups:
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

    def prices(self, key: str) -> tuple[int | None, ...]:
        """Give a selection's prices, one a profile."""
        prices: list[int | None] = [None] * len(self.resolved)
        for _, places, groups in self.groups:
            for group in groups:
                for at, selection in enumerate(group.selections):
                    if selection.key == key:
                        for place, book in zip(places, group.moving, strict=True):
                            prices[place] = book.prices[at]
        return tuple(prices)


def _groups(
    market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]
) -> list[tuple[_Belief, list[int], list[_Group]]]:
    """Begin the groups of every belief, with every book still to be looked at."""
    places_by_belief: dict[_Belief, list[int]] = {}
    for place, (settings, _) in enumerate(resolved):
        places_by_belief.setdefault(_Belief(settings.exchange, settings.devig), []).append(place)
    together = priced_together(definition)
    groups = [
        (
            belief,
            places,
            [
                _Group(selections, market, definition.winners, [resolved[place].settings for place in places])
                for selections in together
            ],
        )
        for belief, places in places_by_belief.items()
    ]
    for book in market.books.values():
        book.moved = True
    return groups


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


def price_plainly(market: SourceMarket, definition: MarketDefinition, profile: Profile) -> PricedMarket:
    """Price a market from nothing, with every number on the way: the plain statement of what `MarketBook` keeps."""
    if not definition.winners:
        return PricedMarket({}, "not_priceable")
    selections: dict[str, PricedSelection] = {}
    for group in priced_together(definition):
        books = [market.books.get(selection.source_id) for selection in group]
        winners = min(definition.winners, len(group))
        keys = [selection.key for selection in group]
        priced = price_book(keys, _implied(books, winners, _Belief(profile.exchange, profile.devig)), winners, profile)
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
