"""The entries of a shard's stream, as written."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.changes import Record
from oddsengine.streams.chain.links import Link, decode_link
from oddsengine.streams.keys import BATCH_FIELD, DIGEST_FIELD, FOLLOWS_FIELD
from oddsengine.streams.positions import Position, parse_stream_id

if TYPE_CHECKING:
    from collections.abc import Mapping


class TailEntry(NamedTuple):
    """An entry of the stream, as written.

    `follows` is None where it is the entry before; `digest` is empty in entries of releases without one.
    """

    position: Position
    batch: bytes
    digest: bytes
    follows: Link | None = None


class LoadedShard(NamedTuple):
    """The whole state of a shard: after the entry `top` or, of what changes meanwhile, after one of the next."""

    top: TailEntry
    records: list[Record]


def tail_entry(entry: tuple[bytes, Mapping[bytes, bytes]]) -> TailEntry:
    """Return an entry of the stream as its fields say. What is malformed is empty."""
    stream_id, fields = entry
    follows = None
    if FOLLOWS_FIELD in fields:
        with suppress(ValueError):  # it follows nothing that anybody knows
            follows = decode_link(fields[FOLLOWS_FIELD])
    return TailEntry(parse_stream_id(stream_id), fields.get(BATCH_FIELD, b""), fields.get(DIGEST_FIELD, b""), follows)
