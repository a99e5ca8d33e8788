"""Split a flush with very many suspensions into batches: the first is written before the last is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.changes import Changes
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from collections.abc import Iterator


class DeltaBatch(NamedTuple):
    """Changes of a shard that are encoded and written together.

    Attributes:
        shard: the shard.
        changes: what changed in it.
        ts_ms: when it was published, Unix milliseconds.
        at: position of a client that has the batch.
        suspended_ms: when the suspensions in it that take precedence were published, Unix milliseconds; None without any.
    """

    shard: int
    changes: Changes
    ts_ms: int
    at: Position
    suspended_ms: int | None = None


def split(whole: DeltaBatch, before: Position, suspensions_per_batch: int) -> Iterator[DeltaBatch]:
    """Split changes into batches, suspensions first. Yield at least one; until the last, a client stays at `before`."""
    changes = whole.changes
    count = len(changes.markets)
    size = suspensions_per_batch if changes.urgent > suspensions_per_batch else max(count, 1)
    for start in range(0, max(count, 1), size):
        markets = changes.markets[start : start + size]
        urgent = min(max(changes.urgent - start, 0), len(markets))
        yield whole._replace(
            changes=Changes([], markets, [], urgent) if start else Changes(changes.events, markets, changes.removals, urgent),
            at=whole.at if start + size >= count else before,
            suspended_ms=whole.suspended_ms if urgent else None,
        )
