"""Cuts an entry into the records of markets that it has, and what is before and after them, without changing a byte."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import MarketRecord
from oddsengine.offer.entries.entry import Entry, decode_entry


class CutEntry(NamedTuple):
    """An entry: `head`, the pieces and `tail` joined are its bytes.

    A piece has the record of a market after its change. `entry` is None if it can't be read.
    """

    head: bytes
    pieces: list[bytes]
    tail: bytes
    entry: Entry | None


#: A clock that was set back by less than this is taken to stand still.
CLOCK_TOLERANCE_MS: Final = 10_000
_encode: Final = msgspec.msgpack.Encoder().encode
_decode_piece: Final = msgspec.msgpack.Decoder(bytes).decode
_decode_record: Final = msgspec.msgpack.Decoder(MarketRecord).decode


def cut(encoded: bytes) -> CutEntry:
    """Cut an entry.

    Raises:
        DecodeError, ValidationError, ValueError: if it can't be read.
    """
    entry = decode_entry(encoded)
    if not entry.records:
        return CutEntry(encoded, [], b"", entry)
    pieces = [_encode(record) for record in entry.records]
    joined = b"".join(pieces)
    start = encoded.index(joined)
    return CutEntry(encoded[:start], pieces, encoded[start + len(joined) :], entry)


def cut_or_keep(encoded: bytes) -> CutEntry:
    """Cut an entry. What can't be read is kept whole: it has no changes, and no time."""
    try:
        return cut(encoded)
    except (*DECODING_ERRORS, ValueError):
        return CutEntry(encoded, [], b"", None)


def clamp_time(entry: Entry | None, last_ms: int) -> int:
    """Return the time of an entry, or that of the one before if it is a little before that, or unknown."""
    return last_ms if entry is None or 0 < last_ms - entry.ts_ms <= CLOCK_TOLERANCE_MS else entry.ts_ms


def record_in(piece: bytes) -> MarketRecord:
    """Return the market of a piece, as it was after its change.

    Raises:
        DecodeError, ValidationError: if it can't be read.
    """
    return _decode_record(_decode_piece(piece))
