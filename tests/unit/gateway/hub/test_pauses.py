"""Pauses of prices after long flushes: suspensions are sent meanwhile."""

from __future__ import annotations

import asyncio

from tests.support.hub_harness import Gateway, prices


async def test_prices_pause_after_a_long_flush_and_suspensions_do_not() -> None:
    """What has gathered in several shards meanwhile is one write: `e1` is in one of them, `e4` in the other."""
    gateway = Gateway(shards=2)
    gateway.publish(e1=2000, e4=2000)
    _, wire = gateway.joins("event:e1", "event:e4")
    await gateway.settled()
    wire.messages()
    gateway.tick_s = 0.005
    gateway.publish(e1=2100)
    gateway.tick_s = 0.0
    assert {"e1": 2.1} == prices(wire.messages())
    gateway.publish(e1=2200, e4=2200)
    gateway.publish(e1=2300)
    assert [] == wire.messages(), "the flush has taken 20 ms"
    gateway.suspend("e1")
    (suspended,) = wire.messages()
    assert ("event:e1", "suspended") == (suspended["channel"], suspended["markets"][0]["status"])
    gateway.publish(e1=2400)
    writes = wire.writes
    while gateway.hub.is_busy:
        await asyncio.sleep(0)
    assert ({"e1": 2.4, "e4": 2.2}, 1) == (prices(wire.messages()), wire.writes - writes)
    gateway.now_s += 1.0
    gateway.publish(e1=2500)
    assert {"e1": 2.5} == prices(wire.messages()), "at once after a pause"


async def test_a_suspension_that_comes_while_others_are_written_waits_for_no_pause() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    everyone = [gateway.joins("event:e1", "event:e2") for _ in range(450)]
    await gateway.settled()
    for _, wire in everyone:
        wire.messages()
    gateway.tick_s = 0.0005
    gateway.suspend("e1")
    suspended = [bool(wire.messages()) for _, wire in everyone]
    assert 0 < sum(suspended) < 450, "the first slice only"
    gateway.suspend("e2")
    last = everyone[-1][1]
    turns = 0
    while gateway.hub.is_busy:
        await asyncio.sleep(0)
        turns += 1
    assert {"e1": None, "e2": None} == prices(last.messages())
    assert turns < 100, "a pause takes thousands"
