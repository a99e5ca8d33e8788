"""Markets ready to be published: the output of pricing and the input of the offer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.ids import MarketId
from oddsengine.domain.results import SelectionResult
from oddsengine.domain.taxonomy import SelectionStatus


class OfferedSelection(NamedTuple):
    """A selection to be published; `prices` in thousandths, one per profile; `result` is None while there is none.

    `order` is its position for display, None if it is not known.
    """

    name: str
    status: SelectionStatus
    prices: tuple[int | None, ...]
    result: SelectionResult | None = None
    order: int | None = None


class OfferedMarket(msgspec.Struct, frozen=True):
    """A market to be published."""

    id: MarketId
    identity: MarketIdentity
    state: MarketState
    selections: Mapping[str, OfferedSelection]
