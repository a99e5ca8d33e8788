"""Large channels and long messages: encoded in slices and sent in chunks, and no other client waits for them."""

from __future__ import annotations

import asyncio
import itertools
from math import inf
from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.client import OddsState
from oddsengine.domain.ids import EventId
from oddsengine.gateway.fanout.thresholds import Thresholds
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.recovery.snapshot_encoder import SnapshotEncoder
from tests.support.builders import an_event, an_offer_of
from tests.support.hub_harness import Gateway

if TYPE_CHECKING:
    from collections.abc import Iterable

EVENTS, MARKETS = 60, 40
THRESHOLDS = Thresholds()
#: A channel that takes many slices to encode and several chunks to send.
EVERYTHING = "sport:football"


async def a_large_offer(**options: Any) -> Gateway:
    gateway = Gateway(**options)
    for number in range(EVENTS):
        owner = gateway.owner_of(f"e{number}")
        owner.stage_event(an_event(f"e{number}"))
        for market in range(MARKETS):
            owner.stage_market(an_offer_of(f"e{number}/total/ft/{market}", {"over": 1900, "under": 1950}))
    gateway.flush()
    await gateway.settled()
    return gateway


async def all_of(gateway: Gateway) -> OddsState:
    """Return what a client of everything has to end with, by another way than the one under test: event by event."""
    state = OddsState()
    _, wire = gateway.joins(*(f"event:{event}" for offer in gateway.replica.offers for event in offer.events))
    await gateway.settled()
    for message in wire.messages():
        state.apply(message)
    return state


def state_after(messages: Iterable[dict[str, Any]]) -> OddsState:
    state = OddsState()
    for message in messages:
        state.apply(message)
    return state


async def test_others_are_sent_prices_while_a_large_snapshot_is_encoded_and_it_has_them_too() -> None:
    gateway = await a_large_offer()
    _, quick = gateway.joins("event:e1")
    quick.messages()
    gateway.tick_s = 0.01  # a slice ends with the first event
    _, wire = gateway.joins(EVERYTHING)
    assert ["welcome", "subscribed"] == [message["op"] for message in wire.messages()]
    for price in (2100, 2200, 2300):
        gateway.publish(e1=price)
        (delta,) = quick.messages()
        assert price / 1000 == delta["markets"][0]["selections"]["home"]["price"]
        await asyncio.sleep(0)
    assert not wire.written, "it is still being encoded"
    await gateway.settled()
    messages = wire.messages()
    gateway.publish(e1=2400)
    messages += wire.messages()
    snapshot, deltas = [m for m in messages if m["op"] == "snapshot"], [m for m in messages if m["op"] == "delta"]
    assert [number + 1 == len(snapshot) for number in range(len(snapshot))] == [part["last"] for part in snapshot]
    assert len(snapshot) > 1
    assert all("e1/match_odds" not in {market["id"] for market in delta["markets"]} for delta in deltas[:-1])
    state = state_after(messages)
    assert 2.4 == state.markets["e1/match_odds"]["selections"]["home"]["price"]
    assert (await all_of(gateway)).markets == state.markets
    assert (await all_of(gateway)).events == state.events


async def test_a_large_snapshot_is_encoded_again_only_where_it_has_changed() -> None:
    gateway = await a_large_offer()
    channel = gateway.replica.channel(EVERYTHING)
    encoder = SnapshotEncoder(gateway.replica, channel, DeliveryOptions(None, "decimal", 0), None)

    def encoded_events() -> int:
        """Bring the encoding up to date; it reads the clock once at the beginning and once after each event."""
        reads = itertools.count()
        assert encoder.advance(lambda: float(next(reads)), inf)
        return next(reads) - 1

    assert EVENTS == encoded_events()
    assert 0 == encoded_events()
    gateway.publish(e1=2100)
    assert 1 == encoded_events()
    gateway.remove("e2")
    assert 0 == encoded_events()
    assert (EVENTS - 1, (EVENTS - 1) * MARKETS + 1) == tuple(map(len, encoder.content()))


@pytest.mark.parametrize("trouble", ["change owner", "stale suspension", "removal"])
async def test_what_happens_while_a_large_snapshot_is_encoded_is_in_it(trouble: str) -> None:
    gateway = await a_large_offer(stale_suspend_after_s=1.0)
    gateway.tick_s = 0.01
    _, wire = gateway.joins(EVERYTHING)
    await asyncio.sleep(0)
    if trouble == "change owner":
        gateway.owners[0].suspend_all("recovering")
        gateway.change_owner(0)
    elif trouble == "stale suspension":
        gateway.hub.staleness.went_stale(0)
        gateway.now_s += 2
        gateway.hub.sweep()
    else:
        gateway.owner_of("e7").remove_event(EventId("e7"))
        gateway.flush()
    await gateway.settled()
    state = state_after(wire.messages())
    assert (await all_of(gateway)).markets == state.markets
    statuses = {market["status"] for market in state.markets.values()}
    assert {"open" if trouble == "removal" else "suspended"} == statuses
    assert ("e7" in state.events) == (trouble != "removal")


async def test_a_large_diff_comes_in_chunks_and_only_the_last_is_at_the_new_position() -> None:
    gateway = await a_large_offer()
    _, wire = gateway.joins(EVERYTHING)
    await gateway.settled()
    messages = wire.messages()
    before = messages[-1]["at"]
    gateway.owners[0].suspend_all("source_down")
    gateway.flush()
    await gateway.settled()
    live = wire.messages()
    _, late = gateway.joins(EVERYTHING, resume=before)
    await gateway.settled()
    _, resumed, *missed = late.messages()
    assert resumed["resumed"]
    for chunks in (live, missed):
        assert len(chunks) > 1
        assert {"delta"} == {chunk["op"] for chunk in chunks}
        *first, last = [chunk["at"] for chunk in chunks]
        assert {before} == set(first)
        assert before != last
        assert EVENTS * MARKETS == len({market["id"] for chunk in chunks for market in chunk["markets"]})
    assert live[-1]["at"] == missed[-1]["at"]


async def test_no_message_is_long() -> None:
    """Not even of one event with as many markets as a sport."""
    gateway = Gateway()
    owner = gateway.owner_of("e1")
    owner.stage_event(an_event("e1"))
    for number in range(5000):
        owner.stage_market(an_offer_of(f"e1/total/ft/{number}", {"over": 1900, "under": 1950}))
    _, wire = gateway.joins(EVERYTHING)
    gateway.flush()
    await gateway.settled()
    lengths = [len(payload) for payload in wire.payloads()]
    chunk_bytes = THRESHOLDS.chunks.chunk_bytes
    assert sum(lengths) > 2 * chunk_bytes
    assert max(lengths) < 1.1 * chunk_bytes


async def test_a_client_that_subscribes_without_reading_is_sent_no_more_snapshots() -> None:
    gateway = await a_large_offer()
    session, wire = gateway.joins("event:e1")
    wire.written.clear()
    wire.reads, wire.backlog = False, 1
    for _ in range(100):
        gateway.hub.handle(session, Subscribe(channels=[f"event:e{number}" for number in range(EVENTS)]))
        gateway.hub.sweep()
    assert {"subscribed"} == {message["op"] for message in wire.messages()}
    wire.reads, wire.backlog = True, 0
    await gateway.settled()
    assert EVENTS == len([message for message in wire.messages() if message["op"] == "snapshot"])


async def test_an_http_snapshot_of_a_large_channel_waits_for_its_slices() -> None:
    gateway = await a_large_offer()
    gateway.tick_s = 0.01
    channel = gateway.replica.channel(EVERYTHING)
    request = asyncio.create_task(gateway.hub.snapshot(channel, DeliveryOptions(None, "decimal", 0)))
    for _ in range(3):
        await asyncio.sleep(0)
        assert not request.done()
    content, at = await request
    assert EVENTS == len(content.events)
    assert EVENTS * MARKETS == len(content.markets)
    assert gateway.replica.at(channel) == at


async def test_no_client_waits_for_all_that_another_requests() -> None:
    gateway = await a_large_offer()
    _, quick = gateway.joins("event:e1")
    await gateway.settled()
    quick.messages()
    gateway.tick_s = 0.01
    _, greedy = gateway.joins(*(f"event:e{number}" for number in range(EVENTS)))
    at_once = [message["channel"] for message in greedy.messages() if message["op"] == "snapshot"]
    assert ["event:e0"] == at_once
    gateway.publish(e1=2100)
    assert ["delta"] == [message["op"] for message in quick.messages()]
    await gateway.settled()
    later = [message["channel"] for message in greedy.messages() if message["op"] == "snapshot"]
    assert {f"event:e{number}" for number in range(1, EVENTS)} == set(later)
    assert EVENTS - 1 == len(later)


async def test_a_large_snapshot_overtakes_the_changes_however_many_there_are() -> None:
    """Twice as many events change in each turn as are encoded in a slice, at first."""
    gateway = await a_large_offer()
    gateway.tick_s = 0.01
    _, wire = gateway.joins(EVERYTHING)
    messages = wire.messages()
    for turn in range(2000):
        gateway.publish(**{f"e{(2 * turn + step) % EVENTS}": 2000 + 20 * turn for step in range(2)})
        await asyncio.sleep(0)
        messages += wire.messages()
        if "snapshot" in {message["op"] for message in messages}:
            break
    else:
        pytest.fail("it was never complete")
    gateway.publish(e1=90_000)
    await gateway.settled()
    state = state_after(messages + wire.messages())
    assert (await all_of(gateway)).markets == state.markets


async def test_the_first_of_very_many_suspensions_does_not_wait_for_the_last() -> None:
    gateway = await a_large_offer()
    _, wire = gateway.joins(EVERYTHING)
    await gateway.settled()
    snapshot = wire.messages()
    before = snapshot[-1]["at"]
    gateway.owners[0].suspend_all("source_down")
    gateway.flush()
    first = wire.messages()
    assert THRESHOLDS.suspensions_per_batch == sum(len(message["markets"]) for message in first)
    _, late = gateway.joins("event:e1")
    gateway.publish(e1=2100)
    await gateway.settled()
    rest = wire.messages()
    assert {before} == {message["at"] for message in [*first, *rest][:-2]}, "a client that disconnects resumes from here"
    state = state_after([*snapshot, *first, *rest])
    assert EVENTS * MARKETS + 1 == len(state.markets)
    assert {"e1/match_odds"} == {market["id"] for market in state.markets.values() if market["status"] == "open"}
    assert 2.1 == state_after(late.messages()).markets["e1/match_odds"]["selections"]["home"]["price"]


async def test_deferred_sessions_are_served_once_a_turn() -> None:
    """However often the hub is swept meanwhile."""
    gateway = await a_large_offer()
    gateway.tick_s = 0.01
    gateway.joins(*(f"event:e{number}" for number in range(EVENTS)))

    async def clock_reads_of_a_turn() -> int:
        before = gateway.clock_reads
        await asyncio.sleep(0)
        return gateway.clock_reads - before

    await clock_reads_of_a_turn()
    quiet = await clock_reads_of_a_turn()
    for _ in range(10):
        gateway.hub.sweep()
    assert quiet == await clock_reads_of_a_turn()
