"""A fair probability from what one source says of one selection.

An exchange shows two prices that disagree by its spread; the truth lies between them, nearer the side that fewer are
willing to trade on (the size-weighted midpoint, or microprice: Stoikov, "The micro-price", 2018), taken in probability
space because odds are not symmetric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.margin import SEVERAL_WINNERS, fair_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.markets.feed_updates import PriceSize

#: What a fair probability rests on; `last_traded` is the second choice and is flagged as such.
Basis = Literal["book", "last_traded", "bookmaker"]


class Fair(NamedTuple):
    """A probability between 0 and 1 and what it rests on."""

    probability: float
    basis: Basis


class ExchangeLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an exchange's best prices may be believed.

    `max_spread` is the greatest (back probability / lay probability - 1); `min_size` the least size on each side, in
    the provider's currency; `last_traded` whether the last traded price may stand in.
    """

    max_spread: float = 0.25
    min_size: float = 2.0
    last_traded: bool = True


def fair_from_exchange(back: PriceSize | None, lay: PriceSize | None, last: float | None, limits: ExchangeLimits) -> Fair | None:
    """Find a selection's fair probability from its best prices, else from its last trade, else None.

    Args:
        back: best (decimal odds, size) that can be backed.
        lay: best (decimal odds, size) that can be laid.
        last: decimal odds of the last trade.
        limits: when to believe them.
    """
    if back is not None and lay is not None:
        back_price, back_size = back
        lay_price, lay_size = lay
        # A crossed book (lay under back) is stale or half applied on one side: not to be believed.
        if back_price <= lay_price <= back_price * (1.0 + limits.max_spread) and min(back_size, lay_size) >= limits.min_size:
            return Fair((back_size / lay_price + lay_size / back_price) / (back_size + lay_size), "book")
    if last is not None and last > 1.0 and limits.last_traded:
        return Fair(1.0 / last, "last_traded")
    return None


def fair_from_quotes(quotes: Sequence[float | None], winners: int, method: str) -> list[Fair | None]:
    """Remove a bookmaker's margin from its prices of a whole set of selections.

    All or nothing: without every price the margin can't be told from the probabilities, and a method that has no answer
    for these numbers leaves none of them to be believed.

    Args:
        quotes: decimal odds of every selection, None where there is none.
        winners: how many of them win.
        method: how to remove the margin; one that does not hold for several winners gives way to multiplicative.
    """
    nothing: list[Fair | None] = [None] * len(quotes)
    given = [quote for quote in quotes if quote is not None]
    if len(given) < len(quotes) or not 1 <= winners < len(given):
        return nothing
    if winners > 1 and method not in SEVERAL_WINNERS:
        method = "multiplicative"
    try:
        return [Fair(probability, "bookmaker") for probability in fair_probabilities(given, method, winners)]
    except MarginError:
        return nothing
