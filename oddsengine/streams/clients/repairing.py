"""A client that deletes a key which something else has made unusable.

One that was written under another type can be neither read nor written, and a stream whose last entries were deleted takes no
entry that is not above these: whoever needs it would wait for ever. Once it is gone, it is as if Redis had lost it, which its
users notice and make good.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from oddsengine.streams.lua import load_script

if TYPE_CHECKING:
    from collections.abc import Sequence

_WRONG_TYPE: Final = "WRONGTYPE"
#: What Redis says of a stream whose deleted entries keep it from taking another, and of one whose last id was the last of all.
_CUT: Final = ("equal or smaller than the target stream", "exhausted the last possible ID")
#: The line of a script's head that names the types of its keys, in their order.
_TYPES: Final = re.compile(r"^-- Types of the keys\n--   (.+)$", re.MULTILINE)
#: The type of a command's first key, by the first letter of the command.
_BY_LETTER: Final = {"H": "hash", "X": "stream", "Z": "zset", "S": "set", "B": "list", "R": "list"}
_BY_COMMAND: Final = {"GET": "string", "SET": "string", "INCR": "string"}
_DELETE_OTHERS: Final = load_script("delete_others")
_DELETE_CUT: Final = load_script("delete_cut_streams")
_log = structlog.get_logger(__name__)


class RepairingClient(Redis):
    """A client whose commands delete the keys with which they can't work, and are repeated then.

    It does so for commands of its own, not for those of pipelines.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        #: digest of a script -> the types of its first keys
        self._types: dict[str, Sequence[str]] = {}

    def register_script(self, script: Any) -> Any:
        """Return a script. Its head names the types of its keys."""
        registered = super().register_script(script)
        self._types[registered.sha] = types_of_keys(script)
        return registered

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Execute a command."""
        try:
            return await self.execute_once(*args, **options)
        except ResponseError as error:
            if not await self._repair(str(error), self._typed_keys(args)):
                raise
        return await self.execute_once(*args, **options)

    async def execute_once(self, *args: Any, **options: Any) -> Any:
        """Execute a command without repairing anything."""
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def _typed_keys(self, command: tuple[Any, ...]) -> list[tuple[Any, str]]:
        """Return the keys of a command, each with the type that it must have."""
        name = str(command[0])
        if name in {"EVALSHA", "EVAL"}:
            count = int(command[2])
            return list(zip(command[3 : 3 + count], self._types.get(str(command[1]), ()), strict=False))
        if name == "XREAD":
            streams = command[command.index(b"STREAMS") + 1 :]
            return [(key, "stream") for key in streams[: len(streams) // 2]]
        kind = _BY_COMMAND.get(name) or _BY_LETTER.get(name[0])
        return [(command[1], kind)] if kind and len(command) > 1 else []

    async def _repair(self, error: str, keys: Sequence[tuple[Any, str]]) -> bool:
        """Delete those keys of a command that have caused its error. Return whether there were any."""
        if _WRONG_TYPE in error:
            return await self._delete_others(keys)
        return any(text in error for text in _CUT) and await self._delete_cut([key for key, kind in keys if kind == "stream"])

    async def _delete_cut(self, streams: Sequence[Any]) -> bool:
        """Delete those streams whose last entries were deleted. Return whether there were any."""
        deleted = await self._delete(_DELETE_CUT, streams)
        for stream, last in zip(streams, deleted, strict=True):
            if last:
                _log.error("redis stream without its last entries deleted", key=_text(stream), last=last.decode())
        return any(deleted)

    async def _delete_others(self, keys: Sequence[tuple[Any, str]]) -> bool:
        """Delete those keys that have another type than they must have. Return whether there were any."""
        names, types = [key for key, _ in keys], [kind for _, kind in keys]
        deleted = await self._delete(_DELETE_OTHERS, names, *types)
        for key, kind, found in zip(names, types, deleted, strict=True):
            if found:
                _log.error("redis key of another type deleted", key=_text(key), type=kind, found=found.decode())
        return any(deleted)

    async def _delete(self, script: str, keys: Sequence[Any], *args: str) -> Sequence[bytes]:
        try:
            deleted: Sequence[bytes] = await self.execute_once("EVAL", script, len(keys), *keys, *args)
        except ResponseError:
            return [b""] * len(keys)  # its user may not, or it is a replica: what has failed says so
        return deleted


def _text(key: Any) -> Any:
    return key.decode(errors="replace") if isinstance(key, bytes) else key


def types_of_keys(script: str) -> list[str]:
    """Return the types of a script's first keys, as its head names them."""
    found = _TYPES.search(script)
    return found.group(1).split() if found else []
