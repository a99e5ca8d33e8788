"""Messages that the dialect of Centrifugo's SDKs sends, as types for the documents: replies to commands, and pushes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.gateway.protocol.server_messages import Delta, Live, Snapshot, Stale


class CommandFailed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The error of a command; with `temporary` it is tried again."""

    code: int
    message: str
    temporary: bool


class Connected(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Connected, or a token was refreshed; `ttl` is after how many seconds the next one is to be given."""

    client: str
    version: str
    ping: Annotated[float, Meta(description="How often a ping is sent, in seconds.")] | UnsetType = UNSET
    pong: bool | UnsetType = UNSET
    expires: bool | UnsetType = UNSET
    ttl: int | UnsetType = UNSET


class SubscribedTo(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Subscribed to a channel: with `recovered`, what was missed follows. Empty for a channel of the console."""

    recoverable: bool | UnsetType = UNSET
    positioned: bool | UnsetType = UNSET
    epoch: Annotated[str, Meta(description="Opaque, valid on every gateway.")] | UnsetType = UNSET
    offset: int | UnsetType = UNSET
    recovered: bool | UnsetType = UNSET
    publications: Annotated[list[Any], Meta(max_length=0, description="They follow as pushes.")] | UnsetType = UNSET


class Reply(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The reply to a command: exactly one field besides its `id`. Without any, it is a ping, to be answered by `{}`."""

    id: int | UnsetType = UNSET
    error: CommandFailed | UnsetType = UNSET
    connect: Connected | UnsetType = UNSET
    subscribe: SubscribedTo | UnsetType = UNSET
    unsubscribe: dict[str, Any] | UnsetType = UNSET
    refresh: Connected | UnsetType = UNSET
    ping: dict[str, Any] | UnsetType = UNSET


class Publication(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A message of `odds.v1`."""

    data: Snapshot | Delta | Stale | Live
    offset: int | UnsetType = UNSET


class Unsubscription(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The server has ended a subscription."""

    code: int
    reason: str


class Pushed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An operation in a channel."""

    channel: str
    pub: Publication | UnsetType = UNSET
    unsubscribe: Unsubscription | UnsetType = UNSET


class Push(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Sent without being asked."""

    push: Pushed
