"""Markets ready to be published: the output of pricing and the input of the offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.ids import MarketId
from oddsengine.domain.results import SelectionResult
from oddsengine.domain.taxonomy import SelectionStatus

#: A selection, its new prices in thousandths, one a profile, and its fair probability in millionths.
PriceChange: TypeAlias = tuple[str, tuple[int | None, ...], int | None]
#: By how much a fair probability, in millionths, must move to be published without a price that moves.
MIN_FAIR_MOVE: Final = 5_000


def has_moved(published: int | None, fair: int | None) -> bool:
    """Check whether a fair probability is to be published although nothing else of its selection has changed."""
    if published is None or fair is None:
        return published != fair
    return not -MIN_FAIR_MOVE < fair - published < MIN_FAIR_MOVE


class OfferedSelection(NamedTuple):
    """A selection to be published; `prices` in thousandths, one per profile; `result` is None while there is none.

    `order` is its position for display, None if it is not known; `fair` its fair probability in millionths, None if it has none.
    """

    name: str
    status: SelectionStatus
    prices: tuple[int | None, ...]
    result: SelectionResult | None = None
    order: int | None = None
    fair: int | None = None


class OfferedMarket(msgspec.Struct, frozen=True):
    """A market to be published."""

    id: MarketId
    identity: MarketIdentity
    state: MarketState
    selections: Mapping[str, OfferedSelection]
