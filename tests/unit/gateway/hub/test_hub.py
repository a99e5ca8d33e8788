"""Who is told what, on wires that take as much as the test says."""

from __future__ import annotations

import asyncio
from typing import Any

from oddsengine.domain.ids import EventId
from oddsengine.gateway.protocol.client_messages import Subscribe
from tests.support.builders import an_offer_of
from tests.support.hub_harness import Gateway, prices


async def test_a_client_that_does_not_read_costs_a_position_and_then_gets_one_diff() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    wire.messages()
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100)
    wire.messages()
    for price in range(2200, 3200, 20):
        gateway.publish(e1=price)
        gateway.hub.sweep()
    assert b"" == wire.written, "nothing is written to a full socket"
    assert 1 == gateway.hub.slow_consumers
    wire.reads, wire.backlog = True, 0
    gateway.hub.sweep()
    (delta,) = wire.messages()
    assert ("delta", {"e1": 3.18}) == (delta["op"], prices([delta]))
    assert 0 == gateway.hub.slow_consumers


async def test_a_socket_that_fills_up_in_the_middle_of_a_flush_loses_nothing_of_it() -> None:
    """It is subscribed to two events; the first one's frame is the one too many."""
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    _, wire = gateway.joins("event:e1", "event:e2")
    wire.messages()
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100, e2=2200)
    heard = wire.messages()
    gateway.publish(e1=2300)
    wire.reads, wire.backlog = True, 0
    gateway.hub.sweep()
    heard += wire.messages()
    assert {"e1": 2.3, "e2": 2.2} == prices(heard)


async def test_others_do_not_feel_a_slow_one() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, slow = gateway.joins("event:e1")
    _, quick = gateway.joins("event:e1")
    slow.reads, slow.backlog = False, 200_000
    quick.messages()
    for price in (2100, 2200, 2300):
        gateway.publish(e1=price)
    assert 3 == len(quick.messages())


async def test_what_was_told_of_trouble_is_made_up_for() -> None:
    """A client that could not hear `live` would show its prices greyed for ever."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    gateway.hub.staleness.went_stale(0)
    assert "stale" == wire.messages()[-1]["op"]
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100)
    wire.messages()
    gateway.hub.staleness.went_live(0)
    assert b"" == wire.written
    wire.reads, wire.backlog = True, 0
    gateway.hub.sweep()
    assert ["live"] == [message["op"] for message in wire.messages()]


async def test_who_comes_while_a_shard_is_stale_is_told_so() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.hub.staleness.went_stale(0)
    _, wire = gateway.joins("event:e1")
    assert ["welcome", "subscribed", "snapshot", "stale"] == [message["op"] for message in wire.messages()]


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
    """The hub looks at the silence itself: nobody says `went_stale` here."""
    gateway = Gateway(stale_suspend_after_s=3.0)
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    wire.messages()
    gateway.now_s += 3.1
    await gateway.settled()
    assert ["stale", "delta"] == [message["op"] for message in wire.messages()]
    gateway.publish(e1=2100)
    assert {"e1": 2.1} == prices(wire.messages())


async def test_a_shard_that_is_shut_is_shown_as_it_was_when_it_was_shut_last() -> None:
    """A snapshot kept ready from an earlier time would lack what came in between."""
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


async def test_who_last_saw_a_shard_shut_does_not_resume_where_it_is_shut_again() -> None:
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


async def test_who_is_told_at_intervals_is_not_told_again_and_again_that_a_shard_is_shut() -> None:
    gateway = Gateway(stale_suspend_after_s=5.0)
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1", interval_ms=1000)
    gateway.hub.staleness.went_stale(0)
    for _ in range(10):
        gateway.now_s += 2.0
        await gateway.settled()
    told = [message["op"] for message in wire.messages()]
    assert ["stale", "delta", "snapshot"] == told[3:], "the warning, the suspension at once, and where that leaves it"
    gateway.publish(e1=2100)
    assert {"e1": 2.1} == prices(wire.messages())


async def test_an_interval_starts_where_its_members_are_not_where_the_last_one_joined() -> None:
    """A second subscriber's snapshot must not swallow what the first is still to be told."""
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


async def test_suspensions_come_first_in_a_flush_and_at_once_to_everyone() -> None:
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


async def test_heartbeats_go_to_the_quiet_only() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    _, busy = gateway.joins("event:e1")
    _, quiet = gateway.joins("event:e2")
    gateway.now_s = 6.0
    gateway.publish(e1=2100)
    busy.messages()
    quiet.messages()
    gateway.hub.heartbeat()
    assert b"" == busy.written
    (beat,) = quiet.messages()
    assert ("heartbeat", "0-1-2") == (beat["op"], beat["at"])


async def test_a_closed_session_leaves_nothing_behind() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    session, wire = gateway.joins("event:e1", "sport:football")
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100)
    gateway.hub.close(session)
    assert ({}, 0, set()) == (gateway.hub.sessions, gateway.hub.slow_consumers, set(gateway.hub.subscribed_channels))
    assert EventId("e1") in gateway.replica.offers[0].events


async def test_a_flush_is_written_in_slices_and_what_comes_in_between_is_in_order() -> None:
    """Law: whatever happens between two slices, nobody hears an older price after a newer one, and all end with the newest."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.tick_s = 1.0
    everyone = [gateway.joins("event:e1") for _ in range(450)]
    await gateway.settled()
    heard: dict[int, list[Any]] = {place: [] for place in range(len(everyone))}

    def listen() -> int:
        """Note what each has heard since; give how many have heard anything."""
        found = 0
        for place, (_, wire) in enumerate(everyone):
            news = [prices([message])["e1"] for message in wire.messages() if message["op"] in {"delta", "snapshot"}]
            heard[place] += news
            found += bool(news)
        return found

    listen()
    gateway.publish(e1=2100)
    assert 0 < listen() < 450, "the first slice only"
    gateway.publish(e1=2200)
    late_session, _ = late = gateway.joins("event:e1")
    everyone.append(late)
    heard[450] = []
    leaving, _ = everyone[449]
    gateway.hub.close(leaving)
    resubscribing, _ = everyone[448]
    gateway.hub.handle(resubscribing, Subscribe(channels=["event:e1"]))
    for _ in range(500):
        await asyncio.sleep(0)
        listen()
    gateway.hub.sweep()
    listen()
    assert not gateway.hub.is_busy
    for place, news in heard.items():
        assert sorted(news) == news, place
        if place != 449:
            assert 2.2 == news[-1], place
    assert [2.0] == heard[449]
    assert [2.2] == list(dict.fromkeys(heard[450]))
    assert late_session in gateway.hub.sessions


async def test_what_waited_for_a_flush_is_told_also_when_that_had_to_be_hurried() -> None:
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


async def test_a_large_flush_lets_others_in_first_and_is_told_all_the_same() -> None:
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


async def test_signs_of_life_a_few_sessions_at_a_time_reach_everyone_once() -> None:
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
