"""Passes the log of commands on: each new state of a command, in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.bridge.messages import Gap, command_message
from oddsengine.streams.commands.tail import EntriesMissing, LogPosition, read_after
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage

if TYPE_CHECKING:
    from oddsengine.bridge.delivery import Delivery
    from oddsengine.bridge.messages import Message
    from oddsengine.bridge.positions import PositionStore
    from oddsengine.streams.commands.log import CommandLog
    from oddsengine.streams.leases.keeper import Lease

_BLOCK_MS: Final = 500
_RETRY_S: Final = 0.2
_USER: Final = "bridge of commands"
_log = structlog.get_logger(__name__)


class CommandBridge:
    """The way of commands to a broker.

    Args:
        log: the log of commands.
        store: keeps its position.
        delivery: the way to the broker.
        lease: whether this process is the one that publishes.
    """

    def __init__(self, log: CommandLog, store: PositionStore, delivery: Delivery, lease: Lease) -> None:
        self._log = log
        self._store = store
        self._delivery = delivery
        self._lease = lease

    async def run(self) -> None:
        """Pass commands on until cancelled."""
        position = await self._store.load_commands()
        while True:
            await self._lease.until_held()
            try:
                messages, reached = await self._read(position)
            except UNAVAILABLE as error:
                note_outage(_USER, error)
                await asyncio.sleep(_RETRY_S)
                continue
            REDIS_OUTAGE.worked(_USER)
            if reached != position:
                await self._delivery.send("commands", messages)
                await self._store.save_commands(reached)
                position = reached

    async def _read(self, position: LogPosition | None) -> tuple[list[Message], LogPosition]:
        if position is None:
            return await self._whole(None, "start")
        try:
            entries = await read_after(self._log, position, _BLOCK_MS)
        except EntriesMissing as missing:
            return await self._whole(position, missing.cause)
        messages = [command_message(entry.command, entry.seq) for entry in entries if entry.command is not None]
        return messages, LogPosition(entries[-1].seq, entries[-1].digest) if entries else position

    async def _whole(self, position: LogPosition | None, cause: str) -> tuple[list[Message], LogPosition]:
        """Return every command there is, and the last entry of the log that is in them."""
        stored = await self._log.load()
        gap = Gap(cause, None if position is None else str(position.seq), str(stored.seq))
        if position is not None:
            _log.warning("bridge publishes all commands", cause=cause, after=position.seq, up_to=stored.seq)
        commands = sorted(stored.commands.items())
        reached = LogPosition(stored.seq, await self._log.digest_at(stored.seq))
        return [command_message(command, stored.seq, gap) for _, command in commands], reached
