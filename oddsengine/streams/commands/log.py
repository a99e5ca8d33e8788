"""The commands of an installation in Redis: a table of all of them, and the log of what happened to each, in order.

The table is what a new owner loads; the log is what it then follows. One atomic call writes both.

Times are by the clock of the server that has the log, and each step's is later than those of all before: the newest by its
time is the last of the log, whatever the clocks of gateways and engines say.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

import msgspec
import structlog

from oddsengine.commands.command import Command
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.streams.chain.links import NO_DIGEST, digest_of, find_digest
from oddsengine.streams.chain.sealing import RELOADED, SALT_BYTES, seal
from oddsengine.streams.clients.shared_reader import entries_of
from oddsengine.streams.keys import command_keys
from oddsengine.streams.lua import load_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from redis.asyncio import Redis

    from oddsengine.streams.clients.shared_reader import Entry

#: How many commands there may be, those included that have ended lately.
MAX_COMMANDS: Final = 20_000
#: How many entries the log keeps. Who has missed more reads the table.
LOG_ENTRIES_KEPT: Final = 10_000
#: How long a request is remembered by its key.
_REMEMBER_MS: Final = 24 * 3600 * 1000
_COMMAND, _RELOAD, _SEQ, _SALT, _BEHIND = b"c", b"r", b"seq", b"s", b"BEHIND"
_FIELD: Final = b"command:"
_READ: Final = 1000
#: How long the server's time is known without asking again.
_TIME_KNOWN_S: Final = 5.0
_READERS: Final = 4
_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Command).decode
_log = structlog.get_logger(__name__)


class StoredCommands(NamedTuple):
    """All commands by id, and the number of the last entry of the log that is in them."""

    seq: int
    commands: dict[str, Command]


class LogEntry(NamedTuple):
    """An entry of the log: the new state of a command; None if the table has to be read instead."""

    seq: int
    command: Command | None
    digest: bytes = NO_DIGEST
    salt: bytes = b""

    def follows(self, digest: bytes) -> bool:
        """Check by the chain whether the entry before had a digest. False also if that can't be told."""
        return self.command is not None and self.digest == digest_of(digest, seal(self.command, self.salt))


class Remembered(NamedTuple):
    """The memory of a request, so that it has no second effect."""

    key: str
    value: str


class Written(NamedTuple):
    """The result of a write: with `ok`, the number of its entry and the state written; with `repeated`, what was remembered."""

    outcome: Literal["ok", "repeated", "changed", "full"]
    seq: int = 0
    remembered: str = ""
    command: Command | None = None


class CommandLog:
    """The commands of an installation.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        clock: monotonic seconds.
    """

    def __init__(self, redis: Redis, namespace: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: when the server last sent its time, by our clock, and that time; None while it is not known
        self._server_time: tuple[float, int] | None = None
        #: the newest time in the log, as far as this process knows
        self._newest_ms: int | None = None
        #: the table as it was last read: encoded -> command
        self._decoded: dict[bytes, Command] = {}
        self._redis = redis
        self._keys = command_keys(namespace)
        #: the digest of the log's last entry, as far as this process knows
        self._digest = NO_DIGEST
        self._write = redis.register_script(load_script("logs/write_command"))
        self._writing = asyncio.Lock()
        #: those who ask for commands wait here, not for a connection, which others need to follow what is published
        self._turns = asyncio.Semaphore(_READERS)
        self._restore = redis.register_script(load_script("logs/restore_commands"))

    async def load(self) -> StoredCommands:
        """Read the table. Raises RedisError or OSError if Redis does not answer."""
        async with self._turns:
            stored: Any = await self._redis.hgetall(self._keys.table)
        known, self._decoded = self._decoded, {}
        for field, value in stored.items():
            if field != _SEQ:
                # Most are as they were: whoever lists them in a busy process must not decode all each time.
                command = known.get(value) or _read(value)
                if command is not None:
                    self._decoded[value] = command
        return StoredCommands(_number(stored.get(_SEQ)), {each.id: each for each in self._decoded.values()})

    async def find(self, key: str) -> Command | None:
        """Return a command, None if there is none of that id. Raises RedisError or OSError if Redis does not answer."""
        async with self._turns:
            stored: Any = await self._redis.hget(self._keys.table, _field(key))
        return None if stored is None else _read(stored)

    async def now_ms(self) -> int:
        """Return the time by the server's clock, Unix milliseconds, never too late a one.

        Raises:
            RedisError, OSError: if it has to be asked and does not answer.
        """
        known = self._server_time
        if known is None or self._clock() - known[0] > _TIME_KNOWN_S:
            self._server_time = None
            reply: Any = await self._write(keys=[self._keys.log, self._keys.table], args=[])
            # What it took to arrive is not added: in doubt it is earlier, and what a person has commanded holds.
            known = self._server_time = self._clock(), int(reply[1])
        return known[1] + int((self._clock() - known[0]) * 1000)

    async def last_seq(self) -> int:
        """Return the number of the log's last entry, 0 if there is none."""
        async with self._turns:
            stored: Any = await self._redis.hget(self._keys.table, _SEQ)
        return _number(stored)

    async def write(self, command: Command, before: Command | None = None, remembered: Remembered | None = None) -> Written:
        """Write the new state of a command.

        Args:
            command: the command. The time of its last step is moved to after the last of the log, where it is not.
            before: the state it has; None for a new one.
            remembered: what the request is remembered by.

        Raises:
            RedisError, OSError: if Redis does not answer. Whether it was written is not known then.
        """
        keys = [self._keys.log, self._keys.table]
        expected = b"" if before is None else _encode(before)
        remember: list[bytes | str | int] = []
        if remembered is not None:
            keys.append(self._keys.request(remembered.key))
            remember = [remembered.value, _REMEMBER_MS]
        salt = secrets.token_bytes(SALT_BYTES)
        reply: list[Any] = [_BEHIND]
        # One after the other: of many at once all but one would have to try again, each time.
        async with self._writing:
            while reply[0] == _BEHIND:
                # Mostly no other process has written an entry since. Its digest comes with the reply if one has.
                last, newest = self._digest, self._newest_ms
                command = _not_before(command, 0 if newest is None else newest + 1)
                digest, at_ms = digest_of(last, seal(command, salt)), command.step_ms
                args: list[bytes | str | int] = [_field(command.id), expected, _encode(command), MAX_COMMANDS, LOG_ENTRIES_KEPT]
                args += [last, digest, salt, at_ms, "" if newest is None else newest]
                reply = await self._write(keys=keys, args=[*args, *remember])
                if reply[0] == _BEHIND:
                    self._digest = reply[1]
                    self._newest_ms = max(newest or 0, _number(reply[2]) or await self._newest_of_table())
                elif reply[0] == b"OK":
                    self._digest, self._newest_ms = digest, at_ms
        if reply[0] == b"OK":
            return Written("ok", int(reply[1]), command=command)
        if reply[0] == b"REPEATED":
            return Written("repeated", remembered=reply[1].decode())
        return Written("full" if reply[0] == b"FULL" else "changed")

    async def _newest_of_table(self) -> int:
        """Return the newest time in the table; for when the log's last entry says none, as after a restoration."""
        return max((each.step_ms for each in (await self.load()).commands.values()), default=0)

    async def _last_digest(self) -> bytes:
        entries: Any = await self._redis.xrevrange(self._keys.log, count=1)
        return find_digest(entries[0][1]) if entries else NO_DIGEST

    async def digest_at(self, seq: int) -> bytes:
        """Return the digest of an entry, empty if the log has none, or no such entry any more."""
        entries: Any = await self._redis.xrange(self._keys.log, f"{seq}-0", f"{seq}-0")
        return find_digest(entries[0][1]) if entries else NO_DIGEST

    async def read_raw(self, after: int, block_ms: int) -> list[tuple[int, dict[bytes, bytes]]]:
        """Return the fields of the entries after one, as they are; see `read`."""
        reply: Any = await self._redis.xread({self._keys.log: f"{after}-0"}, count=_READ, block=block_ms)
        return [(int(key.partition(b"-")[0]), fields) for key, fields in entries_of(reply).get(self._keys.log, [])]

    async def read(self, after: int, block_ms: int) -> list[LogEntry]:
        """Return the entries after one, waiting for the first. Raises RedisError or OSError if Redis does not answer."""
        entries = await self.read_raw(after, block_ms)
        return [_log_entry(seq, fields) for seq, fields in entries]

    async def read_beside(self, after: int, stream: str, stream_after: str, block_ms: int) -> tuple[list[LogEntry], list[Entry]]:
        """Return the entries after one, and those of another stream of the same hash tag, waiting for the first of either.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        positions: Any = {self._keys.log: f"{after}-0", stream: stream_after}
        found = entries_of(await self._redis.xread(positions, count=_READ, block=block_ms))
        return [_log_entry(key, fields) for key, fields in found.get(self._keys.log, [])], found.get(stream, [])

    async def restore(self, obeyed: int, commands: Iterable[Command]) -> bool:
        """Write again what Redis has lost of the commands that were obeyed. Return False if it has to be tried again.

        Args:
            obeyed: the number of the last entry that was obeyed.
            commands: the commands as they were then.
        """
        stored = await self.load()
        lost = [each for each in commands if _progress(each) > _progress(stored.commands.get(each.id))]
        fields = [part for each in lost for part in (_field(each.id), _encode(each))]
        digest = digest_of(await self._last_digest(), RELOADED)
        args: list[bytes | str | int] = [str(stored.seq) if stored.seq else "", obeyed, digest, *fields]
        reply: Any = await self._restore(keys=[self._keys.log, self._keys.table], args=args)
        return bool(reply == b"OK")

    async def prune(self, keys: Iterable[str]) -> None:
        """Delete commands that have ended."""
        await self._redis.hdel(self._keys.table, *(_field(key).decode() for key in keys))


def _log_entry(key: bytes | int, fields: dict[bytes, bytes]) -> LogEntry:
    seq = key if isinstance(key, int) else int(key.partition(b"-")[0])
    command = _read(fields[_COMMAND]) if _COMMAND in fields else None
    return LogEntry(seq, command, find_digest(fields), fields.get(_SALT, b""))


def _field(key: str) -> bytes:
    return _FIELD + key.encode()


def _number(stored: bytes | None) -> int:
    return int(stored) if stored is not None and stored.isdigit() else 0


def _read(stored: bytes) -> Command | None:
    try:
        return _decode(stored)
    except DECODING_ERRORS as error:
        _log.error("stored command unreadable", error=str(error))
        return None


def _progress(command: Command | None) -> int:
    """Return how far a command has got: a command is made, may be confirmed, and may be lifted."""
    if command is None:
        return 0
    return 1 + (command.confirmed_by is not None) + 2 * (command.lifted_ms is not None)


def _not_before(command: Command, min_ms: int) -> Command:
    """Return a command whose last step was taken at a time at the earliest."""
    if command.step_ms >= min_ms:
        return command
    if command.lifted_ms is not None:
        return msgspec.structs.replace(command, lifted_ms=min_ms)
    if command.confirmed_ms is not None:
        return msgspec.structs.replace(command, confirmed_ms=min_ms)
    return msgspec.structs.replace(command, created_ms=min_ms)
