"""Commands as the HTTP API shows them."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.commands.command import Action, Command, Scope, State, Values
from oddsengine.commands.validation import KICK_OFF
from oddsengine.common.clock import iso_time

Time = Annotated[str, Meta(description="A time, as RFC 3339 in UTC.")]
Outcome = State | Literal["applied", "pending"]


class Coverage(NamedTuple):
    """How many events and markets a command holds for now, and what may be a mistake in it."""

    events: int
    markets: int
    warnings: tuple[str, ...]


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


def command_answer(
    command: Command, state: Outcome, at: dict[str, str] | None = None, coverage: Coverage | None = None
) -> CommandAnswer:
    """Return a command as it is shown."""
    expires = KICK_OFF if command.until_kick_off else _time(command.expires_ms)
    return CommandAnswer(
        id=command.id,
        author=command.author,
        action=command.action,
        scope=command.scope,
        values=command.values,
        reason=command.reason,
        created=iso_time(command.created_ms, "milliseconds"),
        expires=expires,
        force=command.force,
        state=state,
        confirmed_by=command.confirmed_by,
        confirmed=_time(command.confirmed_ms),
        lifted_by=command.lifted_by,
        lifted=_time(command.lifted_ms),
        about=command.about,
        at=UNSET if at is None else at,
        events=UNSET if coverage is None else coverage.events,
        markets=UNSET if coverage is None else coverage.markets,
        warnings=UNSET if coverage is None else list(coverage.warnings),
    )


def _time(ms: int | None) -> str | None:
    return None if ms is None else iso_time(ms, "milliseconds")
