"""A market as it is to be published: what pricing returns and the offer takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.ids import MarketId
from oddsengine.domain.taxonomy import SelectionStatus


class OfferedSelection(NamedTuple):
    """A selection as it is to be published; prices in thousandths, one a profile."""

    name: str
    status: SelectionStatus
    prices: tuple[int | None, ...]


class OfferedMarket(msgspec.Struct, frozen=True):
    """A market as it is to be published."""

    id: MarketId
    identity: MarketIdentity
    state: MarketState
    selections: Mapping[str, OfferedSelection]
