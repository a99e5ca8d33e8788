"""Positions as Redis stream ids, and as the opaque `at` that clients send back to resume."""

from __future__ import annotations

import re
import secrets
from typing import Final, NamedTuple

#: By how much an epoch is advanced at most, at random.
_MAX_JUMP: Final = 65_536
#: No later one is opened: scripts in Redis have numbers exactly up to 2**53. As a time it is in the year 144,683.
LAST_EPOCH: Final = 2**52
#: What `encode_at` writes of a shard; nothing of what else `int` reads.
_PART: Final = re.compile("([0-9a-f]{1,8})-([0-9a-f]{1,16})-([0-9a-f]{1,16})")


class Position(NamedTuple):
    """A position in the change sequence of a shard. Epochs grow; within an epoch `seq` has no gaps."""

    epoch: int
    seq: int

    def stream_id(self) -> str:
        """Return the Redis stream id of this position."""
        return f"{self.epoch}-{self.seq}"


def epoch_jump() -> int:
    """Return a random number by which to advance a new epoch, so that no epoch is opened twice.

    Redis may have lost the last one together with its owner. Who has read of it would take what the next owner writes under the
    same number for what follows.
    """
    return secrets.randbelow(_MAX_JUMP)


#: Before the first epoch: the position of an empty stream.
ORIGIN: Final = Position(0, 0)


def parse_stream_id(stream_id: bytes | str) -> Position:
    """Parse a stream id. Raises ValueError if it is malformed."""
    text = stream_id.decode() if isinstance(stream_id, bytes) else stream_id
    epoch, _, seq = text.partition("-")
    return Position(int(epoch), int(seq))


def encode_at(positions: dict[int, Position]) -> str:
    """Encode positions by shard as the `at` of a message: opaque to clients, valid on every gateway."""
    return ".".join(f"{shard:x}-{position.epoch:x}-{position.seq:x}" for shard, position in positions.items())


def is_at(text: str, max_shards: int) -> bool:
    """Check whether a text is an `at`; see `decode_at`."""
    try:
        decode_at(text, max_shards)
    except ValueError:
        return False
    return True


def decode_at(at: str, max_shards: int) -> dict[int, Position]:
    """Decode an `at`.

    Raises:
        ValueError: if it is malformed, or has positions of more shards.
    """
    if at.count(".") >= max_shards:
        raise ValueError(f"positions of more than {max_shards} shards")
    positions: dict[int, Position] = {}
    for part in at.split("."):
        found = _PART.fullmatch(part)
        if found is None:
            raise ValueError("not the position of a shard")
        positions[int(found[1], 16)] = Position(int(found[2], 16), int(found[3], 16))
    return positions
