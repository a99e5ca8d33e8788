"""An entry of a shard's stream: the batch of one position, encoded by its publisher once for all who read it.

Of each changed market it has the whole record, undecoded, and ready fragments for clients. So a gateway that passes changes on
decodes none of them, the last record of a market is all that there is to know of it, and what changed is derived from the record
where somebody wants to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import Batch, EventRecord, MarketRecord, Record, Removal
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.offer.entries.fragments import ready_fragments
from oddsengine.offer.offer import BEGINNING, event_since, market_since

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.offer.owned_offer import OwnedOffer

_encode: Final = msgspec.msgpack.Encoder().encode
_decode_fragments: Final = msgspec.msgpack.Decoder(list[bytes]).decode
decode_record: Final = msgspec.msgpack.Decoder(Record).decode


class Entry(msgspec.Struct, array_like=True, gc=False):
    """The batch of a position, published at `ts_ms` (Unix milliseconds). An empty one is a heartbeat.

    Attributes:
        seq: the position in its epoch.
        commands: how far the log of commands has been obeyed in what is published up to here.
        urgent: how many of the first markets stopped taking bets: they are sent first.
        events: the whole record of each changed event.
        markets: the changed markets, those of an event next to each other.
        runs: the events of these, each with the number of its next markets.
        records: the whole record of each market, encoded as in a snapshot.
        ready: the fragments of the markets, encoded, for each profile; none in the entry that opens an epoch.
        profiles: in the entry that opens an epoch those of its prices: it has what has changed since the entry that the epoch
            follows. Without these it does not have all.
        sent_ms: when it was committed, by a clock of its owner that is never set; 0 in entries of earlier releases.
        age_ms: how old what it says was then: by how much the owner's sources may have been ahead of it.
    """

    seq: int
    ts_ms: int
    commands: int = 0
    urgent: int = 0
    events: list[EventRecord] = []
    removals: list[Removal] = []
    markets: list[MarketId] = []
    runs: list[tuple[EventId, int]] = []
    records: list[bytes] = []
    ready: list[msgspec.Raw] = []
    profiles: tuple[str, ...] = ()
    sent_ms: int = 0
    age_ms: int = 0

    def __post_init__(self) -> None:
        # An entry that anything else wrote into the stream is unreadable, not half a batch.
        count = len(self.markets)
        if not 0 <= self.urgent <= count:
            raise ValueError(f"{self.urgent} urgent of {count} markets")
        counts = [markets for _, markets in self.runs]
        if count != len(self.records) or count != sum(counts) or min(counts, default=0) < 0:
            raise ValueError(f"{count} markets, but {len(self.records)} records in runs {self.runs[:10]}")

    def fragments(self, profile_index: int) -> list[bytes] | None:
        """Decode the ready fragments of a profile; None if there are none that can be used."""
        if profile_index >= len(self.ready):
            return None
        try:
            fragments = _decode_fragments(self.ready[profile_index])
        except DECODING_ERRORS:
            return None
        return fragments if len(fragments) == len(self.markets) else None


decode_entry: Final = msgspec.msgpack.Decoder(Entry).decode


def entry_of(offer: OwnedOffer, batch: Batch) -> Entry:
    """Return the entry of the batch that an offer has just committed."""
    records = [offer.markets[change.id] for change in batch.markets]
    return Entry(
        offer.seq,
        batch.ts_ms,
        batch.commands,
        batch.urgent,
        [offer.events[change.id].record for change in batch.events],
        batch.removals,
        [record.id for record in records],
        _runs(records),
        [_encode(record) for record in records],
        [msgspec.Raw(_encode(each)) for each in ready_fragments(batch.markets, len(offer.profiles) if records else 0)],
    )


def opening_of(offer: OwnedOffer, unpublished: Sequence[Batch], ts_ms: int) -> Entry:
    """Return the entry of the epoch that an offer has just opened, with what changed in batches that nobody has read.

    Args:
        offer: the offer.
        unpublished: the batches, in order.
        ts_ms: when it is published, Unix milliseconds.
    """
    changed = {change.id for batch in unpublished for change in batch.markets}
    records = sorted(
        [record for market in changed if (record := offer.markets.get(market)) is not None],
        key=lambda record: (not _is_urgent(record), record.identity.event, record.id),
    )
    events = {change.id: None for batch in unpublished for change in batch.events}
    removals = {(removal.kind, removal.id): removal for batch in unpublished for removal in batch.removals}
    return Entry(
        0,
        ts_ms,
        offer.commands,
        sum(map(_is_urgent, records)),
        [offer.events[event].record for event in events if event in offer.events],
        [gone for gone in removals.values() if gone.id not in (offer.markets if gone.kind == "market" else offer.events)],
        [record.id for record in records],
        _runs(records),
        [_encode(record) for record in records],
        profiles=offer.profiles,
    )


def _is_urgent(record: MarketRecord) -> bool:
    return market_since(record, BEGINNING).is_urgent


def _runs(records: Sequence[MarketRecord]) -> list[tuple[EventId, int]]:
    runs: list[tuple[EventId, int]] = []
    event, count = EventId(""), 0
    for record in records:
        if record.identity.event == event:
            count += 1
            continue
        if count:
            runs.append((event, count))
        event, count = record.identity.event, 1
    if count:
        runs.append((event, count))
    return runs


def batch_of(entry: Entry) -> Batch:
    """Derive the batch of an entry.

    Raises:
        MsgspecError, ValueError: if a record can't be read.
    """
    since = entry.seq - 1
    markets = []
    for raw in entry.records:
        record = decode_record(raw)
        if not isinstance(record, MarketRecord):
            raise ValueError(f"a record of {type(record).__name__}, not of a market")  # noqa: TRY004
        markets.append(market_since(record, since))
    events = [change for record in entry.events if (change := event_since(record, since)) is not None]
    return Batch(entry.ts_ms, events, markets, entry.removals, entry.urgent, entry.commands, entry.profiles)
