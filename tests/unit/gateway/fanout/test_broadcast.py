"""Laws of a broadcast: what each session is sent, however it is sliced and whichever sessions move meanwhile."""

from __future__ import annotations

from itertools import count, repeat

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.fanout.broadcast import Broadcast, Recipients, coalesce


class Socket:
    """A recipient that takes everything, or nothing."""

    def __init__(self, *, is_full: bool = False) -> None:
        self.is_full = is_full
        self.written: list[bytes] = []

    def write(self, framed: bytes, /) -> None:
        self.written.append(framed)

    def backlog(self) -> int:
        return 1 if self.is_full and self.written else 0


#: Any slice ends with the first reading of the clock.
NO_TIME = 0.0
sockets = st.lists(st.booleans(), max_size=200).map(lambda full: [Socket(is_full=each) for each in full])


def clock() -> float:
    return 0.0


@given(sockets)
def test_everyone_gets_its_payload_once_however_many_slices_it_takes(everyone: list[Socket]) -> None:
    payloads = [b"%d" % number for number in range(len(everyone))]
    broadcast = Broadcast(Recipients.of(everyone), iter(payloads), set())
    slices = count()
    while not broadcast.advance(clock, NO_TIME):
        next(slices)
    assert [[payload] for payload in payloads] == [socket.written for socket in everyone]
    assert [socket for socket in everyone if socket.is_full] == broadcast.backpressured
    assert [] == broadcast.skipped
    assert next(slices) == max(0, (len(everyone) - 1) // 32)


@given(sockets, st.data())
def test_who_moves_between_slices_is_skipped_and_keeps_nobody_from_its_own(everyone: list[Socket], data: st.DataObject) -> None:
    payloads = [b"%d" % number for number in range(len(everyone))]
    moved: set[Socket] = set()
    broadcast = Broadcast(Recipients.of(everyone), iter(payloads), moved)
    while not broadcast.advance(clock, NO_TIME):
        moved |= data.draw(st.sets(st.sampled_from(everyone), max_size=5))
    for socket, payload in zip(everyone, payloads, strict=True):
        assert socket.written == ([] if socket in broadcast.skipped else [payload])
    assert set(broadcast.skipped) <= moved
    assert [each for each in everyone if each.is_full and each.written] == broadcast.backpressured


@given(sockets, st.integers(0, 5), st.data())
def test_a_cancelled_broadcast_owes_exactly_what_it_has_not_written(
    everyone: list[Socket], slices: int, data: st.DataObject
) -> None:
    payloads = [b"%d" % number for number in range(len(everyone))]
    moved: set[Socket] = set()
    broadcast = Broadcast(Recipients.of(everyone), iter(payloads), moved)
    for _ in range(slices):
        broadcast.advance(clock, NO_TIME)
    if everyone:
        moved |= data.draw(st.sets(st.sampled_from(everyone), max_size=5))
    owed = broadcast.cancel()
    for socket, payload in zip(everyone, payloads, strict=True):
        times = [socket.written == [payload], owed.get(socket) == payload, socket in broadcast.skipped]
        assert [True] == [each for each in times if each]
    assert broadcast.advance(clock, NO_TIME), "it is over"


def test_one_payload_serves_a_whole_audience() -> None:
    everyone = [Socket() for _ in range(100)]
    broadcast = Broadcast(Recipients.of(everyone), repeat(b"same"), set())
    assert broadcast.advance(clock, 1.0)
    assert {(b"same",)} == {tuple(socket.written) for socket in everyone}


def test_frames_for_one_session_are_coalesced_in_their_order() -> None:
    first, second = Socket(), Socket()
    assert {first: [b"1", b"3"], second: [b"1", b"2"]} == coalesce([([first, second], b"1"), ([second], b"2"), ([first], b"3")])
