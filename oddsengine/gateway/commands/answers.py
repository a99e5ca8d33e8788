"""Commands as clients are shown them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET

from oddsengine.commands.validation import KICK_OFF
from oddsengine.common.clock import iso_time
from oddsengine.gateway.protocol.command_messages import CommandAnswer

if TYPE_CHECKING:
    from oddsengine.commands.command import Command
    from oddsengine.gateway.protocol.command_messages import Outcome


class Coverage(NamedTuple):
    """Reach of a command: how many events and markets it holds for now, and what may be a mistake in it."""

    events: int
    markets: int
    warnings: tuple[str, ...]


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
