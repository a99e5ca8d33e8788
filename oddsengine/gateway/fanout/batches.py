"""Split a flush with very many suspensions into batches: the first is written before the last is encoded."""

from __future__ import annotations

from typing import NamedTuple

from oddsengine.gateway.state.flush_changes import FlushChanges
from oddsengine.streams.positions import Position


class DeltaBatch(NamedTuple):
    """Changes of a shard that are encoded and written together.

    Attributes:
        shard: the shard.
        changes: what changed in it.
        ts_ms: when it was published, Unix milliseconds.
        at: position of a client that has the batch.
        suspended_ms: when the suspensions in it that take precedence were published, Unix milliseconds; None without any.
        since_ms: when the first entry in it was published; 0 if it is not about what was published.
    """

    shard: int
    changes: FlushChanges
    ts_ms: int
    at: Position
    suspended_ms: int | None = None
    since_ms: int = 0


def split(whole: DeltaBatch, before: Position, suspensions_per_batch: int) -> list[DeltaBatch]:
    """Split changes into batches, suspensions first. Return at least one; until the last, a client stays at `before`."""
    changes = whole.changes
    if changes.urgent <= suspensions_per_batch:
        return [whole]
    count = len(changes.markets)
    batches: list[DeltaBatch] = []
    for start in range(0, count, suspensions_per_batch):
        part = changes.part(start, start + suspensions_per_batch)
        batches.append(
            whole._replace(
                changes=part,
                at=whole.at if start + suspensions_per_batch >= count else before,
                suspended_ms=whole.suspended_ms if part.urgent else None,
            )
        )
    return batches
