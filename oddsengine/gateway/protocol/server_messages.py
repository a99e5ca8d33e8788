"""The client protocol `odds.v1` as types: what gateways send, over sockets and over HTTP.

Messages and fragments are encoded from these types (`encoders`), so the order of fields is the order on the wire; only
snapshots and deltas are joined from encoded fragments. The API documents are generated from them, too.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.domain.market_types import Group
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus
from oddsengine.gateway.console.messages import FeedStatus, Removed, Trouble, UnmatchedPair
from oddsengine.gateway.protocol.client_messages import QuoteAnswer, RequestId
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.command_messages import CommandAnswer
from oddsengine.offer.entries.wire_types import (
    BetDelay,
    DeadHeatFactor,
    Fair,
    Limit,
    MainLine,
    MarketChanged,
    Order,
    Price,
    Reason,
    Result,
    Version,
    VoidFactor,
)

At = Annotated[str, Meta(description="A position: opaque, valid on every gateway, to be sent back as `resume`.")]
UnixMs = Annotated[int, Meta(description="Unix time in milliseconds.")]


class CompetitionNamed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A competition."""

    id: str
    name: str


class EventWhole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An event; score and clock are for display only."""

    id: str
    sport: str
    competition: CompetitionNamed
    name: str
    participants: list[str]
    start: str | None
    in_play: bool
    score: str | None
    clock: str | None


class EventChanged(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """The changed fields of an event, or its removal."""

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


class SelectionWhole(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A selection; the three fields of its result stay away while it never had one."""

    name: str
    price: Price
    status: SelectionStatus
    result: Result | UnsetType = UNSET
    void_factor: VoidFactor | UnsetType = UNSET
    dead_heat_factor: DeadHeatFactor | UnsetType = UNSET
    order: Order | UnsetType = UNSET
    fair: Fair | UnsetType = UNSET


class MarketWhole(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A market; `limit` and `bet_delay_s` are absent while there never were any, `main_line` where it is no line of several."""

    id: str
    event: str
    type: MarketType
    name: str
    period: str | None
    line: float | None
    unit: str | None
    winners: int
    status: MarketStatus
    reason: Reason | None
    in_play: bool
    v: Version
    selections: dict[str, SelectionWhole]
    group: Group
    order: Order
    main_line: MainLine | UnsetType = UNSET
    limit: Limit | UnsetType = UNSET
    bet_delay_s: BetDelay | UnsetType = UNSET


class MarketAnswer(MarketWhole, forbid_unknown_fields=True, kw_only=True, gc=False):
    """A market; `on_offer` is false for one that has left the offer and is kept for its results, and absent otherwise."""

    on_offer: Literal[False] | UnsetType = UNSET


class Welcome(msgspec.Struct, tag_field="op", tag="welcome", forbid_unknown_fields=True):
    """The first message of a session."""

    version: int
    session: str
    heartbeat_ms: int


class Authenticated(msgspec.Struct, tag_field="op", tag="authenticated", forbid_unknown_fields=True):
    """A token was accepted."""

    id: RequestId
    expires_ms: UnixMs | None


class Subscribed(msgspec.Struct, tag_field="op", tag="subscribed", forbid_unknown_fields=True):
    """Channels were subscribed to; if `resumed`, a delta follows instead of a snapshot, or nothing if nothing changed.

    A request of which only some channels resume is answered with two.
    """

    id: RequestId
    channels: list[str]
    resumed: bool


class Unsubscribed(msgspec.Struct, tag_field="op", tag="unsubscribed", forbid_unknown_fields=True):
    """Channels were unsubscribed from."""

    id: RequestId
    channels: list[str]


class Pong(msgspec.Struct, tag_field="op", tag="pong", forbid_unknown_fields=True):
    """The answer to a ping."""

    id: RequestId


class Snapshot(msgspec.Struct, tag_field="op", tag="snapshot", forbid_unknown_fields=True):
    """A whole channel, in parts: it replaces the client's state of the channel once the last part has arrived.

    A channel of the console has `commands`, `feeds` or `trouble`, as its name says; every other one has events and markets.
    """

    channel: str
    at: At
    part: Annotated[int, Meta(ge=1)]
    last: bool
    events: list[EventWhole] | UnsetType = UNSET
    markets: list[MarketWhole] | UnsetType = UNSET
    commands: list[CommandAnswer] | UnsetType = UNSET
    feeds: list[FeedStatus] | UnsetType = UNSET
    trouble: list[Trouble] | UnsetType = UNSET


class Delta(msgspec.Struct, tag_field="op", tag="delta", forbid_unknown_fields=True):
    """The changes in a channel; in one of the console what is new or has changed, whole, and what is gone."""

    channel: str
    at: At
    ts: UnixMs
    events: list[EventChanged] | UnsetType = UNSET
    markets: list[MarketChanged] | UnsetType = UNSET
    commands: list[CommandAnswer] | UnsetType = UNSET
    feeds: list[FeedStatus] | UnsetType = UNSET
    trouble: list[Trouble] | UnsetType = UNSET
    removed: Removed | UnsetType = UNSET


class Heartbeat(msgspec.Struct, tag_field="op", tag="heartbeat", forbid_unknown_fields=True):
    """Sent when nothing else was for a while; `at` is the position of every channel whose first message has arrived."""

    at: At
    ts: UnixMs


class Stale(msgspec.Struct, tag_field="op", tag="stale", forbid_unknown_fields=True):
    """The gateway has lost its connection to the engine: a channel may be out of date."""

    channel: str
    since: UnixMs


class Live(msgspec.Struct, tag_field="op", tag="live", forbid_unknown_fields=True):
    """The gateway is connected to the engine again: a channel is current."""

    channel: str


class Failed(msgspec.Struct, tag_field="op", tag="error", forbid_unknown_fields=True):
    """Part of a request failed; the rest succeeded. `channels` were refused; absent if it is not about channels."""

    id: RequestId
    code: ErrorCode
    message: str
    channels: list[str] | UnsetType = UNSET


class Bye(msgspec.Struct, tag_field="op", tag="bye", forbid_unknown_fields=True):
    """The socket will be closed; reconnect after `reconnect_ms`."""

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
    """The time at which a price was last on offer; `until_ms` is null if it still is."""

    v: Version
    from_ms: UnixMs
    until_ms: UnixMs | None


class QuoteChecked(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Whether a quote is still valid, the current price, and the terms of a bet on it, absent where there are none.

    `price` is in the format of the quote. Of one that is `invalid` market and selection are empty.
    """

    market: str
    selection: str
    result: QuoteAnswer
    price: Price
    v: Version | None
    was_on_offer: WasOnOffer | None
    limit: Annotated[float, Meta(description="The greatest stake.")] | UnsetType = UNSET
    fair: Fair | UnsetType = UNSET
    accept_after_ms: (
        Annotated[int, Meta(ge=0, description="How long to delay a bet: check the quote again before it is taken.")] | UnsetType
    ) = UNSET
    signed: (
        Annotated[str, Meta(description="The current price as a compact JWS, for a bet to carry: see `/.well-known/jwks.json`.")]
        | UnsetType
    ) = UNSET


class QuotesChecked(msgspec.Struct, forbid_unknown_fields=True):
    """The checked quotes, in the order of the request."""

    quotes: list[QuoteChecked]


class ChannelRefused(msgspec.Struct, forbid_unknown_fields=True):
    """One of several channels that a request was refused, and why."""

    channel: str
    code: ErrorCode
    message: str


class SnapshotsAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Several whole channels, in the order in which they were named, and those of them that were refused."""

    snapshots: list[Snapshot]
    errors: list[ChannelRefused]


class TicketAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A ticket: it opens one stream, as `?ticket=` in its URL, with what the token of its request grants."""

    ticket: str
    expires: Annotated[str, Meta(description="A time, as RFC 3339 in UTC: the ticket must be used before.")]


class Problem(msgspec.Struct, forbid_unknown_fields=True):
    """The reason why a request failed."""

    code: ErrorCode
    message: str


class ErrorAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The body of every error answer."""

    error: Problem


class FeedsAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """The status of every feed."""

    feeds: list[FeedStatus]


class UnmatchedAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """Pairs of events that may be the same, likeliest first."""

    unmatched: list[UnmatchedPair]


class AccountAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The client that a token names, and what it grants. `profile` is the one whose prices it sees; `commands` as in a token."""

    sub: str
    role: str
    profile: str
    profiles: list[str]
    channels: list[str]
    commands: list[str]
    expires: Annotated[str, Meta(description="A time, as RFC 3339 in UTC.")] | None


class ProfilesAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The profiles that a client may see and command; `default` is the one whose prices it sees."""

    profiles: list[str]
    default: str
