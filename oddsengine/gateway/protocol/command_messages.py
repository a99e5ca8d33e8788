"""Commands as the HTTP API shows them, as types."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.commands.command import Action, Scope, State, Values

Time = Annotated[str, Meta(description="A time, as RFC 3339 in UTC.")]
Outcome = State | Literal["applied", "pending"]


class CommandAnswer(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A command.

    `at` says for each shard concerned at which position it is published; it stays away in lists. `state` is `applied` once it
    is published in all of them, and `pending` before; in lists what has become of it. `events` and `markets` say how many it held
    for when it was made or confirmed, `warnings` what in it may be a mistake; they stay away in lists.
    """

    id: str
    author: str
    action: Action
    scope: Scope
    values: Values
    reason: str
    created: Time
    expires: str | None
    force: bool
    state: Outcome
    confirmed_by: str | None
    confirmed: Time | None
    lifted_by: str | None
    lifted: Time | None
    about: Annotated[str, Meta(description="What it is about was called, when it was made; empty if that was not on offer.")] = ""
    at: dict[str, str] | UnsetType = UNSET
    events: int | UnsetType = UNSET
    markets: int | UnsetType = UNSET
    warnings: list[str] | UnsetType = UNSET


class CommandsAnswer(msgspec.Struct, forbid_unknown_fields=True):
    """A page of the commands, newest first."""

    commands: list[CommandAnswer]
    next: Annotated[str | UnsetType, Meta(description="The parameter `after` of the next page; missing on the last one.")] = UNSET
