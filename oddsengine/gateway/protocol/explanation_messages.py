"""An explanation of a market's prices as types: what `oddsengine.engine.explain` makes, for the documents."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.commands.command import Action, Values
from oddsengine.domain.feed_updates import SourceHealth
from oddsengine.domain.taxonomy import MarketStatus, SelectionStatus
from oddsengine.gateway.protocol.command_messages import Time
from oddsengine.gateway.protocol.server_messages import UnixMs
from oddsengine.offer.entries.wire_types import Reason, Version

#: What pricing calls them. A test compares; clients import this module without it.
Basis = Literal["book", "last_traded", "bookmaker", "consensus"]
Method = Literal["multiplicative", "additive", "power", "odds_ratio", "shin", "goto"]
Rounding = Literal["down", "balanced", "balanced_over_fair"]

DecimalOdds = Annotated[float, Meta(gt=1.0)]
Probability = Annotated[float, Meta(ge=0.0, le=1.0)]
PriceAndSize = tuple[float, float]


class ImpliedStep(msgspec.Struct, tag_field="step", tag="implied", forbid_unknown_fields=True):
    """The probability that the source's book or price implies."""

    basis: Basis
    probability: float


class CoherentStep(msgspec.Struct, tag_field="step", tag="coherent", forbid_unknown_fields=True):
    """The fair probability: all outcomes together, and all lines of an event, contradict each other no more."""

    probability: float


class TiltStep(msgspec.Struct, tag_field="step", tag="tilt", forbid_unknown_fields=True):
    """The changes by the rules: the exponent, and the share by selection."""

    skew: float
    shift: dict[str, float]


class MarginStep(msgspec.Struct, tag_field="step", tag="margin", forbid_unknown_fields=True):
    """The odds with the margin."""

    method: Method
    book_sum: float
    odds: float | None


class LadderStep(msgspec.Struct, tag_field="step", tag="ladder", forbid_unknown_fields=True):
    """The odds on the ladder; null if there is no step for them."""

    ladder: str
    rounding: Rounding
    odds: float | None


class HeldStep(msgspec.Struct, tag_field="step", tag="held", forbid_unknown_fields=True):
    """The price that is published instead: it moves by less than `min_move`, or by `max_move` at once."""

    min_move: float
    max_move: float
    odds: float


class SetStep(msgspec.Struct, tag_field="step", tag="command", forbid_unknown_fields=True):
    """The price that a person has set."""

    odds: float


class RefusedStep(msgspec.Struct, tag_field="step", tag="refused", forbid_unknown_fields=True):
    """The reason why there is no fair probability: what is wrong with the source's book, or the status of the selection there."""

    reason: Literal["no_offers", "one_sided", "crossed", "spread", "size", "depth", "incomplete", "no_price"] | SelectionStatus


Step = ImpliedStep | CoherentStep | TiltStep | MarginStep | LadderStep | HeldStep | SetStep | RefusedStep


class ExplainedPrice(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Steps from the sources to the price of a selection in a profile."""

    rule: Annotated[list[str], Meta(description="The profile, and the rules of it that applied.")]
    fair: Probability | None
    steps: list[Step]
    price: DecimalOdds | None


class Quoted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A source's quote of a selection."""

    source: str
    selection: Annotated[str, Meta(description="The source's own id of it.")]
    status: SelectionStatus
    back: Annotated[PriceAndSize | None, Meta(description="The best price to back at, and its size.")]
    lay: Annotated[PriceAndSize | None, Meta(description="The best price to lay at, and its size.")]
    last: Annotated[float | None, Meta(description="The last traded price.")]
    quote: Annotated[float | None, Meta(description="The price of a bookmaker.")]
    updated_ms: UnixMs | None


class ExplainedSelection(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A selection: what the sources say, and its price in each profile."""

    name: str
    status: SelectionStatus
    said: list[Quoted]
    profiles: dict[str, ExplainedPrice]


class ExplainedSource(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A source of the market."""

    source: str
    market: Annotated[str, Meta(description="The source's own id of it.")]
    health: SourceHealth
    health_reason: str
    status: MarketStatus | None
    limit: float | None
    bet_delay_s: float | None
    updated_ms: UnixMs | None


class Leg(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A bet of an arbitrage, and its share of all stakes."""

    market: str
    selection: str
    odds: float
    stake: float


class GuardChecked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A check of the market: what is allowed, what was measured, and whether it suspends."""

    guard: Reason
    limit: float | tuple[float, float] | None
    value: float | None
    suspends: bool
    legs: list[Leg] | UnsetType = UNSET


class ProfileChecked(GuardChecked, kw_only=True, forbid_unknown_fields=True):
    """The check of the book sum of a profile, and the state of the market that its subscribers see."""

    status: MarketStatus
    reason: Reason | None


class ConsensusUsed(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The sources of a consensus: those that counted, and those that did not."""

    used: list[str]
    outliers: list[str]
    old: list[str]


class ExplainedCommand(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A command that holds for the market. The history does not say who has made and confirmed it."""

    id: str
    action: Action
    author: str | UnsetType = UNSET
    reason: str
    expires: Time | Literal["kick_off"] | None
    values: Values
    profiles: list[str]
    confirmed_by: str | UnsetType | None = UNSET


class ExplanationAnswer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Explanation of a market's prices, from the books of its sources to the published price."""

    market: str
    status: MarketStatus
    reason: Reason | None
    v: Version
    priced_by: Annotated[str | None, Meta(description="The source that prices it; null if none does.")]
    consensus: ConsensusUsed | None
    commands: list[ExplainedCommand]
    guards: list[GuardChecked]
    profiles: dict[str, ProfileChecked]
    sources: list[ExplainedSource]
    selections: dict[str, ExplainedSelection]
