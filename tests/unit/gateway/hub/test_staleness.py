"""What is known of a shard ages from the feeder on: what each stage adds is one sum, which has one limit."""

from __future__ import annotations

import pytest

from tests.support.hub_harness import Gateway

LIMIT_S = 3.0


def a_gateway() -> Gateway:
    """Return a gateway that has read an entry which was not late."""
    gateway = Gateway(stale_suspend_after_s=LIMIT_S)
    gateway.transit_s = 0.01
    gateway.publish(e1=2000)
    return gateway


@pytest.mark.parametrize(("age_s", "transit_s"), [(0.0, 0.01), (1.9, 0.01), (0.0, 1.5), (1.9, 0.9)])
async def test_ages_of_all_stages_and_silence_have_one_limit(age_s: float, transit_s: float) -> None:
    gateway = a_gateway()
    gateway.now_s += 3.0
    gateway.age_s, gateway.transit_s = age_s, transit_s
    gateway.publish(e1=2100)
    left_s = LIMIT_S - age_s - (transit_s - 0.01)
    gateway.now_s += left_s - 0.01
    await gateway.settled()
    assert set() == gateway.replica.stale_suspended
    gateway.now_s += 0.02
    await gateway.settled()
    assert {0} == gateway.replica.stale_suspended


async def test_entries_that_go_on_arriving_late_do_not_open_it_again() -> None:
    """Each is as late as the one before, and the gateway is never without a sign of life."""
    gateway = a_gateway()
    _, wire = gateway.joins("event:e1")
    wire.messages()
    gateway.age_s, gateway.transit_s = 1.5, 1.4
    for price in range(2100, 2110):
        gateway.now_s += 0.5
        await gateway.settled()
        gateway.publish(e1=price)
    statuses = [market["status"] for message in wire.messages() for market in message.get("markets", ()) if "status" in market]
    assert ["suspended"] == statuses
    gateway.age_s, gateway.transit_s = 0.0, LIMIT_S / 2 + 0.1
    gateway.publish(e1=2200)
    assert {0} == gateway.replica.stale_suspended, "it would soon be too old again"
    gateway.transit_s = 0.1
    gateway.publish(e1=2300)
    assert ["snapshot", "live"] == [message["op"] for message in wire.messages()]
    assert (set(), True) == (gateway.replica.stale_suspended, gateway.replica.ready)


async def test_an_entry_that_was_too_long_on_its_way_suspends_before_it_is_shown() -> None:
    gateway = a_gateway()
    _, wire = gateway.joins("event:e1")
    wire.messages()
    gateway.now_s += 4.0
    gateway.transit_s = LIMIT_S + 0.1
    gateway.publish(e1=2100)
    assert ["stale", "delta"] == [message["op"] for message in wire.messages()]
    assert {0} == gateway.replica.stale_suspended


async def test_another_owner_has_another_clock() -> None:
    """An epoch is as old as its owner says, until an entry of it was read."""
    gateway = a_gateway()
    gateway.hub.staleness.epoch_opened(0, 1.0)
    gateway.change_owner(0)
    gateway.now_s += LIMIT_S - 1.1
    await gateway.settled()
    assert set() == gateway.replica.stale_suspended
    gateway.transit_s = 500.0
    gateway.publish(e1=2100)
    assert set() == gateway.replica.stale_suspended
    gateway.now_s += LIMIT_S + 0.1
    await gateway.settled()
    assert {0} == gateway.replica.stale_suspended


@pytest.mark.parametrize("is_taken_over", [False, True])
async def test_after_a_pause_no_bet_rests_on_a_shard_until_it_was_read_on(is_taken_over: bool) -> None:
    gateway = a_gateway()
    gateway.publish(e1=2050)
    staleness = gateway.hub.staleness
    gateway.now_s += 1.5
    gateway.hub.note_http_request()
    assert staleness.is_current(0), "it was not watched before"
    gateway.now_s += 1.5
    gateway.hub.note_http_request()
    assert not staleness.is_current(0), "what has arrived meanwhile is not read yet"
    if is_taken_over:
        gateway.change_owner(0)
    gateway.transit_s = 1.2
    gateway.publish(e1=2100)
    assert not staleness.is_current(0), "more of it waits"
    gateway.transit_s = 0.01
    gateway.publish(e1=2200)
    assert staleness.is_current(0)
    gateway.hub.note_http_request()
    assert staleness.is_current(0)


async def test_after_a_pause_late_entries_are_enough_if_they_were_written_after_it() -> None:
    """Redis may have become slow for good."""
    gateway = a_gateway()
    gateway.publish(e1=2050)
    gateway.hub.note_http_request()
    gateway.now_s += 1.5
    gateway.hub.note_http_request()
    gateway.transit_s = 0.7
    gateway.now_s += 0.6
    gateway.publish(e1=2100)
    assert not gateway.hub.staleness.is_current(0), "written before"
    gateway.now_s += 0.2
    gateway.publish(e1=2200)
    assert gateway.hub.staleness.is_current(0)
