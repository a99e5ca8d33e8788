"""Restores the state of a shard from its history, where an archiver takes over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from oddsengine.domain.changes import EventRecord, MarketRecord, Meta
from oddsengine.history.archive.writer import read_position
from oddsengine.history.rows.cutting import record_in
from oddsengine.history.rows.shard_rows import DAY_MS, ShardRows
from oddsengine.history.rows.tables import NOTHING, GapRow, RecordKind
from oddsengine.offer.replica_offer import ReplicaOffer

if TYPE_CHECKING:
    from oddsengine.domain.changes import Record

#: The last record of everything that is on offer: each day has one of it, or a change that comes with one.
_RECORDS: Final = """
    SELECT DISTINCT ON (key) key, kind, number, at_ms, epoch, seq, body FROM records
    WHERE shard = $1 AND at_ms >= $2 AND kind = ANY($3)
    ORDER BY key, number DESC
"""
#: The changes of a market since its last record.
_CHANGES: Final = """
    SELECT c.key, c.epoch, c.seq, c.change
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) AS r (key, at_ms, epoch, seq)
    JOIN changes c ON c.key = r.key AND c.at_ms >= r.at_ms AND (c.epoch, c.seq) > (r.epoch, r.seq)
    ORDER BY c.epoch, c.seq, c.ordinal
"""
_MARKETS: Final = (RecordKind.MARKET, RecordKind.MARKET_LEFT)
_EVENTS: Final = (RecordKind.EVENT, RecordKind.EVENT_LEFT)
_decode_market: Final = msgspec.msgpack.Decoder(MarketRecord).decode
_decode_event: Final = msgspec.msgpack.Decoder(EventRecord).decode
_decode_profiles: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


async def restore_shard(connection: Any, shard: int) -> ShardRows:
    """Return the rows of a shard, with the state at the end of its history."""
    position = await read_position(connection, str(shard))
    if position == NOTHING:
        return ShardRows(shard)
    since_ms = position.at_ms // DAY_MS * DAY_MS
    row = await connection.fetchrow(
        f"SELECT {', '.join(GapRow._fields)} FROM gaps WHERE shard = $1 ORDER BY number DESC LIMIT 1", shard
    )
    gap = None if row is None or row["known_ms"] is not None else GapRow(*row)
    offer = ReplicaOffer(())
    # In a gap, what was known before it is only needed to record what has left the offer meanwhile.
    if gap is not None:
        since_ms = min(since_ms, gap.after_ms // DAY_MS * DAY_MS)
    records = await _read_records(connection, shard, since_ms)
    offer.load(position.epoch, position.seq, records)
    # The positions in the records may be of other epochs.
    offer.open_epoch(position.epoch, offer.profiles)
    offer.seq = position.seq
    rows = ShardRows(shard, position, offer)
    if gap is not None:
        rows.continue_gap(gap)
    return rows


async def _read_records(connection: Any, shard: int, since_ms: int) -> list[Record]:
    found: list[Record] = []
    profiles = await connection.fetchrow(
        "SELECT body FROM records WHERE shard = $1 AND kind = $2 AND key = $3 ORDER BY at_ms DESC, number DESC LIMIT 1",
        shard,
        RecordKind.PROFILES,
        shard,
    )
    if profiles is not None:
        found.append(Meta(_decode_profiles(profiles["body"]), 0))
    events = await connection.fetch(_RECORDS, shard, since_ms, _EVENTS)
    found += [_decode_event(row["body"]) for row in events if row["kind"] == RecordKind.EVENT]
    markets = {
        row["key"]: (row, _decode_market(row["body"]))
        for row in await connection.fetch(_RECORDS, shard, since_ms, _MARKETS)
        if row["kind"] == RecordKind.MARKET
    }
    bases = [row for row, _ in markets.values()]
    columns = [[row[name] for row in bases] for name in ("key", "at_ms", "epoch", "seq")]
    present = {key: market for key, (_, market) in markets.items()}
    for row in await connection.fetch(_CHANGES, *columns):
        present[row["key"]] = record_in(row["change"])
    found += present.values()
    return found
