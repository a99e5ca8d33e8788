"""What a source's offers allow: an interval for the probability of each selection, in plain arithmetic.

Whoever offers to lay at 2.02 pays 2.02 for a win, so a probability under 1/2.02 gives money away; whoever can be backed at 2.00
makes one over 1/2.00 too short. The probabilities of what can win sum to the number of winners, so the others' offers bound each
selection too. A bookmaker's quotes hold its margin: with a sum over the winners each probability is at most the inverse of its
quote, and at least what the others' inverses leave; with a sum under them the other way round.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.oracles.rules import Settings
    from tests.oracles.statements import Book, Market, Selection

#: How far what all can be laid at may sum over the winners: less than any exchange's commission, so nobody takes it away.
LAY_EXCESS = 0.01
ERROR = 1e-9
#: of a line in a market of several lines
SIDES = 2
#: The outcomes that a market of a type can't do without.
OUTCOMES = {
    "match_odds": {"home", "draw", "away"},
    "moneyline": {"home", "away"},
    "total": {"over", "under"},
    "both_to_score": {"yes", "no"},
}


class Interval(NamedTuple):
    """The probabilities that a selection may have: by its own offers, and by those of the others too."""

    own_low: float
    low: float
    high: float


class Refused(Exception):
    """The market may not be open with what its source says. The message says why."""


def intervals(market: Market, settings: Settings, *, by_line: bool = False) -> dict[str, Interval]:
    """Return the interval of each selection that can win; without those of a line that the source says too little of.

    Args:
        market: the market.
        settings: of the profile.
        by_line: whether a line that contradicts itself is left out, instead of refusing the market.

    Raises:
        Refused: if the market may not be open.
    """
    check_definition(market)
    found: dict[str, Interval] = {}
    for line in market.lines().values():
        if line[0].line and len(line) < SIDES:
            # The other side is decided or gone, and nothing sums to one.
            continue
        winners = 1 if line[0].line else market.open_winners
        try:
            found |= (_quoted if market.is_quoted else _offered)(market, line, winners, settings)
        except Refused:
            if not by_line:
                raise
    return found


def check_definition(market: Market) -> None:
    """Check that what a market must have is there, and that it is not decided."""
    if market.open_winners < 1 and not any(each.line for each in market.selections.values()):
        raise Refused(f"decided: {market.winners - market.open_winners} have won")
    here = {each.key for each in market.selections.values() if each.status not in {"removed", "void"}}
    missing = OUTCOMES.get(market.type, set()) - here
    if missing:
        raise Refused(f"incomplete: without {', '.join(sorted(missing))}")


def _book(market: Market, selection: Selection) -> Book | None:
    """Return what is said of a selection; of a suspended one nothing counts, though it may win."""
    return market.books.get(selection.key) if selection.status == "active" else None


def _offered(market: Market, line: list[Selection], winners: int, settings: Settings) -> dict[str, Interval]:
    lows, highs = [], []
    for selection in line:
        book = _book(market, selection)
        back = None if book is None else book.best_back(settings.min_size)
        lay = None if book is None else book.best_lay(settings.min_size)
        lows.append(0.0 if lay is None else 1.0 / lay[0])
        highs.append(1.0 if back is None else 1.0 / back[0])
        if lows[-1] > highs[-1] + ERROR:
            raise Refused(f"incoherent: {selection.key} can be backed at {back} and laid at {lay}")
    if sum(highs) < winners - ERROR:
        raise Refused(f"incoherent: all can be backed at a sum of {sum(highs)}")
    if sum(lows) > winners * (1.0 + LAY_EXCESS) + ERROR:
        raise Refused(f"incoherent: all can be laid at a sum of {sum(lows)}")
    found = {}
    for selection, low, high in zip(line, lows, highs, strict=True):
        least, most = winners - (sum(highs) - high), winners - (sum(lows) - low)
        # Where the lays sum to a little more than the winners, each selection's own is what it may have.
        found[selection.key] = Interval(low, max(low, least), max(low, min(high, most)))
    return found


def _quoted(market: Market, line: list[Selection], winners: int, settings: Settings) -> dict[str, Interval]:
    if market.at_removal is not None:
        raise Refused("incoherent: no quote has moved since the removal of a selection")
    books = [_book(market, selection) for selection in line]
    inverses = [None if book is None or book.quote is None else 1.0 / book.quote for book in books]
    known = [each for each in inverses if each is not None]
    if len(known) < len(inverses):
        if not known or not settings.source_overround:
            # The quotes of the others hold an unknown part of the margin.
            return {}
        return {
            selection.key: Interval(0.0, 0.0, 1.0 if inverse is None else min(1.0, inverse))
            for selection, inverse in zip(line, inverses, strict=True)
        }
    check_sum(sum(known) / winners, len(known), settings)
    total = sum(known)
    return {
        selection.key: Interval(0.0, min(each, winners - (total - each)), max(each, winners - (total - each)))
        for selection, each in zip(line, known, strict=True)
    }


def check_sum(per_winner: float, outcomes: int, settings: Settings) -> None:
    """Check a bookmaker's sum of inverse odds per winner."""
    least, most = settings.min_source_overround, settings.max_source_overround
    if settings.source_overround:
        least, most = max(least, settings.source_overround - 0.1), min(most, settings.source_overround + 0.1)
    most += min(0.05 * max(outcomes - 3, 0), 0.75)
    if not least - ERROR <= per_winner <= most + ERROR:
        raise Refused(f"incoherent: the quotes sum to {per_winner} a winner, not {least} to {most}")


def is_trusted(book: Book, settings: Settings) -> bool:
    """Check whether a book by itself says what its selection is worth."""
    back, lay = book.best_back(), book.best_lay()
    if back is None or lay is None:
        return False
    return (
        back[0] <= lay[0] <= back[0] * (1.0 + settings.max_spread) + ERROR
        and min(back[1], lay[1]) >= settings.min_size
        and book.depth() >= settings.min_depth
    )
