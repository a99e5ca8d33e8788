"""A fair probability from what one source says of one selection.

An exchange shows two prices that disagree by its spread; the truth lies between them, nearer the side that fewer are
willing to trade on (the size-weighted midpoint, or microprice: Stoikov, "The micro-price", 2018), taken in probability
space because odds are not symmetric.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

if TYPE_CHECKING:
    from oddsengine.markets.feed_updates import PriceSize

#: What a fair probability rests on; `last_traded` is the second choice and is flagged as such.
Basis = Literal["book", "last_traded"]


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
