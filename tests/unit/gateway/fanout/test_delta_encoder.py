"""Laws of encoding a batch for every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oddsengine.domain.changes import Batch
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedSelection
from oddsengine.gateway.fanout.audiences import Audiences
from oddsengine.gateway.fanout.batches import DeltaBatch
from oddsengine.gateway.fanout.delta_encoder import DeltaEncoder
from oddsengine.gateway.protocol.chunking import ChunkLimits
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.flush_changes import from_entries
from oddsengine.gateway.state.replica import Replica
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.positions import encode_at
from tests.support.builders import an_event, an_offer_of
from tests.support.hub_harness import Wire
from tests.support.streams.entries import sent

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.session import Session

OPTIONS = DeliveryOptions(None, "decimal", 0)
LIMITS = ChunkLimits()
CHANNELS = ("sport:football", "competition:cup", "event:e1", "event:e2", "market:e1/match_odds", "market:e2/match_odds")


class Shard:
    """A shard with two events, and audiences of all their channels."""

    def __init__(self) -> None:
        self.owner = OwnedOffer(("default", "vip"))
        self.replica = Replica(1)
        self.offer = self.replica.offers[0]
        for event in ("e1", "e2"):
            self.owner.stage_event(an_event(event))
            self._price(event, 2000)
        self.owner.commit(0)
        self.offer.load(self.owner.epoch, self.owner.seq, list(self.owner.records()))
        self.before = self.replica.at()
        self.audiences = Audiences(self.replica, lambda _: None)

    def _price(self, event: str, milli: int) -> None:
        selections = {"home": OfferedSelection("home", "active", (milli, milli + 100))}
        self.owner.stage_market(msgspec.structs.replace(an_offer_of(f"{event}/match_odds"), selections=selections))

    def change(self, *prices: str, suspended: str | None = None, removed: str | None = None) -> None:
        for event in prices:
            self._price(event, 2500)
        if suspended is not None:
            self.owner.suspend(MarketId(f"{suspended}/match_odds"), "doubt")
        if removed is not None:
            self.owner.remove_event(EventId(removed))

    def audience(self, channel: str, options: DeliveryOptions = OPTIONS) -> Audience[Session]:
        return self.audiences.get(self.replica.channel(channel), options)

    def encoder(self, limits: ChunkLimits = LIMITS) -> DeltaEncoder:
        batch = self.owner.commit(1000)
        assert isinstance(batch, Batch)
        entry = sent(self.owner, batch)
        self.offer.apply(entry)
        at = self.replica.at()
        delta = DeltaBatch(0, from_entries([entry], self.offer), batch.ts_ms, at[0])
        return DeltaEncoder(self.offer, delta, self.audiences, at, self.before, limits)


def messages(framed: bytes) -> list[dict[str, Any]]:
    wire = Wire()
    wire.write(framed)
    return wire.messages()


def test_a_batch_concerns_the_channels_of_its_events_that_somebody_is_subscribed_to() -> None:
    shard = Shard()
    for channel in CHANNELS[:-1]:
        shard.audience(channel)
    shard.change("e1")
    encoder = shard.encoder()
    assert {"sport:football", "competition:cup", "event:e1", "market:e1/match_odds"} == set(encoder.channels())
    assert {1} == {encoder.market_count(channel) for channel in encoder.channels()}
    assert 0 == encoder.market_count("event:e2")


def test_every_channel_is_sent_the_same_fragment_with_the_position_of_the_batch() -> None:
    shard = Shard()
    audiences = [shard.audience(channel) for channel in ("sport:football", "event:e1", "market:e1/match_odds")]
    shard.change("e1")
    encoder = shard.encoder()
    deltas = [messages(encoder.delta(audience)) for audience in audiences]
    market = {"id": "e1/match_odds", "v": 2, "selections": {"home": {"price": 2.5}}}
    for audience, (delta,) in zip(audiences, deltas, strict=True):
        at = encode_at(shard.replica.at())
        assert {"op": "delta", "channel": audience.channel.name, "at": at, "ts": 1000, "markets": [market]} == delta


def test_each_profile_format_and_encoding_is_sent_its_own_prices() -> None:
    shard = Shard()
    vip, fractional = DeliveryOptions("vip", "decimal", 0), DeliveryOptions(None, "fractional", 0)
    audiences = [shard.audience("event:e1", options) for options in (OPTIONS, vip, fractional)]
    shard.change("e1")
    encoder = shard.encoder()
    prices = [messages(encoder.delta(audience))[0]["markets"][0]["selections"]["home"]["price"] for audience in audiences]
    assert [2.5, 2.6, "6/4"] == prices


def test_an_audience_with_an_interval_is_sent_suspensions_only_and_keeps_its_position() -> None:
    shard = Shard()
    paced = shard.audience("sport:football", OPTIONS._replace(interval_ms=1000))
    quiet = shard.audience("event:e1", OPTIONS._replace(interval_ms=1000))
    shard.change("e1", suspended="e2")
    encoder = shard.encoder()
    framed = encoder.suspensions(paced)
    assert framed is not None
    (delta,) = messages(framed)
    assert [("e2/match_odds", "suspended")] == [(market["id"], market["status"]) for market in delta["markets"]]
    assert encode_at(shard.before) == delta["at"]
    assert encoder.suspensions(quiet) is None


def test_what_is_removed_is_sent_to_the_channels_it_was_in() -> None:
    shard = Shard()
    everything, event, other = (shard.audience(channel) for channel in ("sport:football", "event:e2", "event:e1"))
    shard.change(removed="e2")
    encoder = shard.encoder()
    assert {everything.channel.name, event.channel.name} == set(encoder.channels())
    (delta,) = messages(encoder.delta(everything))
    assert [{"id": "e2", "removed": True}] == delta["events"]
    assert other.channel.name not in encoder.channels()


@pytest.mark.parametrize(("chunk_bytes", "expected"), [(1, 2), (100, 2), (100_000, 1)])
def test_a_long_delta_comes_in_chunks_and_only_the_last_moves_the_client(chunk_bytes: int, expected: int) -> None:
    shard = Shard()
    everything = shard.audience("sport:football")
    shard.change("e1", "e2")
    chunks = messages(shard.encoder(ChunkLimits(chunk_bytes, min_fragments=0)).delta(everything))
    assert {"e1/match_odds", "e2/match_odds"} == {market["id"] for chunk in chunks for market in chunk["markets"]}
    before, now = encode_at(shard.before), encode_at(shard.replica.at())
    assert [before] * (len(chunks) - 1) + [now] == [chunk["at"] for chunk in chunks]
    assert expected == len(chunks)
