"""A client that asks for it is told when it has everything that it has missed."""

from __future__ import annotations

import pytest

from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.protocol.client_messages import Subscribe
from tests.support.hub_harness import Gateway, Wire

EVENTS = {"e1": 2000, "e2": 2000}


def joins(gateway: Gateway, resume: str, *, confirm: bool = True) -> Wire:
    wire = Wire()
    session = gateway.hub.open(wire, Access(subject="test"))
    gateway.hub.handle(session, Subscribe(channels=["event:e1", "event:e2"], resume=resume, confirm=confirm))
    return wire


@pytest.mark.parametrize("tick_s", [0.0, 0.01], ids=["at once", "in turns"])
async def test_each_channel_is_confirmed_after_what_was_missed(tick_s: float) -> None:
    gateway = Gateway(on_offer=EVENTS)
    _, wire = gateway.joins("event:e1")
    at = wire.messages()[-1]["at"]
    gateway.publish(e1=2100)
    gateway.tick_s = tick_s
    wire = joins(gateway, at)
    await gateway.settled()
    messages = [(message["op"], message.get("channel")) for message in wire.messages()[1:]]
    assert ("subscribed", None) == messages[0]
    assert {("delta", "event:e1"), ("live", "event:e1"), ("live", "event:e2")} == set(messages[1:])
    assert messages.index(("delta", "event:e1")) < messages.index(("live", "event:e1"))


async def test_a_stale_channel_is_confirmed_as_stale() -> None:
    gateway = Gateway(on_offer=EVENTS)
    _, wire = gateway.joins("event:e1")
    at = wire.messages()[-1]["at"]
    gateway.hub.staleness.went_stale(0)
    wire = joins(gateway, at)
    assert ["subscribed", "stale", "stale"] == [message["op"] for message in wire.messages()[1:]]
    gateway.hub.staleness.went_live(0)
    assert ["live", "live"] == [message["op"] for message in wire.messages()]


async def test_nothing_is_confirmed_to_a_client_that_does_not_ask() -> None:
    gateway = Gateway(on_offer=EVENTS)
    _, wire = gateway.joins("event:e1")
    wire = joins(gateway, wire.messages()[-1]["at"], confirm=False)
    assert ["subscribed"] == [message["op"] for message in wire.messages()[1:]]
