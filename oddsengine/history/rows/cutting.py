"""Cuts an entry into the changes of markets that it consists of, and what is before and after them, without changing a byte."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from oddsengine.domain.changes import Batch


class _RawBatch(msgspec.Struct, array_like=True, gc=False):
    """A batch whose market changes stay bytes."""

    ts_ms: int
    events: list[msgspec.Raw] = []
    markets: list[msgspec.Raw] = []


class CutEntry(NamedTuple):
    """An entry: `head`, the changes and `tail` joined are its bytes. `batch` is None if it can't be read."""

    head: bytes
    changes: list[bytes]
    tail: bytes
    batch: Batch | None


_decode_raw: Final = msgspec.msgpack.Decoder(_RawBatch).decode
_decode_batch: Final = msgspec.msgpack.Decoder(Batch).decode


def cut(entry: bytes) -> CutEntry:
    """Cut an entry.

    Raises:
        DecodeError, ValidationError, ValueError: if it can't be read.
    """
    batch = _decode_batch(entry)
    if not batch.markets:
        return CutEntry(entry, [], b"", batch)
    changes = [bytes(raw) for raw in _decode_raw(entry).markets]
    joined = b"".join(changes)
    start = entry.index(joined)
    return CutEntry(entry[:start], changes, entry[start + len(joined) :], batch)
