"""A Redis in memory that has the keys of shards, by the rules of the scripts that publish, claim and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Callable

Fields: TypeAlias = dict[bytes, bytes]
#: Who has written an entry, and the state that he had then.
Authorship: TypeAlias = tuple[str, Any]
#: How many epochs a claim keeps where all are short.
_EPOCHS_KEPT: Final = 8
_FEW_ENTRIES: Final = 5000


class StreamEntry(NamedTuple):
    """An entry of a stream."""

    position: Position
    fields: Fields

    def reply(self) -> tuple[bytes, Fields]:
        """Return what a client reads of it."""
        return self.position.stream_id().encode(), self.fields


class MemoryRedis:
    """A server.

    Args:
        wall_ms: its clock, Unix milliseconds.
        wrote: is called with the position of each entry that is written to a shard, and with whoever wrote it.
    """

    def __init__(self, wall_ms: Callable[[], int], wrote: Callable[[Position, Authorship], None]) -> None:
        self._wall_ms = wall_ms
        self._wrote = wrote
        #: names the server
        self.run = b"0"
        self.streams: dict[str, list[StreamEntry]] = {}
        self.hashes: dict[str, Fields] = {}
        self.values: dict[str, bytes] = {}

    def copy(self, run: int) -> MemoryRedis:
        """Return another server, with what this one has now."""
        other = MemoryRedis(self._wall_ms, self._wrote)
        other.run = b"%x" % run
        other.streams = {key: list(entries) for key, entries in self.streams.items()}
        other.hashes = {key: dict(fields) for key, fields in self.hashes.items()}
        other.values = dict(self.values)
        return other

    def lose(self) -> None:
        """Lose everything."""
        self.streams.clear()
        self.hashes.clear()
        self.values.clear()

    def top(self, key: str) -> Position:
        """Return the position of the last entry of a stream."""
        entries = self.streams.get(key)
        return entries[-1].position if entries else ORIGIN

    def between(self, key: str, after: str, until: Position | None = None) -> list[StreamEntry]:
        """Return the entries from an id on, or after it if it begins with `(`, up to a position."""
        least = parse_stream_id(after.removeprefix("("))
        return [
            entry
            for entry in self.streams.get(key, ())
            if (entry.position > least if after.startswith("(") else entry.position >= least)
            and (until is None or entry.position <= until)
        ]

    # -- scripts --------------------------------------------------------------------------------------------------

    def execute(self, script: str, keys: list[str], args: list[Any], author: Authorship) -> Any:
        """Execute a script."""
        return getattr(self, _NAMES[script])(keys, args, author)

    def _is_late(self, not_after_ms: int) -> bool:
        return bool(not_after_ms) and self._wall_ms() > not_after_ms

    def _whole(self, key: str) -> bytes:
        return self.hashes.get(key, {}).get(b"whole", b"")

    def _set_whole(self, key: str, position: Position) -> None:
        fields = self.hashes.setdefault(key, {})
        fields[b"whole"] = b"%d@%s" % (len(fields | {b"whole": b""}), position.stream_id().encode())

    def _publish(self, keys: list[str], args: list[Any], author: Authorship) -> Any:
        epoch, seq, batch, oldest, digest, not_after_ms, before, after, count = args[:9]
        changes, snapshot = keys
        position, top = Position(epoch, seq), self.top(changes)
        if top == position and self.streams[changes][-1].fields[b"b"] == batch:
            return self._wall_ms()
        if top != Position(epoch, seq - 1):
            return top.stream_id().encode()
        if self._is_late(not_after_ms):
            return b"LATE"
        fields = self.hashes.setdefault(snapshot, {})
        if self._whole(snapshot) != b"%d@%d-%d" % (len(fields), epoch, before):
            return b"INCOMPLETE"
        self._append(changes, StreamEntry(position, {b"b": batch, b"d": digest}), parse_stream_id(str(oldest)), author)
        pairs = args[9 : 9 + 2 * count]
        fields |= {_bytes(pairs[index]): _bytes(pairs[index + 1]) for index in range(0, len(pairs), 2)}
        for field in args[9 + 2 * count :]:
            fields.pop(_bytes(field), None)
        self._set_whole(snapshot, Position(epoch, after))
        return self._wall_ms()

    def _claim(self, keys: list[str], args: list[Any], author: Authorship) -> bytes:
        epoch, batch, count, owner, expected, digest, follows, not_after_ms = args
        changes, snapshot, draft = keys
        position, top = Position(epoch, 0), self.top(changes)
        entries = self.streams.get(changes, [])
        if top == position and entries[-1].fields.get(b"o") == _bytes(owner):
            return b"OK"
        if top.epoch >= epoch or expected not in {"", top.stream_id()}:
            return top.stream_id().encode()
        if self._is_late(not_after_ms):
            return b"LATE"
        if len(self.hashes.get(draft, ())) != count:
            return b"INCOMPLETE"
        opening = {b"b": batch, b"o": _bytes(owner), b"d": digest, b"f": _bytes(follows)}
        epochs = sorted({entry.position.epoch for entry in entries} or {0})
        oldest = epochs[-1] if len(entries) > _FEW_ENTRIES else epochs[-_EPOCHS_KEPT:][0]
        self._append(changes, StreamEntry(position, opening), Position(oldest, 0), author)
        self.hashes[snapshot] = self.hashes.pop(draft)
        self._set_whole(snapshot, position)
        return b"OK"

    def _append(self, key: str, entry: StreamEntry, oldest: Position, author: Authorship) -> None:
        self._wrote(entry.position, author)
        kept = [each for each in self.streams.get(key, ()) if each.position >= oldest]
        self.streams[key] = [*kept, entry]

    def _write_draft(self, keys: list[str], args: list[Any], _author: Authorship) -> bytes:
        if str(args[0]) == "1":
            self.hashes.pop(keys[0], None)
        fields = self.hashes.setdefault(keys[0], {})
        fields |= {_bytes(args[index]): _bytes(args[index + 1]) for index in range(2, len(args), 2)}
        return b"OK"

    def _read_head(self, keys: list[str], _args: list[Any], _author: Authorship) -> list[Any]:
        changes, snapshot = keys
        entries = self.streams.get(changes, [])
        digest = entries[-1].fields.get(b"d", b"") if entries else b""
        top = self.top(changes).stream_id().encode()
        return [top, len(self.hashes.get(snapshot, ())), self._whole(snapshot), self.run, digest, self._wall_ms()]


def _bytes(value: bytes | str | int) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


_NAMES: Final = {load_script(name): f"_{name}" for name in ("publish", "claim", "write_draft", "read_head")}
