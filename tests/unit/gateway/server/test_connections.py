"""Draining: every client is sent a time of its own to reconnect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common.http import RequestRejected
from oddsengine.gateway.server.connections import Connections
from tests.support.hub_harness import Gateway
from tests.support.laws.examples import examples


@given(count=st.integers(0, 40), spread_ms=st.integers(100, 5000))
@examples(20)
async def test_a_drain_spreads_the_reconnects_evenly(count: int, spread_ms: int) -> None:
    gateway = Gateway()
    connections = Connections(gateway.hub)
    wires = []
    for _ in range(count):
        session, wire = gateway.joins()
        connections.add(session)
        wires.append(wire)
    connections.spread_s = spread_ms / 1000
    await connections.drain()
    waits_ms = [message["reconnect_ms"] for wire in wires for message in wire.messages() if message["op"] == "bye"]
    assert count == len(waits_ms)
    assert [200 + spread_ms * number // count for number in range(count)] == waits_ms
    assert connections.draining
    assert all(wire.is_closing() for wire in wires)


async def test_a_session_that_comes_while_others_are_drained_is_told_too() -> None:
    """Its handshake was on its way; one that comes later is refused, and a proxy asks another gateway."""
    gateway = Gateway()
    connections = Connections(gateway.hub)
    connections.require_open()
    await connections.drain()
    session, wire = gateway.joins()
    connections.add(session)
    assert connections.dismiss_if_closing(session)
    assert ("bye", True) == (wire.messages()[-1]["op"], wire.is_closing())
    with pytest.raises(RequestRejected) as refused:
        connections.require_open()
    assert 503 == refused.value.response.status


async def test_a_removed_session_is_closed_in_the_hub() -> None:
    gateway = Gateway()
    connections = Connections(gateway.hub)
    session, wire = gateway.joins()
    connections.add(session)
    connections.remove(session)
    assert session not in gateway.hub.sessions
    wire.written.clear()
    await connections.drain()
    assert not wire.written
