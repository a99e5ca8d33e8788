"""Pending entries: those of a shard as one batch, and whether any are urgent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.fanout.batches import DeltaBatch
from oddsengine.gateway.state.flush_changes import from_changes, from_entries

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oddsengine.offer.entries.entry import Entry
    from oddsengine.offer.replica_offer import ReplicaOffer
    from oddsengine.streams.positions import Position


def batch_of(shard: int, entries: list[Entry], offer: ReplicaOffer, since: Position, at: Position) -> DeltaBatch:
    """Return what changed in a shard since its dispatched position.

    Args:
        shard: the shard.
        entries: what was applied to it since then, in order.
        offer: its offer, with them.
        since: the dispatched position, since which there is a diff.
        at: the position of clients that have it.
    """
    # The entries are the diff, unless the snapshot that was loaded already had some of them.
    are_the_diff = since.seq + len(entries) == offer.seq and since.seq >= offer.loaded_seq
    changes = from_entries(entries, offer) if are_the_diff else from_changes(offer.changes_since(since.seq), offer)
    suspended_ms: int | None = None
    if changes.urgent:
        suspended_ms = next((entry.ts_ms for entry in entries if entry.urgent), entries[0].ts_ms)
    return DeltaBatch(shard, changes, entries[-1].ts_ms, at, suspended_ms, entries[0].ts_ms)


def has_urgent(pending: Mapping[int, Sequence[Entry]]) -> bool:
    """Check whether suspensions are among what waits: they came while others were written."""
    return any(entry.urgent for entries in pending.values() for entry in entries)
