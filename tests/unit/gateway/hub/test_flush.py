"""The record of a flush in progress."""

from __future__ import annotations

import pytest

from oddsengine.domain.changes import Changes
from oddsengine.gateway.fanout.audience import Audience
from oddsengine.gateway.fanout.batches import DeltaBatch
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.hub.flush import Flush
from oddsengine.gateway.hub.states import Trigger
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.flush_changes import from_changes
from oddsengine.gateway.state.replica import Channel
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.positions import Position
from tests.support.hub_harness import Wire


def a_delta(shard: int = 0, suspended_ms: int | None = None) -> DeltaBatch:
    return DeltaBatch(shard, from_changes(Changes([], [], []), ReplicaOffer()), 1, Position(1, 1), suspended_ms)


def an_audience(*wires: Wire, channel: str = "event:e1") -> Audience[Session]:
    audience: Audience[Session] = Audience(Channel(channel, (0,)), DeliveryOptions(None, "decimal", 0), {})
    for wire in wires:
        audience.join(Session("s", wire))
    return audience


@pytest.mark.parametrize(
    ("pending", "remainder"),
    [
        ([], Trigger.COMPLETED),
        ([a_delta()], Trigger.BATCHES_REMAIN),
        ([a_delta(), a_delta(suspended_ms=5)], Trigger.SUSPENSIONS_REMAIN),
    ],
)
def test_what_remains_decides_what_follows(pending: list[DeltaBatch], remainder: Trigger) -> None:
    flush = Flush()
    flush.put_first(pending)
    assert remainder is flush.remainder()


def test_new_batches_go_first_in_their_order_and_those_of_a_shard_are_dropped() -> None:
    flush = Flush()
    flush.put_first([a_delta(0)])
    flush.put_first([a_delta(1), a_delta(2), a_delta(1)])
    assert [1, 2, 1, 0] == [batch.shard for batch in flush.batches]
    flush.drop(1)
    assert [2, 0] == [batch.shard for batch in flush.batches]


def test_what_an_interrupted_broadcast_owes_goes_out_before_the_next_batch_in_one_write() -> None:
    flush = Flush()
    reached, owed = Wire(), Wire()
    both = an_audience(reached, owed)
    flush.start([a_delta()], [(both, b"1")])
    (first, second) = both.members
    flush.moved.add(first)
    assert [first] == flush.interrupt(), "it has moved, so it has to catch up"
    flush.forget_moves()
    flush.start([a_delta(suspended_ms=5)], [(both, b"2")])
    assert flush.broadcast.advance(lambda: 0.0, 1.0)
    assert (b"2", b"12") == (bytes(reached.written), bytes(owed.written))
    assert 5 == flush.suspended_ms
    assert second in both.members


def test_moves_are_remembered_while_batches_remain() -> None:
    flush = Flush()
    session = Session("s", Wire())
    flush.moved.add(session)
    flush.put_first([a_delta()])
    flush.forget_moves()
    assert {session} == flush.moved
    flush.drop(0)
    flush.forget_moves()
    assert set() == flush.moved
