"""The fields of a shard's snapshot hash, one a record: `m:<market>`, `e:<event>`, `t:m:<market>`, `t:e:<event>` and `meta`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.changes import EventRecord, MarketRecord, Tombstone

if TYPE_CHECKING:
    from oddsengine.domain.changes import Record
    from oddsengine.offer.owned_offer import SnapshotUpdate


def record_key(record: Record) -> str:
    """Return the field of a record."""
    if isinstance(record, MarketRecord):
        return f"m:{record.id}"
    if isinstance(record, EventRecord):
        return f"e:{record.id}"
    if isinstance(record, Tombstone):
        return f"t:{record.removal.what[0]}:{record.removal.id}"
    return "meta"


def obsolete_keys(update: SnapshotUpdate) -> list[str]:
    """Return the fields that an update deletes."""
    return [
        *(f"{removal.what[0]}:{removal.id}" for removal in update.removed),
        *(record_key(tombstone) for tombstone in update.dropped),
    ]
