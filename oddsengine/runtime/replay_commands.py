"""Commands of the past, to be obeyed while a recording is replayed: a recording and its commands publish the same bytes again."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from oddsengine.commands.command import Command
from oddsengine.commands.validation import KICK_OFF
from oddsengine.gateway.protocol.command_messages import CommandAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from oddsengine.engine.pipeline import Pipeline

_decode = msgspec.json.Decoder(CommandAnswer).decode


class RecordedCommands:
    """Obeys commands at the times at which they were made, confirmed and lifted.

    Args:
        answers: the commands, as the HTTP API lists them.
    """

    def __init__(self, answers: Iterable[CommandAnswer] = ()) -> None:
        self._waiting = sorted(
            ((at_ms, command) for answer in answers for at_ms, command in _states(answer)),
            key=lambda state: (state[0], state[1].id),
        )
        self._obeyed = 0

    @classmethod
    def of_states(cls, states: Iterable[tuple[int, Command]]) -> RecordedCommands:
        """Return commands of which is known when they were in which state, in this order."""
        commands = cls()
        commands._waiting = list(states)
        return commands

    def obey_until(self, pipeline: Pipeline, now_ms: int) -> None:
        """Apply to a pipeline what was commanded up to a time, Unix milliseconds."""
        waiting = self._waiting
        while self._obeyed < len(waiting) and waiting[self._obeyed][0] <= now_ms:
            pipeline.obey(waiting[self._obeyed][1])
            self._obeyed += 1
            pipeline.commands.obeyed = self._obeyed


def read_commands(file: Path) -> RecordedCommands:
    """Read a file of commands, one JSON object a line, as `oddsengine commands --all` prints them.

    Raises:
        ValueError: if it can't be read, with the line.
        OSError: if there is no such file.
    """
    answers = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        try:
            answers.append(_decode(line))
        except (msgspec.DecodeError, ValueError) as error:
            raise ValueError(f"{file}:{number}: not a command: {error}") from None
    return RecordedCommands(answers)


def _states(answer: CommandAnswer) -> Iterable[tuple[int, Command]]:
    """Yield when a command was made, confirmed and lifted, with its state from then on."""
    until_kick_off = answer.expires == KICK_OFF
    command = Command(
        id=answer.id,
        author=answer.author,
        action=answer.action,
        scope=answer.scope,
        created_ms=_ms(answer.created),
        values=answer.values,
        reason=answer.reason,
        expires_ms=None if answer.expires is None or until_kick_off else _ms(answer.expires),
        until_kick_off=until_kick_off,
        force=answer.force,
        is_proposal=answer.state == "proposed" or answer.confirmed_by is not None,
    )
    yield command.created_ms, command
    if answer.confirmed is not None:
        confirmed_ms = _ms(answer.confirmed)
        command = msgspec.structs.replace(command, confirmed_by=answer.confirmed_by, confirmed_ms=confirmed_ms)
        yield confirmed_ms, command
    if answer.lifted is not None:
        lifted_ms = _ms(answer.lifted)
        yield lifted_ms, msgspec.structs.replace(command, lifted_by=answer.lifted_by, lifted_ms=lifted_ms)


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
