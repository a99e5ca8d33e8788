"""The probabilities that a source's books imply for the selections of a market."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.feed_updates import SelectionDefinition
from oddsengine.pricing.methods.fair import ExchangeLimits, Fair, fair_from_exchange, fair_from_quotes, is_deep_enough, normalised
from oddsengine.sourcing.source_book import SelectionBook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import MarketDefinition

#: The market types whose lines form a ladder, and the selection that gets likelier as the line rises.
RISING_SIDE = {"total": "under", "handicap": "home", "asian_handicap": "home"}


class ConsensusBook(SelectionBook):
    """A selection priced by several sources together: holds a fair probability instead of an order book."""

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
    """A profile's settings for fair probabilities. Profiles with equal ones share the probabilities."""

    limits: ExchangeLimits
    devig: str
    source_overround: float


class OutcomeGroup(NamedTuple):
    """Selections whose probabilities sum to the number of winners.

    `line` is the line they are on, `rising` the index of the selection that gets likelier as it rises; both None where the
    market is not on a ladder of lines.
    """

    selections: list[SelectionDefinition]
    line: float | None
    rising: int | None


def implied(books: Sequence[SelectionBook | None], winners: int, inputs: FairPriceInputs) -> list[Fair | None]:
    """Return the probability of each selection of a set: consensus first, then bookmaker quotes, then order books."""
    if any(type(book) is ConsensusBook for book in books):
        return [Fair(book.fair, "consensus") if type(book) is ConsensusBook and book.fair is not None else None for book in books]
    if any(book is not None and book.quote is not None for book in books):
        quotes = [None if book is None else book.quote for book in books]
        return fair_from_quotes(quotes, winners, inputs.devig, inputs.source_overround)
    probabilities = [implied_by_exchange(book, inputs.limits) for book in books]
    if inputs.limits.normalise != "multiplicative":
        return normalised(probabilities, winners, inputs.limits.normalise)
    return probabilities


def implied_by_exchange(book: SelectionBook | None, limits: ExchangeLimits) -> Fair | None:
    """Return the probability implied by one selection's order book, None where it is missing or outside the limits."""
    if book is None:
        return None
    back, lay = book.best()
    is_deep = not limits.min_depth or is_deep_enough(book.back_rows(), book.lay_rows(), limits)
    return fair_from_exchange(back, lay, book.last, limits, is_deep=is_deep)


def outcome_groups(definition: MarketDefinition) -> list[OutcomeGroup]:
    """Split the active selections into sets whose probabilities sum to the number of winners.

    One set of all of them, except in an Asian handicap market with several lines. There the two sides of each line are a
    set: the first side at h and the other at -h.
    """
    active = [selection for selection in definition.selections if selection.status == "active"]
    if definition.type == "asian_handicap" and any(selection.handicap for selection in definition.selections):
        return _groups_by_handicap(definition, active)
    if not active:
        return []
    side = RISING_SIDE.get(definition.type)
    if definition.line is None or side is None or definition.winners != 1:
        return [OutcomeGroup(active, None, None)]
    rising = next((index for index, selection in enumerate(active) if selection.key == side), None)
    return [OutcomeGroup(active, definition.line, rising)]


def _groups_by_handicap(definition: MarketDefinition, active: list[SelectionDefinition]) -> list[OutcomeGroup]:
    first_side = _side(definition.selections[0])
    lines: dict[float, list[SelectionDefinition]] = {}
    for selection in active:
        line = selection.handicap if _side(selection) == first_side else -selection.handicap
        lines.setdefault(line, []).append(selection)
    return [
        OutcomeGroup(
            selections,
            line,
            next((index for index, selection in enumerate(selections) if _side(selection) == first_side), None),
        )
        for line, selections in lines.items()
    ]


def _side(selection: SelectionDefinition) -> str:
    return selection.source_id.partition("@")[0]
