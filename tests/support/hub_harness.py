"""A hub driven by the test: its offers, its clock, and sockets whose clients read or do not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from oddsengine.domain.changes import Record
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.fanout.thresholds import Thresholds
from oddsengine.gateway.hub.hub import Hub
from oddsengine.gateway.hub.settings import HubSettings
from oddsengine.gateway.protocol.chunking import ChunkLimits
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.state.replica import Replica
from oddsengine.offer.owned_offer import OwnedOffer
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.entries import sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.gateway.fanout.session import Session

#: Every channel is large, every message is long, and two suspensions are very many.
SMALL_THRESHOLDS = Thresholds(large_channel=0, suspensions_per_batch=1, chunks=ChunkLimits(chunk_bytes=150, min_fragments=0))

_encode_record = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(Record).decode
#: A frame's opcode (RFC 6455, section 5.2).
TEXT = 1


class Wire(asyncio.Transport):
    """A transport whose client reads or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.writes = 0
        self.backlog = 0
        self.reads = True
        self.is_closed = self.is_aborted = False

    def write(self, data: Any) -> None:
        self.written += data
        self.writes += 1
        if not self.reads:
            self.backlog += len(data)

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def is_closing(self) -> bool:
        return self.is_closed

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def close(self) -> None:
        self.is_closed = True

    def get_protocol(self) -> Any:
        return None

    def stop_reading(self, backlog: int = 200_000) -> None:
        """Read nothing from here on, with these bytes unread already."""
        self.reads, self.backlog = False, backlog

    def drain(self) -> None:
        """Read everything, and go on reading."""
        self.reads, self.backlog = True, 0

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages written since the last call."""
        return [orjson.loads(payload) for payload in self.payloads()]

    def payloads(self) -> list[bytes]:
        """Return the encoded messages written since the last call."""
        found, data = [], bytes(self.written)
        self.written.clear()
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10], "big"), 10
            if data[0] & 0x0F == TEXT:
                found.append(data[start : start + length])
            data = data[start + length :]
        return found


class Gateway:
    """A hub that follows one owned offer per shard, on a clock set by the test."""

    def __init__(
        self,
        *,
        shards: int = 1,
        stale_suspend_after_s: float = 0.0,
        thresholds: Thresholds | None = None,
        on_offer: Mapping[str, int] | None = None,
    ) -> None:
        self.owners = [OwnedOffer(("default",)) for _ in range(shards)]
        self.replica = Replica(shards)
        self._put(on_offer or {})
        for shard in range(shards):
            self.owners[shard].commit(0)
            self._load(shard)
        self.replica.stale_since.clear()
        self.now_s = 0.0
        #: by how much time advances at each reading of the clock
        self.tick_s = 0.0
        self.clock_reads = 0
        #: how old what owners say is when they write it, and how long that is on its way; None: they do not say
        self.age_s = 0.0
        self.transit_s: float | None = None
        settings = HubSettings(stale_suspend_after_s=stale_suspend_after_s, thresholds=thresholds or Thresholds())
        self.hub = Hub(self.replica, self._clock, lambda: 1 + int(1000 * self.now_s), settings)

    def _clock(self) -> float:
        self.clock_reads += 1
        self.now_s += self.tick_s
        return self.now_s

    def publish(self, **prices: int) -> None:
        """Publish a price of the home side for each event named."""
        self._put(prices)
        self.flush()

    def _put(self, prices: Mapping[str, int]) -> None:
        for event, price in prices.items():
            owner = self.owner_of(event)
            owner.stage_event(an_event(event))
            owner.stage_market(an_offer_of(f"{event}/match_odds", {"home": price}))

    def suspend(self, *events: str) -> None:
        """Publish that the markets of these events are suspended."""
        for event in events:
            self.owner_of(event).suspend(MarketId(f"{event}/match_odds"), "doubt")
        self.flush()

    def remove(self, event: str) -> None:
        """Publish that an event is no longer on offer."""
        self.owner_of(event).remove_event(EventId(event))
        self.flush()

    def change_owner(self, shard: int) -> None:
        """Begin a new epoch of a shard, as a new owner does."""
        self._load(shard)
        self.hub.staleness.replaced(shard)

    def owner_of(self, event: str) -> OwnedOffer:
        return self.owners[self.replica.shard_of(event)]

    def _load(self, shard: int) -> None:
        owner = self.owners[shard]
        owner.open_epoch(owner.epoch + 1)
        # Through bytes: the replica must not share records with the owner.
        records = [_decode_record(_encode_record(record)) for record in owner.records()]
        self.replica.offers[shard].load(owner.epoch, owner.seq, records)

    def flush(self, *, heartbeat: bool = False) -> None:
        """Publish what was put into the owners, or that there is nothing."""
        for shard, owner in enumerate(self.owners):
            batch = owner.commit(0, heartbeat=heartbeat)
            if batch is not None:
                entry = sent(owner, batch)
                if self.transit_s is not None:
                    # By another clock.
                    entry.sent_ms = 9_000_000 + round(1000 * (self.now_s - self.transit_s))
                    entry.age_ms = round(1000 * self.age_s)
                self.replica.offers[shard].apply(entry)
                self.hub.staleness.changed(shard, [entry])

    async def settled(self) -> None:
        """Wait until everything is dispatched and every session that reads has caught up, while the clock stands still."""
        tick_s, self.tick_s = self.tick_s, 0.0
        await asyncio.sleep(0)
        self.hub.sweep()
        while self.hub.is_busy:
            await asyncio.sleep(0)
            self.hub.sweep()
        self.tick_s = tick_s

    def joins(self, *channels: str, interval_ms: int = 0, resume: str | None = None) -> tuple[Session, Wire]:
        """Open a session that subscribes to channels."""
        wire = Wire()
        session = self.hub.open(wire, Access(subject="test"))
        self.hub.handle(session, Subscribe(channels=list(channels), min_interval_ms=interval_ms, resume=resume))
        return session, wire


def prices(messages: list[dict[str, Any]]) -> dict[str, float]:
    """Return the last price of each event's home side in these messages."""
    return {
        market["id"].partition("/")[0]: market["selections"]["home"]["price"]
        for message in messages
        for market in message.get("markets", ())
    }
