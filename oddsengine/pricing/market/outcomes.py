"""The sets of selections of a market that sum to their winners, and the outcomes that such a market must have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.feed_updates import SelectionDefinition
from oddsengine.domain.market_types import MARKET_TYPES

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.taxonomy import MarketType, SelectionStatus
    from oddsengine.sourcing.selection_book import SelectionBook
    from oddsengine.sourcing.source_book import SourceMarket

#: The market types whose lines form a ladder, and the selection that gets likelier as the line rises.
RISING_SIDE = {"total": "under", "home_total": "under", "away_total": "under", "handicap": "home", "asian_handicap": "home"}
#: The outcomes that a market of a type must have, by the keys of its selections. Without one of them, the others do not sum to a
#: winner: a match result that lacks its draw is not the market on the winner without a draw.
_REQUIRED: Final = {kind: frozenset(info.roles.split()) for kind, info in MARKET_TYPES.items() if info.roles and info.winners}
#: The types of which some have further outcomes: a handicap of two sides has no draw.
_OPTIONAL: Final[dict[MarketType, frozenset[str]]] = {
    "handicap": frozenset({"draw"}),
    "half_with_most": frozenset({"tie"}),
    "first_to_score": frozenset({"none"}),
    "last_to_score": frozenset({"none"}),
    "next_to_score": frozenset({"none"}),
    "race_to": frozenset({"none"}),
}
#: The statuses with which a selection takes part: what is suspended may still win, though it has no price.
_CAN_WIN: Final[frozenset[SelectionStatus]] = frozenset({"active", "suspended"})
_TAKEN_OUT: Final[frozenset[SelectionStatus]] = frozenset({"removed", "void"})


_TWO_SIDES: Final = 2


class OutcomeGroup(NamedTuple):
    """Selections whose probabilities sum to the number of winners, `winners`.

    `line` is the line they are on, `rising` the index of the selection that gets likelier as it rises; both None where the
    market is not on a ladder of lines. `is_one_of_many` is true on a market of several lines, and on a line of an Asian handicap:
    an exchange has all of those in one market, though each is a market here.
    """

    selections: list[SelectionDefinition]
    winners: int
    line: float | None = None
    rising: int | None = None
    is_one_of_many: bool = False

    def books(self, market: SourceMarket) -> list[SelectionBook | None]:
        """Return the source's book of each selection; None where it has none, or has suspended the selection."""
        books = market.books
        return [books.get(each.source_id) if each.status == "active" else None for each in self.selections]


def has_winners(definition: MarketDefinition) -> bool:
    """Check whether the number of winners is known. Where each line is a set, one selection of each wins."""
    return definition.winners > 0 or _has_lines(definition)


def refusal_of(definition: MarketDefinition) -> str | None:
    """Return why a market may not be open by its definition alone, None if it may.

    `decided` if as many selections have won as can, `incomplete` if an outcome is missing that markets of its type have.
    """
    if _has_lines(definition):
        return None
    if _open_winners(definition) < 1:
        return "decided"
    required = _REQUIRED.get(definition.type)
    if required is not None:
        required -= _OPTIONAL.get(definition.type, frozenset())
        here = {str(selection.key) for selection in definition.selections if selection.status not in _TAKEN_OUT}
        # Where the selections carry a provider's own ids, only their number is compared.
        if not required <= here and (len(here) < len(required) or not here.isdisjoint(required)):
            return "incomplete"
    return None


def outcome_groups(definition: MarketDefinition) -> list[OutcomeGroup]:
    """Split the selections that can still win into sets whose probabilities sum to the number of winners.

    One set of all of them, except in a market of several lines. There the sides of each line are a set.
    """
    active = [selection for selection in definition.selections if selection.status in _CAN_WIN]
    if _has_lines(definition):
        return _groups_by_handicap(definition, active)
    if not active:
        return []
    winners = min(_open_winners(definition), len(active))
    side = RISING_SIDE.get(definition.type)
    if definition.line is None or side is None or definition.winners != 1:
        return [OutcomeGroup(active, winners)]
    rising = next((index for index, selection in enumerate(active) if selection.key == side), None)
    return [OutcomeGroup(active, winners, definition.line, rising, definition.type == "asian_handicap")]


def _open_winners(definition: MarketDefinition) -> int:
    """Return how many of the selections that are not decided can still win."""
    won = sum(
        selection.status == "winner" or (selection.status == "placed" and definition.type == "place")
        for selection in definition.selections
    )
    return definition.winners - won


def _has_lines(definition: MarketDefinition) -> bool:
    """Check whether selections are on lines of their own. A three-way handicap of one line is one set."""
    selections = definition.selections
    if not any(selection.handicap for selection in selections):
        return False
    sides = len({selection.side for selection in selections})
    return sides <= _TWO_SIDES or len(selections) > sides


def _groups_by_handicap(definition: MarketDefinition, active: list[SelectionDefinition]) -> list[OutcomeGroup]:
    """Group the sides of each line: in a handicap the first side is at h and the last one at -h, in a total both are at h."""
    first_side, last_side = definition.selections[0].side, ""
    at: dict[str, set[float]] = {}
    for selection in definition.selections:
        at.setdefault(selection.side, set()).add(selection.handicap)
    *_, last_side = at
    mirrored = {-handicap for handicap in at[last_side]}
    if definition.type == "total" or len(at[first_side] & mirrored) < len(at[first_side] & at[last_side]):
        last_side = ""
    lines: dict[float, list[SelectionDefinition]] = {}
    for selection in active:
        is_mirrored = selection.side == last_side != first_side
        lines.setdefault(-selection.handicap if is_mirrored else selection.handicap, []).append(selection)
    # A line that lacks a side can't be priced.
    return [
        OutcomeGroup(selections, 1, line, _rising(definition, selections), len(lines) > 1)
        for line, selections in lines.items()
        if len(selections) == len(at)
    ]


def _rising(definition: MarketDefinition, selections: list[SelectionDefinition]) -> int | None:
    side = RISING_SIDE.get(definition.type)
    if side is None or len(selections) != _TWO_SIDES:
        return None
    keys = [str(selection.key).partition("@")[0] for selection in selections]
    if side in keys:
        return keys.index(side)
    # A handicap's first side is at home.
    first_side = definition.selections[0].side
    return None if side != "home" else next((at for at, each in enumerate(selections) if each.side == first_side), None)
