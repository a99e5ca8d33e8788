"""Bodies that have no type elsewhere, as types: of health, readiness, snapshots, and commands as they are written."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.commands.command import Action, Scope, Values
from oddsengine.commands.validation import KICK_OFF, MAX_REASON


class HealthAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A process that is up. While it starts, `step` is what it does, and `waiting_for` what keeps it from that."""

    status: Literal["ok", "starting"]
    step: str | UnsetType = UNSET
    waiting_for: str | UnsetType = UNSET


class ReadinessAnswer(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A process that does its work; what else it says depends on its role."""

    status: Literal["ready"]
    shards: Annotated[list[int], Meta(description="Of an engine: the shards that it owns.")] | UnsetType = UNSET
    feeds: Annotated[list[str], Meta(description="Of a feeder: the feeds that it is connected to.")] | UnsetType = UNSET
    active: Annotated[bool, Meta(description="Of an archiver or a bridge: whether it works, or waits.")] | UnsetType = UNSET
    behind_s: Annotated[float, Meta(description="Of an archiver: how old what it writes is, in seconds.")] | UnsetType = UNSET


class CommandBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A command to be made; which `values` an action takes is in docs/commands.md."""

    action: Action
    scope: Scope
    values: Values = None
    reason: Annotated[str, Meta(max_length=MAX_REASON, description="Why, for other people.")] = ""
    expires: Annotated[
        str | float | None,
        Meta(description=f"`{KICK_OFF}`, a time as RFC 3339, a number of seconds from now, or null: until it is lifted."),
    ] = None
    force: Annotated[bool, Meta(description="Whether a price may break the rules of its profile (role `admin`).")] = False


class PublishedKey(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A public key, as RFC 7517 and RFC 8037 have it."""

    kty: Literal["OKP"]
    crv: Literal["Ed25519"]
    use: Literal["sig"]
    alg: str
    kid: str
    x: str


class PublishedKeys(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The keys that verify signed quotes; none where quotes are not signed."""

    keys: list[PublishedKey]
