"""Changes of a market as clients are sent them, as types.

The publisher of a change encodes it with them once for all gateways (`fragments`). The other messages of the client protocol are
in `oddsengine.gateway.protocol.server_messages`. The order of fields is the order on the wire.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.domain.market_types import Group
from oddsengine.domain.results import Outcome
from oddsengine.domain.taxonomy import SUSPENSION_REASONS, MarketStatus, MarketType, SelectionStatus

Price = Annotated[
    float | str | None,
    Meta(description="In the requested format: text for fractional, else a number; null if no bets are taken."),
]
Version = Annotated[int, Meta(ge=0, description="The market's version, incremented with each published change.")]


Factor = Annotated[float, Meta(ge=0, le=1)]
VoidFactor = Annotated[
    Factor | None,
    Meta(description="The share of the stake that is returned; null if not known, or once the result was taken back."),
]
DeadHeatFactor = Annotated[
    Factor | None, Meta(description="The share of the win that is paid; null if not known, or once the result was taken back.")
]
Result = Annotated[Outcome | None, Meta(description="What became of it; null once an earlier result was taken back.")]


#: Text, so that a gateway hands on what a newer engine says.
Reason = Annotated[
    str,
    Meta(
        description="Why it is suspended. There may be more of them one day.", extra_json_schema={"enum": [*SUSPENSION_REASONS]}
    ),
]
Fair = Annotated[
    float,
    Meta(ge=0, le=1, description="The fair probability: over HTTP, where a service asks `include=fair`; never on a stream."),
]
Order = Annotated[int, Meta(description="What to sort by for display.")]


MainLine = Annotated[
    bool, Meta(description="Whether it is the line of its type, period and unit that is priced nearest to even.")
]
Limit = Annotated[float | None, Meta(description="The greatest stake; null once it is not limited any more.")]
BetDelay = Annotated[float | None, Meta(description="For how many seconds to delay a bet; null once none is known.")]


class SelectionChanged(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The changed fields of a selection; the price is always present."""

    price: Price
    name: str | UnsetType = UNSET
    status: SelectionStatus | UnsetType = UNSET
    result: Result | UnsetType = UNSET
    void_factor: VoidFactor | UnsetType = UNSET
    dead_heat_factor: DeadHeatFactor | UnsetType = UNSET
    order: Order | UnsetType = UNSET
    fair: Fair | UnsetType = UNSET


class MarketChanged(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The changed fields of a market, the whole market if `event` is present, or its removal."""

    id: str
    v: Version | UnsetType = UNSET
    event: str | UnsetType = UNSET
    type: MarketType | UnsetType = UNSET
    name: str | UnsetType = UNSET
    period: str | UnsetType | None = UNSET
    line: float | UnsetType | None = UNSET
    unit: str | UnsetType | None = UNSET
    winners: int | UnsetType = UNSET
    status: MarketStatus | UnsetType = UNSET
    reason: Reason | UnsetType | None = UNSET
    in_play: bool | UnsetType = UNSET
    selections: dict[str, SelectionChanged] | UnsetType = UNSET
    group: Group | UnsetType = UNSET
    order: Order | UnsetType = UNSET
    main_line: MainLine | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET
    bet_delay_s: BetDelay | UnsetType = UNSET
    removed: Literal[True] | UnsetType = UNSET
