"""What is stored in Redis, damaged: entries of a stream, records of a snapshot, results. A gateway that reads it goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import Record, SettledMarket
from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.offer.entries.entry import Entry, entry_of
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import BATCH_FIELD, shard_keys
from oddsengine.streams.results import Results
from oddsengine.streams.snapshots.stored import scan_snapshot
from tests.fuzz.budget import bounded, share, tried
from tests.fuzz.grammar import corpus, inputs, odd, to_msgpack
from tests.support.builders import an_event, an_offer_of
from tests.support.hub_harness import Gateway, Wire

encode = msgspec.msgpack.Encoder().encode


def _batches() -> list[Any]:
    """Return what an owner publishes, as plain values."""
    offer = OwnedOffer(("default",))
    offer.open_epoch(1)
    found: list[Any] = []
    for price in (2000, 2100, None):
        offer.stage_event(an_event("e1"))
        offer.stage_market(an_offer_of("e1/match_odds", {"home": price, "away": 1900}))
        found.append(_entry(offer))
    offer.remove_event(an_event("e1").id)
    found.append(_entry(offer))
    return found


def _entry(offer: OwnedOffer) -> Any:
    batch = offer.commit(1)
    assert batch is not None
    return msgspec.msgpack.decode(encode(entry_of(offer, batch)))


def _records() -> list[Any]:
    return [msgspec.msgpack.decode(encode(record)) for record in Gateway(on_offer={"e1": 2000}).owners[0].records()]


BATCHES, RECORDS = _batches(), _records()
#: where an entry has the records of its markets
_RECORDS = [field.name for field in msgspec.structs.fields(Entry)].index("records")


@st.composite
def altered(draw: st.DrawFn, values: list[Any]) -> Any:
    """Return one of the values with an odd one somewhere in it."""
    return _alter(draw, draw(st.sampled_from(values)))


def _alter(draw: st.DrawFn, value: Any) -> Any:
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        at = draw(st.integers(0, len(value) - 1))
        match draw(st.integers(0, 9)):
            case 0:
                return value[:at]
            case 1:
                return [*value, draw(odd)]
            case _:
                return [*value[:at], _alter(draw, value[at]), *value[at + 1 :]]
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value)))
        return {**value, draw(st.just(key) | st.text(max_size=4)): _alter(draw, value[key])}
    return draw(odd | st.sampled_from(BATCHES + RECORDS))


@st.composite
def with_altered_records(draw: st.DrawFn, values: list[Any]) -> Any:
    """Return an entry whose records of markets, which are bytes in it, are altered."""
    entry = list(draw(st.sampled_from(values)))
    entry[_RECORDS] = [to_msgpack(_alter(draw, msgspec.msgpack.decode(record))) for record in entry[_RECORDS]]
    return entry


def entries(values: list[Any]) -> st.SearchStrategy[Any]:
    """Return the values, and altered ones."""
    return st.sampled_from(values) | altered(values) | altered(values)


def follower_of(gateway: Gateway) -> Follower:
    offer = gateway.replica.offers[0]
    nowhere: Any = None
    follower = Follower(nowhere, 0, shard_keys("fuzz", 0), offer, gateway.hub.staleness, lambda: 0.0)
    follower._position = follower._furthest
    return follower


def at_seq(entry: bytes, seq: int) -> bytes:
    """Return an entry with the seq of its position, if it has one at all."""
    try:
        match msgspec.msgpack.decode(entry):
            case [int(), *rest]:
                return encode([seq, *rest])
    except DECODING_ERRORS:
        pass
    return entry


def has_broken_fragments(entry: bytes) -> bool:
    """Check whether an entry has fragments that are not JSON: nobody but its publisher looks into them."""
    decoded = msgspec.msgpack.decode(entry, type=Entry)
    for fragment in decoded.fragments(0) or ():
        try:
            msgspec.json.decode(fragment)
        except DECODING_ERRORS:
            return True
    return False


async def follow(entries: list[bytes]) -> None:
    gateway = Gateway(on_offer={"e1": 2000, "e2": 3000})
    hub, wire = gateway.hub, Wire()
    session = hub.open(wire, Access(subject="fuzz"))
    for odds_format in ("decimal", "fractional", "american", "hong_kong", "malay", "indonesian", "percent"):
        names = ["event:e1", "sport:football", "competition:cup"]
        hub.handle(hub.open(Wire(), Access(subject="fuzz")), Subscribe(channels=names, format=odds_format))
    hub.handle(session, Subscribe(channels=["sport:football"]))
    follower = follower_of(gateway)
    for entry in entries:
        position = follower._furthest
        with bounded():
            stream_id = f"{position.epoch}-{position.seq + 1}".encode()
            is_applied = follower._apply([(stream_id, {BATCH_FIELD: at_seq(entry, position.seq + 1)})])
            hub.sweep()
            hub.heartbeat()
        tried["stream entries", "applied" if is_applied else "unreadable: the snapshot is loaded again"] += 1
        if not is_applied:
            gateway.change_owner(0)
            follower = follower_of(gateway)
        if is_applied and has_broken_fragments(entry):
            wire.written.clear()  # clients are sent what was published
        wire.messages()
        channel = gateway.replica.channel("sport:football")
        await hub.snapshot(channel, next(iter(session.subscriptions.values())).audience.options)


@share(7)
@given(inputs((entries(BATCHES) | with_altered_records(BATCHES)).map(to_msgpack), corpus("entries")))
def test_stream_entries(entries: list[bytes]) -> None:
    asyncio.run(follow(entries))


class Stored:
    """A Redis that holds these values."""

    def __init__(self, values: list[bytes]) -> None:
        self.values = values

    async def hscan_iter(self, _key: str, count: int) -> Any:
        del count
        for number, value in enumerate(self.values):
            yield (b"m:%d" if b"\xa1m" in value[:3] else b"e:%d") % number, value

    async def get(self, _key: str) -> bytes:
        return self.values[0]


async def load(values: list[bytes]) -> None:
    values = [*map(to_msgpack, RECORDS), *values]
    stored: Any = Stored(values[::-1])
    records, _ = await scan_snapshot(stored, "snapshot")
    gateway = Gateway()
    gateway.replica.offers[0].load(5, 5, records)
    gateway.hub.staleness.replaced(0)
    for odds_format in ("decimal", "fractional", "american"):
        names = ["sport:football", "competition:cup"]
        gateway.hub.handle(gateway.hub.open(Wire(), Access(subject="fuzz")), Subscribe(channels=names, format=odds_format))
    tried["snapshot records", "read"] += len(records)
    tried["snapshot records", "unreadable"] += len(values) - len(records)
    found = await Results(stored, "fuzz", 1).find("e1/match_odds")
    assert found is None or isinstance(found, SettledMarket)


@share(3)
@given(inputs(entries(RECORDS).map(to_msgpack), corpus("entries")))
def test_snapshot_records(values: list[bytes]) -> None:
    with bounded():
        asyncio.run(load(values))


def test_undamaged_entries_are_applied() -> None:
    for batch in BATCHES:
        msgspec.msgpack.decode(to_msgpack(batch), type=Entry)
    for record in RECORDS:
        msgspec.msgpack.decode(to_msgpack(record), type=Record)
