"""Who is told what, on wires that take as much as the test says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from oddsengine.books.owned_offer import OwnedOffer
from oddsengine.gateway.access import Access
from oddsengine.gateway.hub import Hub
from oddsengine.gateway.messages import Subscribe
from oddsengine.gateway.replica import Replica
from oddsengine.markets.ids import EventId
from tests.words import an_event, an_offer_of

if TYPE_CHECKING:
    from oddsengine.gateway.session import Session


class Wire(asyncio.Transport):
    """A transport whose client reads or does not."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.backlog = 0
        self.reads = True

    def write(self, data: Any) -> None:
        self.written += data
        if not self.reads:
            self.backlog += len(data)

    def get_write_buffer_size(self) -> int:
        return self.backlog

    def is_closing(self) -> bool:
        return False

    def messages(self) -> list[dict[str, Any]]:
        """Take the messages written since the last call."""
        found, data = [], bytes(self.written)
        self.written.clear()
        while data:
            length, start = data[1], 2
            if length == 126:
                length, start = int.from_bytes(data[2:4], "big"), 4
            elif length == 127:
                length, start = int.from_bytes(data[2:10], "big"), 10
            found.append(orjson.loads(data[start : start + length]))
            data = data[start + length :]
        return found


class Gateway:
    """A hub fed by hand from an offer."""

    def __init__(self) -> None:
        self.owner = OwnedOffer(("default",))
        self.owner.open_epoch(1)
        self.replica = Replica(1)
        self.replica.offers[0].load(1, 0, self.owner.records())
        self.replica.stale_since.clear()
        self.now_s = 0.0
        #: how much later it is each time somebody looks at the clock
        self.tick_s = 0.0
        self.hub = Hub(self.replica, self._clock, lambda: 0)

    def _clock(self) -> float:
        self.now_s += self.tick_s
        return self.now_s

    def publish(self, **prices: int) -> None:
        """Publish a price of the home side for each event named."""
        for event, price in prices.items():
            self.owner.put_event(an_event(event))
            self.owner.put_market(an_offer_of(f"{event}/match_odds", {"home": price}))
        batch = self.owner.cut(0)
        assert batch is not None
        self.replica.offers[0].apply(self.owner.seq, batch)
        self.hub.freshness.changed(0, [batch])

    def joins(self, *channels: str, interval_ms: int = 0) -> tuple[Session, Wire]:
        wire = Wire()
        session = self.hub.open(wire, Access(subject="test"))
        self.hub.handle(session, Subscribe(channels=list(channels), min_interval_ms=interval_ms))
        return session, wire


def prices(messages: list[dict[str, Any]]) -> dict[str, float]:
    """The last price told of each event's home side."""
    return {
        market["id"].partition("/")[0]: market["selections"]["home"]["price"]
        for message in messages
        for market in message.get("markets", ())
    }


def test_a_client_that_does_not_read_costs_a_position_and_then_gets_one_diff() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    session, wire = gateway.joins("event:e1")
    wire.messages()
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100)
    wire.messages()
    for price in range(2200, 3200, 20):
        gateway.publish(e1=price)
        gateway.hub.sweep()
    assert b"" == wire.written, "nothing is written to a full socket"
    assert [session] == list(gateway.hub.teller.behind)
    wire.reads, wire.backlog = True, 0
    gateway.hub.sweep()
    (delta,) = wire.messages()
    assert ("delta", {"e1": 3.18}) == (delta["op"], prices([delta]))
    assert [] == list(gateway.hub.teller.behind)


def test_a_socket_that_fills_up_in_the_middle_of_a_flush_loses_nothing_of_it() -> None:
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


def test_others_do_not_feel_a_slow_one() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, slow = gateway.joins("event:e1")
    _, quick = gateway.joins("event:e1")
    slow.reads, slow.backlog = False, 200_000
    quick.messages()
    for price in (2100, 2200, 2300):
        gateway.publish(e1=price)
    assert 3 == len(quick.messages())


def test_what_was_told_of_trouble_is_made_up_for() -> None:
    """A client that could not hear `live` would show its prices greyed for ever."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, wire = gateway.joins("event:e1")
    gateway.hub.freshness.went_stale(0)
    assert "stale" == wire.messages()[-1]["op"]
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100)
    wire.messages()
    gateway.hub.freshness.went_live(0)
    assert b"" == wire.written
    wire.reads, wire.backlog = True, 0
    gateway.hub.sweep()
    assert ["live"] == [message["op"] for message in wire.messages()]


def test_who_comes_while_a_shard_is_stale_is_told_so() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.hub.freshness.went_stale(0)
    _, wire = gateway.joins("event:e1")
    assert ["welcome", "subscribed", "snapshot", "stale"] == [message["op"] for message in wire.messages()]


def test_an_interval_starts_where_its_members_are_not_where_the_last_one_joined() -> None:
    """A second subscriber's snapshot must not swallow what the first is still to be told."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    _, first = gateway.joins("event:e1", interval_ms=1000)
    gateway.hub.sweep()
    first.messages()
    gateway.publish(e1=2100)
    gateway.joins("event:e1", interval_ms=1000)
    gateway.now_s = 1.5
    gateway.hub.sweep()
    assert {"e1": 2.1} == prices(first.messages())


def test_suspensions_come_first_in_a_flush_and_at_once_to_everyone() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000, e2=2000)
    _, wire = gateway.joins("sport:football")
    _, paced = gateway.joins("sport:football", interval_ms=10_000)
    gateway.hub.sweep()
    wire.messages()
    paced.messages()
    gateway.owner.put_market(an_offer_of("e1/match_odds", {"home": 2500}))
    gateway.owner.suspend(an_offer_of("e2/match_odds").id, "doubt")
    gateway.publish(e1=2600)
    (delta,) = wire.messages()
    assert ["e2/match_odds", "e1/match_odds"] == [market["id"] for market in delta["markets"]]
    (urgent,) = paced.messages()
    assert ["e2/match_odds"] == [market["id"] for market in urgent["markets"]]


def test_heartbeats_go_to_the_quiet_only() -> None:
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


def test_a_closed_session_leaves_nothing_behind() -> None:
    gateway = Gateway()
    gateway.publish(e1=2000)
    session, wire = gateway.joins("event:e1", "sport:football")
    wire.reads, wire.backlog = False, 200_000
    gateway.publish(e1=2100)
    gateway.hub.close(session)
    assert ({}, 0, 0) == (gateway.hub.sessions, len(gateway.hub.teller.behind), len(gateway.hub.teller.audiences))
    assert EventId("e1") in gateway.replica.offers[0].events


async def test_a_flush_is_written_in_slices_and_what_comes_in_between_is_in_order() -> None:
    """Law: whatever happens between two slices, nobody hears an older price after a newer one, and all end with the newest."""
    gateway = Gateway()
    gateway.publish(e1=2000)
    gateway.tick_s = 1.0
    everyone = [gateway.joins("event:e1") for _ in range(450)]
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
    assert not gateway.hub.teller.is_busy
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
    gateway.hub.freshness.went_stale(0)
    gateway.hub.freshness.went_live(0)
    for _ in range(500):
        await asyncio.sleep(0)
    assert {2.2} == {prices(wire.messages())["e1"] for wire in everyone}


async def test_a_large_flush_lets_others_in_first_and_is_told_all_the_same() -> None:
    gateway = Gateway()
    gateway.publish(**{f"e{number}": 2000 for number in range(80)})
    _, wire = gateway.joins(*(f"event:e{number}" for number in range(80)))
    wire.messages()
    gateway.publish(**{f"e{number}": 2100 for number in range(80)})
    assert gateway.hub.teller.is_busy
    assert [] == wire.messages()
    while gateway.hub.teller.is_busy:
        await asyncio.sleep(0)
    assert {f"e{number}": 2.1 for number in range(80)} == prices(wire.messages())


def test_signs_of_life_a_few_sessions_at_a_time_reach_everyone_once() -> None:
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
