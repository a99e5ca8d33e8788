"""Follows the log of commands for an engine: loads all of them, then obeys each in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from oddsengine.commands.command import KICKED_OFF
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage, until_answered

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.commands.command import Command
    from oddsengine.engine.answering import Answering
    from oddsengine.streams.clients.shared_reader import Entry
    from oddsengine.streams.commands.log import CommandLog, LogEntry

_BLOCK_MS: Final = 500
_RETRY_S: Final = 0.1
_PRUNE_EVERY_MS: Final = 60_000
#: How long a command stays in the table after it has ended.
_KEEP_ENDED_MS: Final = 24 * 3600 * 1000
#: How old a command is before it is lifted because its event is not on offer.
_KEEP_OF_GONE_MS: Final = 7 * 24 * 3600 * 1000
#: How long after the start the feeds have described all their events.
_DESCRIBED_AFTER_MS: Final = 600_000
#: Who has lifted such a command.
EVENT_GONE: Final = "event gone"
_USER: Final = "commands"
_log = structlog.get_logger(__name__)


class CommandFollower:
    """Obeys the commands of an installation.

    Args:
        log: the log.
        obey: takes over the present state of a command.
        obeyed: is called with the number of the log's last entry that was obeyed, after those up to it were.
        keep_time: takes over the time of the server that has the log, Unix milliseconds: commands expire by it.
        is_gone: whether the events that a command is about are not on offer, as far as this engine knows all of them.
        answering: answers what gateways ask; None for nothing.
        kicked_off: returns the commands that have ended with the kick-off of their event, which is written down.
    """

    def __init__(
        self,
        log: CommandLog,
        obey: Callable[[Command], None],
        obeyed: Callable[[int], None],
        keep_time: Callable[[int], None],
        is_gone: Callable[[Command], bool],
        answering: Answering | None = None,
        kicked_off: Callable[[], Sequence[Command]] = tuple,
    ) -> None:
        self._kicked_off = kicked_off
        self._answering = answering
        self._commands_log = log
        self._obey = obey
        self._obeyed = obeyed
        self._keep_time = keep_time
        self._now_ms = 0
        self._is_gone = is_gone
        self._seq = 0
        #: of the last entry that was obeyed; empty if that is not known
        self._digest = b""
        self._next_prune_ms = 0
        #: from when on an event that is not on offer is gone, Unix milliseconds
        self._all_described_ms: int | None = None
        #: those of the table, as they were when they were last obeyed
        self.commands: dict[str, Command] = {}
        #: how often commands were obeyed, by action
        self.counts: dict[str, int] = {}
        #: how often Redis had lost commands
        self.losses = 0

    async def load(self) -> None:
        """Obey all commands that there are. Waits until Redis answers. Call it before anything is published."""
        await until_answered(_USER, self._load)

    async def catch_up(self) -> None:
        """Obey what was commanded meanwhile. Waits until Redis answers. Call it before another shard is published."""
        await until_answered(_USER, self._load_news)

    async def _load_news(self) -> None:
        if await self._commands_log.last_seq() > self._seq:
            await self._load()

    async def run(self) -> None:
        """Obey every command as it is made, until cancelled. While Redis is away, those that hold go on to hold."""
        with REDIS_OUTAGE.used_by(_USER):
            while True:
                try:
                    await self._follow()
                except UNAVAILABLE as error:
                    note_outage(_USER, error)
                    if self._answering is not None:
                        self._answering.restart()
                    await asyncio.sleep(_RETRY_S)
                else:
                    REDIS_OUTAGE.worked(_USER)

    async def _load(self) -> None:
        # Before they are obeyed: none of them ends by our own clock.
        await self._ask_time()
        stored = await self._commands_log.load()
        for command in sorted(stored.commands.values(), key=lambda each: each.id):
            if self.commands.get(command.id) != command:
                self.commands[command.id] = command
                self._obey(command)
        if stored.commands:
            _log.info("commands loaded", commands=len(stored.commands), last=stored.seq)
        await self._advance(stored.seq)
        self._obeyed(self._seq)

    async def _ask_time(self) -> None:
        self._now_ms = await self._commands_log.now_ms()
        self._keep_time(self._now_ms)

    async def _advance(self, seq: int) -> None:
        self._seq, self._digest = max(self._seq, seq), b""
        self._digest = await self._commands_log.digest_at(self._seq)

    async def _follow(self) -> None:
        await self._ask_time()
        entries, asked = await self._read()
        # As long as entries follow what was obeyed nothing has to be asked, so that a suspension is not late.
        if not self._is_next(entries) and await self._is_replaced():
            # Redis has lost entries, and others have taken their numbers.
            await self._restore()
        elif entries:
            await self._apply(entries)
        if asked and self._answering is not None:
            await self._answering.answer(asked)
        if entries:
            return
        last = await self._commands_log.last_seq()
        if last > self._seq:
            # The log was trimmed before it was read.
            await self._load()
        elif last < self._seq:
            await self._restore()
        for command in self._kicked_off():
            # Whoever starts later finds it ended, also if the event is said not to be in play by then.
            lifted = msgspec.structs.replace(command, lifted_by=KICKED_OFF, lifted_ms=self._now_ms)
            await self._commands_log.write(lifted, command)
        await self._prune()

    def _is_next(self, entries: Sequence[LogEntry]) -> bool:
        return bool(entries) and entries[0].seq == self._seq + 1 and entries[0].follows(self._digest)

    async def _is_replaced(self) -> bool:
        """Check whether the last entry that was obeyed is another one now."""
        if not self._digest:
            return False
        digest = await self._commands_log.digest_at(self._seq)
        return bool(digest) and digest != self._digest

    async def _restore(self) -> None:
        _log.error("commands lost by redis, writing them again", commands=len(self.commands), last=self._seq)
        if await self._commands_log.restore(self._seq, self.commands.values()):
            self.losses += 1
            # Whoever follows the log reads the table now, in which are also those that were made meanwhile.
            await self._load()

    async def _read(self) -> tuple[Sequence[LogEntry], Sequence[Entry]]:
        """Wait for commands and questions."""
        answering = self._answering
        if answering is None:
            return await self._commands_log.read(self._seq, _BLOCK_MS), ()
        after = await answering.position()
        return await self._commands_log.read_beside(self._seq, answering.stream, after, _BLOCK_MS)

    async def _apply(self, entries: Sequence[LogEntry]) -> None:
        for seq, command, digest, _ in entries:
            if command is None or seq != self._seq + 1:
                await self._load()
                # All of them are in the table; also what nobody can read must not be read again and again.
                await self._advance(entries[-1].seq)
                break
            self._take_over(command)
            self._seq, self._digest = seq, digest
        self._obeyed(self._seq)

    def _take_over(self, command: Command) -> None:
        self.commands[command.id] = command
        self.counts[command.action] = self.counts.get(command.action, 0) + 1
        self._obey(command)
        scope = command.scope
        _log.info(
            "command",
            command=command.id,
            action=command.action,
            scope=f"{scope.kind}:{scope.key}" if scope.key else scope.kind,
            author=command.author,
            reason=command.reason,
            state=command.state(self._now_ms),
        )

    async def _prune(self) -> None:
        """Delete the commands that ended long ago, and lift those of events that have left the offer."""
        now_ms = self._now_ms
        if self._all_described_ms is None:
            self._all_described_ms = now_ms + _DESCRIBED_AFTER_MS
        if now_ms < self._next_prune_ms:
            return
        self._next_prune_ms = now_ms + _PRUNE_EVERY_MS
        ended = [key for key, each in self.commands.items() if _ended_ms(each, now_ms) < now_ms - _KEEP_ENDED_MS]
        if ended:
            await self._commands_log.prune(ended)
            for key in ended:
                del self.commands[key]
        for command in list(self.commands.values()) if now_ms >= self._all_described_ms else ():
            if command.lifted_ms is None and command.created_ms < now_ms - _KEEP_OF_GONE_MS and self._is_gone(command):
                lifted = msgspec.structs.replace(command, lifted_by=EVENT_GONE, lifted_ms=now_ms)
                await self._commands_log.write(lifted, command)


def _ended_ms(command: Command, now_ms: int) -> int:
    """Return when a command has ended or will end, the present if that is not known."""
    return min((each for each in (command.lifted_ms, command.expires_ms) if each is not None), default=now_ms)
