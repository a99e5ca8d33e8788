"""What each session is sent, on sockets whose clients read or do not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.protocol.client_messages import Subscribe
from tests.support.builders import an_offer_of
from tests.support.hub_harness import SMALL_THRESHOLDS, Gateway, prices


async def test_a_slow_consumer_is_sent_one_diff_once_its_socket_has_drained() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    wire.messages()
    wire.stop_reading()
    gateway.publish(e1=2100)
    wire.messages()
    for price in range(2200, 3200, 20):
        gateway.publish(e1=price)
        gateway.hub.sweep()
    assert b"" == wire.written, "nothing is written to a full socket"
    assert 1 == gateway.hub.slow_consumers
    wire.drain()
    gateway.hub.sweep()
    (delta,) = wire.messages()
    assert ("delta", {"e1": 3.18}) == (delta["op"], prices([delta]))
    assert 0 == gateway.hub.slow_consumers


async def test_a_socket_that_fills_up_during_a_flush_loses_nothing_of_it() -> None:
    """The session is subscribed to two events, and the frame of the first fills its socket."""
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    _, wire = gateway.joins("event:e1", "event:e2")
    wire.messages()
    wire.stop_reading()
    gateway.publish(e1=2100, e2=2200)
    received = wire.messages()
    gateway.publish(e1=2300)
    wire.drain()
    gateway.hub.sweep()
    received += wire.messages()
    assert {"e1": 2.3, "e2": 2.2} == prices(received)


async def test_a_slow_consumer_does_not_delay_others() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, slow = gateway.joins("event:e1")
    _, quick = gateway.joins("event:e1")
    slow.stop_reading()
    quick.messages()
    for price in (2100, 2200, 2300):
        gateway.publish(e1=price)
    assert 3 == len(quick.messages())


async def test_a_slow_consumer_is_sent_the_staleness_that_it_missed() -> None:
    """A client that missed `live` would grey out its prices for good."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    gateway.hub.staleness.went_stale(0)
    assert "stale" == wire.messages()[-1]["op"]
    wire.stop_reading()
    gateway.publish(e1=2100)
    wire.messages()
    gateway.hub.staleness.went_live(0)
    assert b"" == wire.written
    wire.drain()
    gateway.hub.sweep()
    assert ["live"] == [message["op"] for message in wire.messages()]


async def test_a_session_that_joins_while_a_shard_is_stale_is_sent_stale() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.hub.staleness.went_stale(0)
    _, wire = gateway.joins("event:e1")
    assert ["welcome", "subscribed", "snapshot", "stale"] == [message["op"] for message in wire.messages()]


async def test_a_channel_of_several_shards_is_stale_until_all_of_them_are_live() -> None:
    gateway = Gateway(shards=2)
    gateway.publish(e1=2000, e2=2000)
    _, wire = gateway.joins("sport:football")
    wire.messages()
    staleness = gateway.hub.staleness
    for tell in (staleness.went_stale, staleness.went_live):
        tell(0)
        tell(1)
    assert ["stale", "live"] == [message["op"] for message in wire.messages()]


async def test_markets_of_an_owner_that_was_never_heard_are_suspended() -> None:
    """A market whose age is not known is too old to be open."""
    gateway = Gateway(stale_suspend_after_s=3.0, on_offer={"e1": 2000})
    _, wire = gateway.joins("event:e1")
    wire.messages()
    gateway.now_s += 2.9
    await gateway.settled()
    assert [] == wire.messages()
    gateway.now_s += 0.2
    await gateway.settled()
    stale, delta = wire.messages()
    assert "stale" == stale["op"]
    assert ("suspended", "stale") == (delta["markets"][0]["status"], delta["markets"][0]["reason"])


async def test_a_follower_that_hangs_does_not_keep_markets_open() -> None:
    """The hub measures the silence itself: `went_stale` is not called here."""
    gateway = Gateway(stale_suspend_after_s=3.0)
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    wire.messages()
    gateway.now_s += 3.1
    await gateway.settled()
    assert ["stale", "delta"] == [message["op"] for message in wire.messages()]
    assert not gateway.replica.ready
    gateway.publish(e1=2100)
    messages = wire.messages()
    assert {"e1": 2.1} == prices(messages)
    assert ["snapshot", "live"] == [message["op"] for message in messages]
    assert gateway.replica.ready, "the follower did not notice the silence, and reports nothing"


async def test_an_epoch_that_opens_is_a_sign_of_life_but_lifts_no_suspension() -> None:
    """The state of before must not be shown open again until the new owner's is loaded."""
    gateway = Gateway(stale_suspend_after_s=3.0)
    gateway.publish(e1=2000)
    gateway.now_s += 2.5
    gateway.hub.staleness.epoch_opened(0, 0.0)
    gateway.now_s += 2.5
    await gateway.settled()
    assert set() == gateway.replica.stale_suspended
    gateway.now_s += 1.0
    await gateway.settled()
    gateway.hub.staleness.epoch_opened(0, 0.0)
    assert {0} == gateway.replica.stale_suspended


async def test_a_stale_suspended_shard_is_sent_as_of_its_last_suspension() -> None:
    """A snapshot kept from an earlier suspension would lack what was published in between."""
    gateway = Gateway(stale_suspend_after_s=5.0)
    gateway.publish(e1=2000)
    for events in (["e1"], ["e1", "e2"]):
        gateway.publish(**dict.fromkeys(events, 2000 + 100 * len(events)))
        gateway.hub.staleness.went_live(0)
        gateway.hub.staleness.went_stale(0)
        gateway.now_s += 10.0
        await gateway.settled()
        session, wire = gateway.joins("sport:football")
        gateway.hub.close(session)
        snapshot = wire.messages()[2]
        assert events == [event["id"] for event in snapshot["events"]]
        assert {"suspended"} == {market["status"] for market in snapshot["markets"]}


async def test_a_client_that_last_saw_a_shard_suspended_does_not_resume_in_a_later_suspension() -> None:
    gateway = Gateway(stale_suspend_after_s=5.0)
    gateway.publish(e1=2000)
    resume: str | None = None
    for price in (2100, 2200):
        gateway.publish(e1=price)
        gateway.hub.staleness.went_live(0)
        gateway.hub.staleness.went_stale(0)
        gateway.now_s += 10.0
        await gateway.settled()
        session, wire = gateway.joins("event:e1", resume=resume)
        _, subscribed, snapshot, _ = wire.messages()
        assert not subscribed["resumed"]
        assert "snapshot" == snapshot["op"]
        resume = snapshot["at"]
        gateway.hub.close(session)


async def test_an_audience_with_an_interval_is_sent_a_stale_suspension_once() -> None:
    gateway = Gateway(stale_suspend_after_s=5.0)
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1", interval_ms=1000)
    gateway.hub.staleness.went_stale(0)
    for _ in range(10):
        gateway.now_s += 2.0
        await gateway.settled()
    sent = [message["op"] for message in wire.messages()]
    assert ["stale", "delta", "snapshot"] == sent[3:], "the warning, the suspension, and its position after that"
    gateway.publish(e1=2100)
    assert {"e1": 2.1} == prices(wire.messages())


async def test_a_session_that_joins_an_audience_with_an_interval_does_not_move_its_position() -> None:
    """The snapshot of a second subscriber must not swallow what the first is still to be sent."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, first = gateway.joins("event:e1", interval_ms=1000)
    gateway.hub.sweep()
    first.messages()
    gateway.publish(e1=2100)
    gateway.joins("event:e1", interval_ms=1000)
    gateway.now_s = 1.5
    await gateway.settled()
    assert {"e1": 2.1} == prices(first.messages())


async def test_suspensions_come_first_in_a_flush_and_do_not_wait_for_intervals() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    _, wire = gateway.joins("sport:football")
    _, paced = gateway.joins("sport:football", interval_ms=10_000)
    gateway.hub.sweep()
    wire.messages()
    paced.messages()
    gateway.owner_of("e1").stage_market(an_offer_of("e1/match_odds", {"home": 2500}))
    gateway.owner_of("e1").suspend(an_offer_of("e2/match_odds").id, "doubt")
    gateway.publish(e1=2600)
    (delta,) = wire.messages()
    assert ["e2/match_odds", "e1/match_odds"] == [market["id"] for market in delta["markets"]]
    (urgent,) = paced.messages()
    assert ["e2/match_odds"] == [market["id"] for market in urgent["markets"]]


@pytest.mark.parametrize("shards", [1, 2])
async def test_a_suspension_overtakes_the_price_batches_of_a_split_flush(shards: int) -> None:
    """With two shards, `e1` is in one of them and the other events are in the other."""
    gateway = Gateway(shards=shards, thresholds=SMALL_THRESHOLDS)
    gateway.publish(e1=2000, e4=2000, e5=2000, e6=2000)
    _, wire = gateway.joins("event:e1", "event:e4", "event:e5", "event:e6")
    await gateway.settled()
    wire.messages()
    gateway.tick_s = 1.0
    owner = gateway.owner_of("e4")
    assert owner is gateway.owner_of("e5") is gateway.owner_of("e6")
    for event in ("e4", "e5"):
        owner.suspend(MarketId(f"{event}/match_odds"), "doubt")
    owner.stage_market(an_offer_of("e6/match_odds", {"home": 2100}))
    gateway.flush()
    received = wire.messages()
    while len(received) < 2:
        await asyncio.sleep(0)
        received += wire.messages()
    assert ["event:e4", "event:e5"] == sorted(message["channel"] for message in received), "one batch each"
    gateway.suspend("e1")
    while gateway.hub.is_busy:
        await asyncio.sleep(0)
    received = wire.messages()
    channels = [message["channel"] for message in received]
    assert channels.index("event:e1") < channels.index("event:e6")
    assert {"e1": None, "e6": 2.1} == {event: price for event, price in prices(received).items() if event in {"e1", "e6"}}


async def test_heartbeats_go_only_to_idle_sessions() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    _, busy = gateway.joins("event:e1")
    _, idle = gateway.joins("event:e2")
    gateway.now_s = 6.0
    gateway.publish(e1=2100)
    busy.messages()
    idle.messages()
    gateway.hub.heartbeat()
    assert b"" == busy.written
    (beat,) = idle.messages()
    assert ("heartbeat", "0-1-2") == (beat["op"], beat["at"])


async def test_a_closed_session_leaves_nothing_behind() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    session, wire = gateway.joins("event:e1", "sport:football")
    wire.stop_reading()
    gateway.publish(e1=2100)
    gateway.hub.close(session)
    assert ({}, 0, set()) == (gateway.hub.sessions, gateway.hub.slow_consumers, set(gateway.hub.subscribed_channels))
    assert EventId("e1") in gateway.replica.offers[0].events


async def test_a_flush_is_written_in_slices_and_what_comes_in_between_is_in_order() -> None:
    """Law: whatever happens between two slices, no session is sent an older price after a newer one; all end with the newest."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.tick_s = 1.0
    everyone = [gateway.joins("event:e1") for _ in range(450)]
    await gateway.settled()
    received: dict[int, list[Any]] = {number: [] for number in range(len(everyone))}

    def receive() -> int:
        """Note the prices that each session was sent since the last call. Return how many were sent any."""
        found = 0
        for number, (_, wire) in enumerate(everyone):
            new = [prices([message])["e1"] for message in wire.messages() if message["op"] in {"delta", "snapshot"}]
            received[number] += new
            found += bool(new)
        return found

    receive()
    gateway.publish(e1=2100)
    assert 0 < receive() < 450, "the first slice only"
    gateway.publish(e1=2200)
    late_session, _ = late = gateway.joins("event:e1")
    everyone.append(late)
    received[450] = []
    leaving, _ = everyone[449]
    gateway.hub.close(leaving)
    resubscribing, _ = everyone[448]
    gateway.hub.handle(resubscribing, Subscribe(channels=["event:e1"]))
    for _ in range(500):
        await asyncio.sleep(0)
        receive()
    gateway.hub.sweep()
    receive()
    assert not gateway.hub.is_busy
    for number, all_prices in received.items():
        assert sorted(all_prices) == all_prices, number
        if number != 449:
            assert 2.2 == all_prices[-1], number
    assert [2.0] == received[449]
    assert [2.2] == list(dict.fromkeys(received[450]))
    assert late_session in gateway.hub.sessions


async def test_changes_that_wait_for_a_flush_are_sent_even_if_that_is_flushed_at_once() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.tick_s = 1.0
    everyone = [gateway.joins("event:e1")[1] for _ in range(450)]
    gateway.publish(e1=2100)
    gateway.publish(e1=2200)
    gateway.hub.staleness.went_stale(0)
    gateway.hub.staleness.went_live(0)
    for _ in range(500):
        await asyncio.sleep(0)
    assert {2.2} == {prices(wire.messages())["e1"] for wire in everyone}


async def test_a_large_flush_yields_before_it_is_encoded_and_written() -> None:
    gateway = Gateway()
    gateway.publish(**{f"e{number}": 2000 for number in range(80)})
    _, wire = gateway.joins(*(f"event:e{number}" for number in range(80)))
    wire.messages()
    gateway.publish(**{f"e{number}": 2100 for number in range(80)})
    assert gateway.hub.is_busy
    assert [] == wire.messages()
    while gateway.hub.is_busy:
        await asyncio.sleep(0)
    assert {f"e{number}": 2.1 for number in range(80)} == prices(wire.messages())


async def test_heartbeats_for_a_share_of_the_sessions_at_a_time_reach_everyone_once() -> None:
    gateway = Gateway()
    wires = [gateway.joins()[1] for _ in range(10)]
    for wire in wires:
        wire.messages()
    gateway.now_s = 6.0
    gateway.hub.heartbeat(0.3)
    assert 3 == sum(bool(wire.written) for wire in wires)
    for _ in range(3):
        gateway.hub.heartbeat(0.3)
    assert [["heartbeat"]] * 10 == [[message["op"] for message in wire.messages()] for wire in wires]
