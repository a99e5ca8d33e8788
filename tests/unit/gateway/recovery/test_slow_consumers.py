"""Slow consumers: watched until they have drained, disconnected if they never do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.fanout.counters import GatewayCounters
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.recovery.slow_consumers import SlowConsumers
from tests.support.hub_harness import Wire

TIMEOUT_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def a_slow_consumer(backlog: int = 100) -> tuple[SlowConsumers, Session, Wire, Clock, GatewayCounters]:
    clock, counters, wire = Clock(), GatewayCounters(), Wire()
    slow_consumers = SlowConsumers(counters, clock, TIMEOUT_S)
    session = Session("s", wire)
    wire.stop_reading(backlog)
    slow_consumers.add(session)
    return slow_consumers, session, wire, clock, counters


def test_a_session_is_taken_once_when_its_socket_has_drained() -> None:
    slow_consumers, session, wire, _, counters = a_slow_consumer()
    slow_consumers.add(session)
    assert [] == list(slow_consumers.take_drained())
    assert session in slow_consumers
    wire.drain()
    assert [session] == list(slow_consumers.take_drained())
    assert [] == list(slow_consumers.take_drained())
    assert (0, 1) == (len(slow_consumers), counters.slow_consumers)


def test_a_session_that_only_waits_for_its_turn_is_not_counted() -> None:
    slow_consumers, session, _, _, counters = a_slow_consumer(backlog=0)
    assert 0 == counters.slow_consumers
    assert [session] == list(slow_consumers.take_drained())


@given(st.lists(st.tuples(st.floats(0.1, 20.0), st.integers(-30, 30)), max_size=40))
def test_it_is_disconnected_only_after_the_timeout_without_progress(looks: list[tuple[float, int]]) -> None:
    slow_consumers, session, wire, clock, counters = a_slow_consumer(backlog=1000)
    smallest, since_s = 1000, 0.0
    for wait_s, growth in looks:
        clock.now_s += wait_s
        wire.backlog = max(1, wire.backlog + growth)
        assert [] == list(slow_consumers.take_drained())
        if wire.backlog < smallest:
            smallest, since_s = wire.backlog, clock.now_s
        is_late = clock.now_s - since_s > TIMEOUT_S
        assert (is_late, is_late, not is_late) == (
            wire.is_closed,
            bool(counters.slow_consumer_disconnects),
            session in slow_consumers,
        )
        if is_late:
            return


def test_a_session_whose_socket_closes_is_forgotten() -> None:
    slow_consumers, _, wire, _, counters = a_slow_consumer()
    wire.close()
    assert [] == list(slow_consumers.take_drained())
    assert (0, 0) == (len(slow_consumers), counters.slow_consumer_disconnects)


def test_a_session_can_be_forgotten_while_drained_ones_are_taken() -> None:
    slow_consumers, session, wire, _, _ = a_slow_consumer()
    other = Session("other", Wire())
    slow_consumers.add(other)
    wire.drain()
    for taken in slow_consumers.take_drained():
        slow_consumers.forget(taken)
        slow_consumers.add(session)
    assert [session] == list(slow_consumers)
