"""The client protocol `odds.v1` as types: what gateways send, over sockets and over HTTP.

Frames are put together from ready bytes (`encode`), so these types encode nothing; the API's documents are generated from them,
and tests hold every message that is sent against them.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus
from oddsengine.gateway.protocol.client_messages import QuoteAnswer, RequestId
from oddsengine.gateway.protocol.codes import ErrorCode

At = Annotated[str, Meta(description="A position: opaque, valid on every gateway, to be given back as `resume`.")]
UnixMs = Annotated[int, Meta(description="Unix time in milliseconds.")]
Price = Annotated[
    float | str | None,
    Meta(description="In the format asked for: text for fractional, a number else; null: none to bet on."),
]
Version = Annotated[int, Meta(ge=0, description="The market's version: one more for each published change.")]


class CompetitionNamed(msgspec.Struct, forbid_unknown_fields=True):
    """A competition."""

    id: str
    name: str


class EventWhole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An event as it stands; score and clock are for display."""

    id: str
    sport: str
    competition: CompetitionNamed
    name: str
    participants: list[str]
    start: str | None
    in_play: bool
    score: str | None
    clock: str | None


class EventChanged(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What changed of an event, or that it is gone."""

    id: str
    sport: str | UnsetType = UNSET
    competition: CompetitionNamed | UnsetType = UNSET
    name: str | UnsetType = UNSET
    participants: list[str] | UnsetType = UNSET
    start: str | UnsetType | None = UNSET
    in_play: bool | UnsetType = UNSET
    score: str | UnsetType | None = UNSET
    clock: str | UnsetType | None = UNSET
    removed: Literal[True] | UnsetType = UNSET


class SelectionWhole(msgspec.Struct, forbid_unknown_fields=True):
    """A selection as it stands."""

    name: str
    price: Price
    status: SelectionStatus


class SelectionChanged(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What changed of a selection."""

    price: Price
    name: str | UnsetType = UNSET
    status: SelectionStatus | UnsetType = UNSET


class MarketWhole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A market as it stands."""

    id: str
    v: Version
    event: str
    type: MarketType
    period: str | None
    line: float | None
    winners: int
    status: MarketStatus
    reason: str | None
    in_play: bool
    selections: dict[str, SelectionWhole]


class MarketChanged(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What changed of a market; one with `event` is the whole market; or that it is gone."""

    id: str
    v: Version | UnsetType = UNSET
    event: str | UnsetType = UNSET
    type: MarketType | UnsetType = UNSET
    period: str | UnsetType | None = UNSET
    line: float | UnsetType | None = UNSET
    winners: int | UnsetType = UNSET
    status: MarketStatus | UnsetType = UNSET
    reason: str | UnsetType | None = UNSET
    in_play: bool | UnsetType = UNSET
    selections: dict[str, SelectionChanged] | UnsetType = UNSET
    removed: Literal[True] | UnsetType = UNSET


class Welcome(msgspec.Struct, tag_field="op", tag="welcome", forbid_unknown_fields=True):
    """The first message of all."""

    version: int
    session: str
    heartbeat_ms: int


class Authenticated(msgspec.Struct, tag_field="op", tag="authenticated", forbid_unknown_fields=True):
    """A token was taken."""

    id: RequestId
    expires_ms: UnixMs | None


class Subscribed(msgspec.Struct, tag_field="op", tag="subscribed", forbid_unknown_fields=True):
    """Channels were subscribed to; `resumed`: a diff follows instead of a snapshot, or nothing if nothing changed."""

    id: RequestId
    channels: list[str]
    resumed: bool


class Unsubscribed(msgspec.Struct, tag_field="op", tag="unsubscribed", forbid_unknown_fields=True):
    """Channels were left."""

    id: RequestId
    channels: list[str]


class Pong(msgspec.Struct, tag_field="op", tag="pong", forbid_unknown_fields=True):
    """The answer to a ping."""

    id: RequestId


class Snapshot(msgspec.Struct, tag_field="op", tag="snapshot", forbid_unknown_fields=True):
    """A channel whole, in parts: replaces all that was known of it once the last part has come."""

    channel: str
    at: At
    part: Annotated[int, Meta(ge=1)]
    last: bool
    events: list[EventWhole]
    markets: list[MarketWhole]


class Delta(msgspec.Struct, tag_field="op", tag="delta", forbid_unknown_fields=True):
    """What changed in a channel."""

    channel: str
    at: At
    ts: UnixMs
    events: list[EventChanged] | UnsetType = UNSET
    markets: list[MarketChanged] | UnsetType = UNSET


class Heartbeat(msgspec.Struct, tag_field="op", tag="heartbeat", forbid_unknown_fields=True):
    """Nothing else was said for a while; `at` speaks for every channel whose first message has come."""

    at: At
    ts: UnixMs


class Stale(msgspec.Struct, tag_field="op", tag="stale", forbid_unknown_fields=True):
    """The gateway has lost touch with the engine: what a channel says may be out of date."""

    channel: str
    since: UnixMs


class Live(msgspec.Struct, tag_field="op", tag="live", forbid_unknown_fields=True):
    """The gateway has found the engine again."""

    channel: str


class Failed(msgspec.Struct, tag_field="op", tag="error", forbid_unknown_fields=True):
    """A part of a request could not be done; the rest was."""

    id: RequestId
    code: ErrorCode
    message: str


class Bye(msgspec.Struct, tag_field="op", tag="bye", forbid_unknown_fields=True):
    """The socket will be closed; come back after so long."""

    reason: str
    reconnect_ms: int


ServerMessage = (
    Welcome | Authenticated | Subscribed | Unsubscribed | Pong | Snapshot | Delta | Heartbeat | Stale | Live | Failed | Bye
)


class EventsAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The events on offer."""

    events: list[EventWhole]


class EventWithMarkets(EventWhole, forbid_unknown_fields=True, kw_only=True):
    """An event with its markets."""

    markets: list[MarketWhole]


class WasOnOffer(msgspec.Struct, forbid_unknown_fields=True):
    """When a price was last on offer; `until_ms` is null while it still is."""

    v: Version
    from_ms: UnixMs
    until_ms: UnixMs | None


class QuoteChecked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether a quote still holds, and what is on offer now."""

    market: str
    selection: str
    result: QuoteAnswer
    price: float | None
    v: Version | None
    was_on_offer: WasOnOffer | None


class QuotesChecked(msgspec.Struct, forbid_unknown_fields=True):
    """The quotes, in the order asked."""

    quotes: list[QuoteChecked]


class Problem(msgspec.Struct, forbid_unknown_fields=True):
    """What went wrong with a request."""

    code: ErrorCode
    message: str


class ErrorAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Every answer that is no success."""

    error: Problem


class FeedsAnswer(msgspec.Struct):
    """How every feed stands."""

    feeds: list[dict[str, Any]]


class UnmatchedAnswer(msgspec.Struct):
    """Pairs of events that may be one."""

    unmatched: list[dict[str, Any]]
