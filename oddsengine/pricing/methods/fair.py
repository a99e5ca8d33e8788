"""A fair probability from what one source says of one selection.

An exchange shows two prices that disagree by its spread; the truth lies between them, nearer the side that fewer are
willing to trade on (the size-weighted midpoint, or microprice: Stoikov, "The micro-price", 2018), taken in probability
space because odds are not symmetric.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.methods.margin import SEVERAL_WINNERS, Method, fair_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import PriceSize

#: What a fair probability rests on; `last_traded` is the second choice and is flagged as such.
Basis = Literal["book", "last_traded", "bookmaker", "consensus"]

_BEST_PRICES: Final = 3


class Fair(NamedTuple):
    """A probability between 0 and 1 and what it rests on."""

    probability: float
    basis: Basis


class ExchangeLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When an exchange's best prices may be believed.

    `max_spread` is the greatest (back probability / lay probability - 1); `min_size` the least size on each side and
    `min_depth` the least on each side within the best three prices, in the provider's currency (0: any); `last_traded`
    whether the last traded price may stand in (off by default: a trade has no age and may be from before a goal);
    `normalise` the method that makes what the books imply of a market's selections sum to its winners (how old they may
    be: `max_age_s` of the profile).
    """

    max_spread: Annotated[float, Meta(ge=0)] = 0.25
    min_size: Annotated[float, Meta(ge=0)] = 2.0
    min_depth: Annotated[float, Meta(ge=0)] = 0.0
    last_traded: bool = False
    normalise: Method = "multiplicative"


def fair_from_exchange(
    back: PriceSize | None, lay: PriceSize | None, last: float | None, limits: ExchangeLimits, *, is_deep: bool = True
) -> Fair | None:
    """Return a selection's fair probability from its best prices, else from its last trade, else None.

    A last trade is used only if the limits allow it and it lies within the best back and lay, as far as these exist,
    whatever their sizes and spread.

    Args:
        back: best (decimal odds, size) that can be backed.
        lay: best (decimal odds, size) that can be laid.
        last: decimal odds of the last trade.
        limits: when to believe them.
        is_deep: whether the book holds the least depth; a shallow book still bounds the last trade.
    """
    if is_deep and back is not None and lay is not None:
        back_price, back_size = back
        lay_price, lay_size = lay
        # A crossed book (lay under back) is stale or half applied on one side: not to be believed.
        if back_price <= lay_price <= back_price * (1.0 + limits.max_spread) and min(back_size, lay_size) >= limits.min_size:
            return Fair((back_size / lay_price + lay_size / back_price) / (back_size + lay_size), "book")
    if last is None or last <= 1.0 or not limits.last_traded:
        return None
    if (back is not None and last < back[0]) or (lay is not None and last > lay[0]):
        return None
    return Fair(1.0 / last, "last_traded")


def is_deep_enough(back: Sequence[PriceSize], lay: Sequence[PriceSize], limits: ExchangeLimits) -> bool:
    """Tell whether the best three prices of each side, best first, hold enough money to be believed."""
    return all(fsum([size for _, size in side[:_BEST_PRICES]]) >= limits.min_depth for side in (back, lay))


def normalised(implied: list[Fair | None], winners: int, method: str) -> list[Fair | None]:
    """Make what exchange books imply of a whole set of selections sum to its winners, by a method other than in proportion.

    A set with a gap, or one for which the method has no answer, is left to be scaled in proportion.
    """
    given = [answer for answer in implied if answer is not None]
    if len(given) < len(implied) or not 1 <= winners < len(given) or max(answer.probability for answer in given) >= 1.0:
        return implied
    if winners > 1 and method not in SEVERAL_WINNERS:
        return implied
    try:
        fair = fair_probabilities([1.0 / answer.probability for answer in given], method, winners)
    except MarginError:
        return implied
    return [Fair(probability, answer.basis) for probability, answer in zip(fair, given, strict=True)]


def fair_from_quotes(
    quotes: Sequence[float | None], winners: int, method: str, source_overround: float = 0.0
) -> list[Fair | None]:
    """Remove a bookmaker's margin from its prices of a set of selections.

    All or nothing, unless its typical margin is known: without every price the margin can't be told from the
    probabilities. A method that has no answer for these numbers leaves none of them to be believed.

    Args:
        quotes: decimal odds of every selection, None where there is none.
        winners: how many of them win.
        method: how to remove the margin; one that does not hold for several winners gives way to multiplicative.
        source_overround: what its inverse odds typically sum to, per winner; 0 where that is not known.
    """
    nothing: list[Fair | None] = [None] * len(quotes)
    given = [quote for quote in quotes if quote is not None]
    if len(given) < len(quotes):
        if not source_overround or fsum([1.0 / quote for quote in given]) > winners * source_overround:
            return nothing
        return [None if quote is None else Fair(1.0 / (quote * source_overround), "bookmaker") for quote in quotes]
    if not 1 <= winners < len(given):
        return nothing
    if winners > 1 and method not in SEVERAL_WINNERS:
        method = "multiplicative"
    try:
        return [Fair(probability, "bookmaker") for probability in fair_probabilities(given, method, winners)]
    except MarginError:
        return nothing
