"""Positions as Redis stream ids, and as the opaque `at` that clients give back."""

from __future__ import annotations

from typing import NamedTuple


class Position(NamedTuple):
    """A place in one shard's sequence of changes; epochs grow, and inside an epoch `seq` has no holes."""

    epoch: int
    seq: int

    def stream_id(self) -> str:
        """Write it as the Redis stream id it is."""
        return f"{self.epoch}-{self.seq}"


ORIGIN = Position(0, 0)


def parse_stream_id(stream_id: bytes | str) -> Position:
    """Read a stream id. Raises ValueError if it is none."""
    text = stream_id.decode() if isinstance(stream_id, bytes) else stream_id
    epoch, _, seq = text.partition("-")
    return Position(int(epoch), int(seq))


def write_at(positions: dict[int, Position]) -> str:
    """Write positions by shard as the `at` of a message: opaque to clients, valid on every gateway."""
    return ".".join(f"{shard:x}-{position.epoch:x}-{position.seq:x}" for shard, position in positions.items())


def read_at(at: str) -> dict[int, Position]:
    """Read an `at` back.

    Raises:
        ValueError: if it is not one of ours.
    """
    positions: dict[int, Position] = {}
    for part in at.split("."):
        shard, epoch, seq = part.split("-")
        positions[int(shard, 16)] = Position(int(epoch, 16), int(seq, 16))
    return positions
