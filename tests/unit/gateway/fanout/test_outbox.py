"""The outbox: what is written, and what becomes of sessions whose sockets are full."""

from __future__ import annotations

from oddsengine.gateway.fanout.audiences import Audiences
from oddsengine.gateway.fanout.counters import GatewayCounters
from oddsengine.gateway.fanout.outbox import Outbox
from oddsengine.gateway.fanout.session import Session, Subscription
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.replica import Channel, Replica
from oddsengine.streams.positions import Position
from tests.support.hub_harness import Wire

ONE, BOTH = Channel("event:e1", (0,)), Channel("sport:football", (0, 1))


class Room:
    """An outbox with its audiences, whose sessions subscribe to channels."""

    def __init__(self) -> None:
        self.audiences = Audiences(Replica(2), lambda _: None)
        self.counters = GatewayCounters()
        self.detached: list[Session] = []
        delivered = {0: Position(1, 5), 1: Position(1, 6)}
        self.outbox = Outbox(delivered, self.audiences, self.counters, lambda: 7.0, self.detached.append)

    def joins(self, *channels: Channel, interval_ms: int = 0) -> tuple[Session, Wire]:
        wire = Wire()
        session = Session("s", wire)
        for channel in channels:
            audience = self.audiences.get(channel, DeliveryOptions(None, "decimal", interval_ms))
            session.subscriptions[channel.name] = Subscription(audience)
            self.audiences.join(session, audience)
        return session, wire


def test_a_frame_reaches_every_member_and_is_counted() -> None:
    room = Room()
    (first, one), (_, other) = room.joins(ONE), room.joins(ONE)
    audience = first.subscriptions[ONE.name].audience
    room.outbox.send(audience, b"abc")
    assert (b"abc", b"abc") == (bytes(one.written), bytes(other.written))
    assert (2, 6) == (room.counters.frames, room.counters.bytes)
    assert (7.0, 7.0, 7.0) == (audience.last_sent_s, first.last_sent_s, first.idle_since_s)


def test_a_full_socket_is_detached_from_all_its_audiences_but_only_once_all_is_written() -> None:
    room = Room()
    slow, wire = room.joins(ONE, BOTH)
    quick, _ = room.joins(ONE)
    wire.stop_reading(backlog=1)
    audiences = [subscription.audience for subscription in slow.subscriptions.values()]
    room.outbox.write([slow, quick], b"abc")
    assert all(slow in audience.members for audience in audiences), "its other channels may be sent something yet"
    room.outbox.detach_slow()
    assert not any(slow in audience.members for audience in audiences)
    assert [slow] == room.detached
    assert [{0: Position(1, 5)}, {0: Position(1, 5), 1: Position(1, 6)}] == [each.at for each in slow.subscriptions.values()]
    room.outbox.detach_slow()
    assert [slow] == room.detached, "once is enough"
    assert quick in audiences[0].members


def test_a_session_that_is_detached_again_keeps_the_position_of_the_first_time() -> None:
    room = Room()
    session, _ = room.joins(ONE)
    room.outbox.detach([session])
    room.outbox.delivered = {0: Position(1, 9), 1: Position(1, 9)}
    room.outbox.detach([session])
    assert {0: Position(1, 5)} == session.subscriptions[ONE.name].at


def test_a_closed_session_is_not_detached() -> None:
    room = Room()
    session, _ = room.joins(ONE)
    session.is_open = False
    room.outbox.note_backpressured([session])
    room.outbox.detach_slow()
    assert [] == room.detached


def test_a_session_resumes_from_the_oldest_position_of_its_audiences() -> None:
    room = Room()
    session, _ = room.joins(BOTH, interval_ms=1000)
    session.subscriptions[BOTH.name].audience.at = {0: Position(1, 3), 1: Position(1, 8)}
    assert {0: Position(1, 3), 1: Position(1, 6)} == room.outbox.resume_position(session)
