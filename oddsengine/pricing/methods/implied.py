"""What a source's books imply of the selections of a market, as far as a profile believes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.feed_updates import SelectionDefinition
from oddsengine.pricing.methods.fair import ExchangeLimits, Fair, fair_from_exchange, fair_from_quotes, is_deep_enough, normalised
from oddsengine.sourcing.source_book import SelectionBook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.profiles.profile import Profile

#: The market types whose lines form a ladder, and the selection that gets likelier as the line rises.
RISING_SIDE = {"total": "under", "handicap": "home", "asian_handicap": "home"}


class ConsensusBook(SelectionBook):
    """A selection that several sources price together: its fair probability in place of an order book."""

    __slots__ = ("fair",)

    def __init__(self) -> None:
        super().__init__()
        self.fair: float | None = None

    def set_fair(self, probability: float) -> None:
        """Set the fair probability; `version` changes only if it does."""
        if probability != self.fair:
            self.fair = probability
            self.version += 1


class FairPriceInputs(NamedTuple):
    """What a profile takes for fair of what a source says; profiles that agree share their probabilities."""

    limits: ExchangeLimits
    devig: str
    source_overround: float

    @classmethod
    def of(cls, profile: Profile) -> FairPriceInputs:
        """Tell what a profile believes."""
        return cls(profile.exchange, profile.devig, profile.source_overround)


class OutcomeGroup(NamedTuple):
    """Selections whose probabilities sum to the number of winners.

    `line` is the line they stand on and `rising` the place of the one that gets likelier as it rises, None where the
    market is none of a ladder of lines.
    """

    selections: list[SelectionDefinition]
    line: float | None
    rising: int | None


def implied(books: Sequence[SelectionBook | None], winners: int, belief: FairPriceInputs) -> list[Fair | None]:
    """Give what a source implies of a set of selections: a bookmaker by its prices, an exchange by its order books."""
    if any(type(book) is ConsensusBook for book in books):
        return [Fair(book.fair, "consensus") if type(book) is ConsensusBook and book.fair is not None else None for book in books]
    if any(book is not None and book.quote is not None for book in books):
        quotes = [None if book is None else book.quote for book in books]
        return fair_from_quotes(quotes, winners, belief.devig, belief.source_overround)
    answers = [implied_by_exchange(book, belief.limits) for book in books]
    if belief.limits.normalise != "multiplicative":
        return normalised(answers, winners, belief.limits.normalise)
    return answers


def implied_by_exchange(book: SelectionBook | None, limits: ExchangeLimits) -> Fair | None:
    """Give what an exchange implies of one selection."""
    if book is None:
        return None
    back, lay = book.best()
    is_deep = not limits.min_depth or is_deep_enough(book.back_rows(), book.lay_rows(), limits)
    return fair_from_exchange(back, lay, book.last, limits, is_deep=is_deep)


def priced_together(definition: MarketDefinition) -> list[OutcomeGroup]:
    """Part the active selections into the sets whose probabilities sum to the number of winners.

    All of them, except in an Asian handicap market with many lines, where the two sides of each line are a set: the
    first side at h and the other at -h.
    """
    active = [selection for selection in definition.selections if selection.status == "active"]
    if definition.type == "asian_handicap" and any(selection.handicap for selection in definition.selections):
        return _by_handicap(definition, active)
    if not active:
        return []
    side = RISING_SIDE.get(definition.type)
    if definition.line is None or side is None or definition.winners != 1:
        return [OutcomeGroup(active, None, None)]
    rising = next((place for place, selection in enumerate(active) if selection.key == side), None)
    return [OutcomeGroup(active, definition.line, rising)]


def _by_handicap(definition: MarketDefinition, active: list[SelectionDefinition]) -> list[OutcomeGroup]:
    first_side = _side(definition.selections[0])
    lines: dict[float, list[SelectionDefinition]] = {}
    for selection in active:
        line = selection.handicap if _side(selection) == first_side else -selection.handicap
        lines.setdefault(line, []).append(selection)
    return [
        OutcomeGroup(
            selections,
            line,
            next((place for place, selection in enumerate(selections) if _side(selection) == first_side), None),
        )
        for line, selections in lines.items()
    ]


def _side(selection: SelectionDefinition) -> str:
    return selection.source_id.partition("@")[0]
