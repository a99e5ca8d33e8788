"""A hub fed by hand, on wires that take as much as the test says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from oddsengine.domain.changes import Record
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.hub.hub import Hub
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.state.replica import Replica
from oddsengine.offer.owned_offer import OwnedOffer
from tests.support.builders import an_event, an_offer_of

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.session import Session


_encode_record = msgspec.msgpack.Encoder().encode
_decode_record = msgspec.msgpack.Decoder(Record).decode
#: A frame's opcode (RFC 6455, section 5.2).
TEXT = 1


class Wire(asyncio.Transport):
    """A transport whose client reads or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.backlog = 0
        self.reads = True
        self.is_shut = False

    def write(self, data: Any) -> None:
        self.written += data
        if not self.reads:
            self.backlog += len(data)

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def is_closing(self) -> bool:
        return self.is_shut

    def abort(self) -> None:
        self.is_shut = True

    def close(self) -> None:
        self.is_shut = True

    def messages(self) -> list[dict[str, Any]]:
        """Take the messages written since the last call."""
        found, data = [], bytes(self.written)
        self.written.clear()
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10], "big"), 10
            if data[0] & 0x0F == TEXT:
                found.append(orjson.loads(data[start : start + length]))
            data = data[start + length :]
        return found


class Gateway:
    """A hub fed by hand from an offer a shard, whose clock goes by hand too."""

    def __init__(self, *, shards: int = 1, stale_suspend_after_s: float = 0.0) -> None:
        self.owners = [OwnedOffer(("default",)) for _ in range(shards)]
        self.replica = Replica(shards)
        for shard in range(shards):
            self._load(shard)
        self.replica.stale_since.clear()
        self.now_s = 0.0
        #: how much later it is each time somebody looks at the clock
        self.tick_s = 0.0
        self.hub = Hub(self.replica, self._clock, lambda: 1 + int(1000 * self.now_s), stale_suspend_after_s=stale_suspend_after_s)

    def _clock(self) -> float:
        self.now_s += self.tick_s
        return self.now_s

    def publish(self, **prices: int) -> None:
        """Publish a price of the home side for each event named."""
        for event, price in prices.items():
            owner = self.owner_of(event)
            owner.stage_event(an_event(event))
            owner.stage_market(an_offer_of(f"{event}/match_odds", {"home": price}))
        self.flush()

    def suspend(self, *events: str) -> None:
        """Publish that these events' markets take no bets."""
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
        # Through bytes: a replica of its own, not the same records.
        records = [_decode_record(_encode_record(record)) for record in owner.records()]
        self.replica.offers[shard].load(owner.epoch, owner.seq, records)

    def flush(self) -> None:
        """Publish what was put into the owners."""
        for shard, owner in enumerate(self.owners):
            batch = owner.commit(0)
            if batch is not None:
                self.replica.offers[shard].apply(owner.seq, batch)
                self.hub.staleness.changed(shard, [batch])

    async def settled(self) -> None:
        """Let everybody be told all there is to tell, while the clock stands still."""
        tick_s, self.tick_s = self.tick_s, 0.0
        await asyncio.sleep(0)
        self.hub.sweep()
        while self.hub.dispatcher.is_busy:
            await asyncio.sleep(0)
            self.hub.sweep()
        self.tick_s = tick_s

    def joins(self, *channels: str, interval_ms: int = 0, resume: str | None = None) -> tuple[Session, Wire]:
        wire = Wire()
        session = self.hub.open(wire, Access(subject="test"))
        self.hub.handle(session, Subscribe(channels=list(channels), min_interval_ms=interval_ms, resume=resume))
        return session, wire


def prices(messages: list[dict[str, Any]]) -> dict[str, float]:
    """The last price told of each event's home side."""
    return {
        market["id"].partition("/")[0]: market["selections"]["home"]["price"]
        for message in messages
        for market in message.get("markets", ())
    }
