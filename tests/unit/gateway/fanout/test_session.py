"""A session: what it writes, since when it is idle, and how it ends."""

from __future__ import annotations

from oddsengine.gateway.fanout.audience import Audience
from oddsengine.gateway.fanout.session import Session, Subscription
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.protocol.framing import Framing
from oddsengine.gateway.protocol.server_messages import Pong
from oddsengine.gateway.state.replica import Channel
from tests.support.hub_harness import Wire


def test_a_session_is_idle_since_it_or_any_of_its_audiences_was_last_sent_anything() -> None:
    session = Session("s", Wire())
    session.send(Pong(1), 3.0)
    assert 3.0 == session.idle_since_s
    for name, last_sent_s in (("event:e1", 2.0), ("event:e2", 5.0)):
        audience: Audience[Session] = Audience(Channel(name, (0,)), DeliveryOptions(None, "decimal", 0), {})
        audience.last_sent_s = last_sent_s
        session.subscriptions[name] = Subscription(audience)
    assert 5.0 == session.idle_since_s


def test_a_message_is_written_in_one_frame() -> None:
    wire = Wire()
    Session("s", wire).send(Pong(1), 0.0)
    assert [{"op": "pong", "id": 1}] == wire.messages()


def test_a_session_ends_with_a_closing_frame_and_drops_what_a_slow_client_has_not_read() -> None:
    for backlog, is_aborted in ((0, False), (100_000, True)):
        wire = Wire()
        session = Session("s", wire)
        if backlog:
            wire.stop_reading(backlog)
        session.end(1013, "not reading")
        assert (is_aborted, True) == (wire.is_aborted, wire.is_closed)
        assert bytes([0x88]) == wire.written[:1], "RFC 6455, section 5.5.1"


def test_a_stream_of_events_ends_with_its_last_chunk_and_has_no_closing_frame() -> None:
    """RFC 9112, section 7.1; with HTTP/1.0 it ends with the connection."""
    for are_chunks, end in ((True, b"0\r\n\r\n"), (False, b"")):
        wire = Wire()
        Session("s", wire, framing=Framing(are_events=True, are_chunks=are_chunks)).end(1012, "drain")
        assert (end, True) == (bytes(wire.written), wire.is_closed)
