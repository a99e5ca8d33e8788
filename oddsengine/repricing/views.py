"""The subjects of a comparison: a market as one profile sees it, and what is observed of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from oddsengine.domain.changes import MarketRecord
from oddsengine.domain.ids import MarketId

#: The reason of a market that a person has suspended in one profile.
_COMMANDED: Final = "trader"
#: The reason of a market that does not say why it is suspended.
_UNSTATED: Final = "unstated"


class Observation(NamedTuple):
    """A market from a time on, Unix milliseconds; without a `record` it is not on offer. `profiles` are those of its prices."""

    at_ms: int
    market: MarketId
    record: MarketRecord | None
    profiles: tuple[str, ...]


class MarketView(NamedTuple):
    """A market on offer as a profile sees it.

    Attributes:
        reason: why it is suspended; None while it is open.
        prices: the odds in thousandths of each selection to bet on, by key; none while it is suspended.
        book_sum: the sum of inverse odds per winner; None unless every selection that can win has a price.
    """

    reason: str | None
    prices: tuple[tuple[str, int], ...]
    book_sum: float | None


def view_of(record: MarketRecord, place: int) -> MarketView | None:
    """Return a market as a profile sees it, None if it takes no more bets.

    Args:
        record: the market.
        place: the place of the profile in all prices.
    """
    state = record.state
    if state.status == "closed":
        return None
    if state.status != "open":
        return MarketView(state.reason or _UNSTATED, (), None)
    if state.terms and state.terms[place].suspended:
        return MarketView(_COMMANDED, (), None)
    prices: list[tuple[str, int]] = []
    inverse, is_complete = 0.0, True
    # In the order of the keys: sources may say the same selections in different orders.
    for key, selection in sorted(record.selections.items()):
        price = selection.prices[place]
        if selection.status == "active" and price is not None:
            prices.append((key, price))
            inverse += 1000 / price
        elif selection.status in {"active", "suspended"}:
            is_complete = False
    book_sum = inverse / record.identity.winners if prices and is_complete and record.identity.winners > 0 else None
    return MarketView(None, tuple(prices), book_sum)
