"""Follows commands and reports in Redis for the channels of the console, while anybody is subscribed to them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from oddsengine.streams.connection import REDIS_OUTAGE, SOCKET_TIMEOUT_S, UNAVAILABLE, note_outage

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.console.channels import ConsoleChannels
    from oddsengine.streams.commands.log import CommandLog
    from oddsengine.streams.floor.board import FloorBoard

#: How long a read of the log waits for the next command: well below the timeout of sockets.
_WAIT_MS: Final = round(300 * SOCKET_TIMEOUT_S)
_TICK_S: Final = 0.25
_RETRY_S: Final = 0.5
#: The whole table is read again so often: those that ended a day ago are gone.
_RELOAD_MS: Final = 600_000
_COMMANDS, _REPORTS = "console commands", "console reports"


class ConsoleFollower:
    """Follows both.

    Args:
        channels: what is kept up to date.
        log: the log of commands.
        board: what engines and feeders report.
        clock: monotonic seconds.
        now_ms: Unix milliseconds.
        world_ms: Unix milliseconds by the world's clock.
    """

    def __init__(
        self,
        channels: ConsoleChannels,
        log: CommandLog,
        board: FloorBoard,
        *,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        world_ms: Callable[[], int],
    ) -> None:
        self._channels = channels
        self._floor = channels.floor
        self._log = log
        self._board = board
        self._clock = clock
        self._now_ms = now_ms
        self._world_ms = world_ms

    async def follow_commands(self) -> None:
        """Follow the log of commands until cancelled."""
        with REDIS_OUTAGE.used_by(_COMMANDS):
            while True:
                await self._channels.wanted.wait()
                try:
                    await self._follow_log()
                except UNAVAILABLE as error:
                    note_outage(_COMMANDS, error)
                    await asyncio.sleep(_RETRY_S)
                else:
                    REDIS_OUTAGE.worked(_COMMANDS)

    async def _follow_log(self) -> None:
        """Read the table, then the log, until nobody is subscribed, the table is due again, or an entry was missed."""
        stored = await self._log.load()
        loaded_ms = self._now_ms()
        self._floor.load_commands(stored, loaded_ms, self._world_ms())
        self._channels.publish()
        seq = stored.seq
        while self._floor.has_commands and self._now_ms() - loaded_ms < _RELOAD_MS:
            entries = await self._log.read(seq, _WAIT_MS)
            # Not after the load: Redis may answer all but reads.
            REDIS_OUTAGE.worked(_COMMANDS)
            if not entries and await self._log.last_seq() != seq:
                return  # Redis has lost entries, or the log was restored
            for entry in entries:
                if entry.command is None or entry.seq != seq + 1:
                    return
                self._floor.note_command(entry, self._now_ms(), self._world_ms())
                seq = entry.seq
            if entries:
                self._channels.publish()

    async def follow_reports(self) -> None:
        """Follow what is reported until cancelled."""
        with REDIS_OUTAGE.used_by(_REPORTS):
            while True:
                await self._channels.wanted.wait()
                try:
                    fields = await self._board.read()
                except UNAVAILABLE as error:
                    note_outage(_REPORTS, error)
                else:
                    REDIS_OUTAGE.worked(_REPORTS)
                    self._floor.note_reports(fields, self._clock(), self._now_ms())
                self._floor.tick(self._now_ms(), self._world_ms())
                self._channels.publish()
                await asyncio.sleep(_TICK_S)
