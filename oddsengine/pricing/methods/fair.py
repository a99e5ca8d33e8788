"""The fair probability of a selection, from an exchange's order book or a bookmaker's quotes.

An exchange shows two prices that differ by its spread. The fair price lies between them, nearer to the side with less money
(the size-weighted midpoint, or microprice: Stoikov, "The micro-price", 2018), taken in probability space because odds are
not symmetric.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.methods.margin import Method, fair_probabilities

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import PriceSize

#: What a fair probability is derived from; `last_traded` is the fallback of `book`.
Basis = Literal["book", "last_traded", "bookmaker", "consensus"]

_DEPTH_LEVELS: Final = 3


class Fair(NamedTuple):
    """A probability between 0 and 1 and what it is derived from."""

    probability: float
    basis: Basis


class ExchangeLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits within which an exchange's best prices are used.

    Args:
        max_spread: largest (back probability / lay probability - 1).
        min_size: smallest size at the best price of each side, in the provider's currency.
        min_depth: smallest total size within the best three prices of each side, same currency; 0 means any.
        last_traded: whether the last traded price may stand in. Off by default: a trade may date from before a goal.
        last_traded_max_age_s: the age up to which it may, from our receipt of it.
        normalise: the method that makes a market's implied probabilities sum to its winners.

    The age of the prices is limited by the profile's `max_age_s`.
    """

    max_spread: Annotated[float, Meta(ge=0)] = 0.25
    min_size: Annotated[float, Meta(ge=0)] = 2.0
    min_depth: Annotated[float, Meta(ge=0)] = 0.0
    last_traded: bool = False
    last_traded_max_age_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0
    normalise: Method = "multiplicative"


def fair_from_exchange(
    back: PriceSize | None, lay: PriceSize | None, last: float | None, limits: ExchangeLimits, *, is_deep: bool = True
) -> Fair | None:
    """Return a selection's fair probability from its best prices, else from its last trade, else None.

    The last trade is used only if the limits allow it and it lies between the best back and lay, as far as these exist,
    whatever their sizes and spread.

    Args:
        back: best (decimal odds, size) available to back.
        lay: best (decimal odds, size) available to lay.
        last: decimal odds of the last trade.
        limits: when to use them.
        is_deep: whether the book holds `min_depth`; a shallow book still bounds the last trade.
    """
    probability = fair_from_offers(back, lay, limits) if is_deep else None
    if probability is not None:
        return Fair(probability, "book")
    if last is None or last <= 1.0 or not limits.last_traded:
        return None
    if (back is not None and last < back[0]) or (lay is not None and last > lay[0]):
        return None
    return Fair(1.0 / last, "last_traded")


def fair_from_offers(back: PriceSize | None, lay: PriceSize | None, limits: ExchangeLimits) -> float | None:
    """Return a selection's fair probability from its best offers alone, None if one is missing or they are outside the limits."""
    if back is None or lay is None:
        return None
    back_price, back_size = back
    lay_price, lay_size = lay
    # A crossed book (lay under back) is stale or only half applied.
    if not 0.0 < back_price <= lay_price <= back_price * (1.0 + limits.max_spread):
        return None
    if back_size < limits.min_size or lay_size < limits.min_size:
        return None
    return (back_size / lay_price + lay_size / back_price) / (back_size + lay_size)


def is_deep_enough(back: Sequence[PriceSize], lay: Sequence[PriceSize], limits: ExchangeLimits) -> bool:
    """Check whether the best three prices of each side, best first, hold `min_depth`."""
    return all(fsum([size for _, size in side[:_DEPTH_LEVELS]]) >= limits.min_depth for side in (back, lay))


def normalised(implied: list[Fair | None], winners: int, method: str) -> list[Fair | None]:
    """Make the probabilities implied by order books sum to the winners, by a method other than multiplicative.

    A set with a gap, or one for which the method has no answer, is returned unchanged.
    """
    known = [fair for fair in implied if fair is not None]
    if len(known) < len(implied) or not 1 <= winners < len(known) or max(fair.probability for fair in known) >= 1.0:
        return implied
    try:
        probabilities = fair_probabilities([1.0 / fair.probability for fair in known], method, winners)
    except MarginError:
        return implied
    return [Fair(probability, fair.basis) for probability, fair in zip(probabilities, known, strict=True)]


def fair_from_quotes(
    quotes: Sequence[float | None], winners: int, method: str, source_overround: float = 0.0
) -> list[Fair | None]:
    """Remove a bookmaker's margin from its prices of a set of selections.

    All or nothing, unless the bookmaker's typical overround is known: with a price missing, margin and probability can't
    be distinguished. If the method has no answer for these numbers, no selection has a fair probability.

    Args:
        quotes: decimal odds of every selection, None where there is none.
        winners: how many of the selections win.
        method: how to remove the margin.
        source_overround: typical sum of the bookmaker's inverse odds, per winner; 0 where it is not known.
    """
    nothing: list[Fair | None] = [None] * len(quotes)
    known = [quote for quote in quotes if quote is not None]
    if len(known) < len(quotes):
        rest = winners * source_overround - fsum([1.0 / quote for quote in known])
        # The missing prices share the rest, each less than certain. Else the known ones are not decimal odds (150 of two sides).
        if not source_overround or not 0.0 <= rest < min(winners, len(quotes) - len(known)):
            return nothing
        return [None if quote is None else Fair(1.0 / (quote * source_overround), "bookmaker") for quote in quotes]
    if not 1 <= winners < len(known):
        return nothing
    try:
        return [Fair(probability, "bookmaker") for probability in fair_probabilities(known, method, winners)]
    except MarginError:
        return nothing
