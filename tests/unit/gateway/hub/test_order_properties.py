"""Laws of what each client is sent, whatever happens between two slices of a flush."""

from __future__ import annotations

import asyncio
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.client import OddsState
from oddsengine.gateway.protocol.client_messages import Subscribe, Unsubscribe
from tests.support.hub_harness import SMALL_THRESHOLDS, Gateway
from tests.support.laws.examples import examples
from tests.support.laws.impatient import run_impatiently
from tests.support.laws.speedups import speedups_used

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.fanout.thresholds import Thresholds
    from tests.support.hub_harness import Wire

#: With two shards, the first event is in one of them and the others are in the other.
_STAYING = ("e1", "e4")
_FLEETING = "e5"
_EVENTS = (*_STAYING, _FLEETING)
_CHANNELS = (*(f"event:{event}" for event in _EVENTS), "market:e1/match_odds", "sport:football")
#: More than are written between two readings of the clock, so that a flush takes several turns.
_CROWD = 70
_ACTORS = 4
_STALE_SUSPEND_AFTER_S = 60.0

stories = st.lists(
    st.one_of(
        st.tuples(st.just("price"), st.sets(st.sampled_from(_EVENTS), min_size=1)),
        st.tuples(st.just("suspend"), st.sets(st.sampled_from(_EVENTS), min_size=1)),
        st.tuples(st.just("turn"), st.integers(1, 3)),
        st.tuples(
            st.just("join"), st.integers(0, _ACTORS - 1), st.sampled_from(_CHANNELS), st.sampled_from((0, 0, 1000)), st.booleans()
        ),
        st.tuples(st.just("leave"), st.integers(0, _ACTORS - 1), st.sampled_from(_CHANNELS)),
        st.tuples(st.just("reconnect"), st.integers(0, _ACTORS - 1)),
        st.tuples(st.just("stop reading"), st.integers(0, _ACTORS - 1)),
        st.tuples(st.just("read on"), st.integers(0, _ACTORS - 1)),
        st.tuples(st.sampled_from(("sweep", "heartbeat", "remove"))),
        st.tuples(st.sampled_from(("stale", "long stale", "live", "change owner")), st.integers(0, 1)),
    ),
    max_size=30,
)


class Client:
    """A client that checks every message as it receives it."""

    def __init__(self, gateway: Gateway, *channels: str) -> None:
        self._gateway = gateway
        self.session: Session
        self.wire: Wire
        self.session, self.wire = gateway.joins(*channels)
        self.state = OddsState()
        self.at: dict[str, str] = {}
        self._versions: dict[str, int] = {}
        self._prices: dict[str, float] = {}
        self._leaving: set[str] = set()

    def receive(self) -> list[dict[str, Any]]:
        """Read what was written to it; no version and no price is older than one it has received before."""
        messages = self.wire.messages()
        for message in messages:
            self.state.apply(message)
            if message["op"] == "delta" or (message["op"] == "snapshot" and message["last"]):
                self.at[message["channel"]] = message["at"]
            elif message["op"] == "heartbeat":
                self.at = dict.fromkeys(self.at, message["at"])
            elif message["op"] == "unsubscribed":
                self._forget(message["channels"])
                self._leaving.difference_update(message["channels"])
            for market in message.get("markets", ()):
                if not market.get("removed"):
                    self._check(market)
        if self.wire.is_closed:
            self.reconnect()
        return messages

    def _check(self, market: dict[str, Any]) -> None:
        key = market["id"]
        if not key.startswith(_FLEETING):
            assert market["v"] >= self._versions.get(key, 0), market
            self._versions[key] = market["v"]
        # Prices of a story only rise.
        price = market.get("selections", {}).get("home", {}).get("price") or inf
        assert price >= self._prices.get(key, 0.0), market
        if price != inf:
            self._prices[key] = price

    def _forget(self, channels: Sequence[str]) -> None:
        """Whoever leaves a channel keeps nothing of it, and so has no position to resume from."""
        for channel in channels:
            self.at.pop(channel, None)

    def subscribe(self, channel: str, interval_ms: int, *, resume: bool) -> None:
        at = self.at.get(channel) if resume and channel not in self._leaving else None
        self._gateway.hub.handle(self.session, Subscribe(channels=[channel], min_interval_ms=interval_ms, resume=at))

    def leave(self, channel: str) -> None:
        self._forget([channel])
        self._leaving.add(channel)
        self._gateway.hub.handle(self.session, Unsubscribe(channels=[channel]))

    def knows(self, market: str) -> dict[str, Any] | None:
        """Return a market if any of its channels has contained it."""
        is_known = any(self.state.has_seen(channel, market) for channel in self.session.subscriptions)
        return self.state.markets.get(market) if is_known else None

    def reconnect(self) -> None:
        """Lose the connection with everything unread, and resume from the last position."""
        channels = list(self.session.subscriptions)
        self._leaving.clear()
        self.wire.written.clear()
        self._gateway.hub.close(self.session)
        self.session, self.wire = self._gateway.joins()
        for channel in channels:
            self.subscribe(channel, 0, resume=True)

    def drain(self) -> None:
        self.wire.drain()


def _disturb(gateway: Gateway, what: str, shard: int) -> None:
    staleness = gateway.hub.staleness
    shard %= len(gateway.owners)
    if what == "live":
        staleness.went_live(shard)
    elif what == "change owner":
        gateway.change_owner(shard)
    else:
        staleness.went_stale(shard)
        if what == "long stale":
            gateway.now_s += 2 * _STALE_SUSPEND_AFTER_S
            gateway.hub.sweep()


async def _happen(gateway: Gateway, actors: Sequence[Client], price: int, what: str, *of: Any) -> None:
    if what == "price":
        gateway.publish(**dict.fromkeys(sorted(of[0]), price))
    elif what == "suspend":
        gateway.suspend(*sorted(of[0]))
    elif what == "remove":
        gateway.remove(_FLEETING)
    elif what == "turn":
        for _ in range(of[0]):
            await asyncio.sleep(0)
    elif what == "join":
        actors[of[0]].subscribe(of[1], of[2], resume=of[3])
    elif what == "leave":
        actors[of[0]].leave(of[1])
    elif what == "reconnect":
        actors[of[0]].reconnect()
    elif what == "stop reading":
        wire = actors[of[0]].wire
        wire.reads, wire.backlog = False, max(wire.backlog, 1)
    elif what == "read on":
        actors[of[0]].drain()
    elif what == "sweep":
        gateway.hub.sweep()
    elif what == "heartbeat":
        gateway.now_s += gateway.hub.heartbeat_ms / 1000
        gateway.hub.heartbeat()
    else:
        _disturb(gateway, what, of[0])


#: In the second mode clients wait for large encodings and are sent chunks, and flushes are split into batches.
MODES = [pytest.param(None, id="usual"), pytest.param(SMALL_THRESHOLDS, id="large")]


@pytest.mark.parametrize("thresholds", MODES)
@examples(90)
@given(shards=st.integers(1, 2), story=stories)
@example(1, [("price", {"e1"}), ("price", {"e1"}), ("join", 0, "event:e1", 0, False), ("suspend", {"e1"})])
@example(1, [("price", {"e1", "e4"}), ("join", 0, "event:e1", 0, False), ("suspend", {"e1"})])
@example(
    1,
    [
        *[("price", {"e1"}), ("join", 3, "event:e1", 0, False), ("turn", 2), ("join", 3, "event:e4", 0, False)],
        *[("price", {"e1", "e4"}), ("suspend", {"e1"})],
    ],
)
@example(1, [("price", {"e1"}), ("long stale", 0), ("join", 0, "event:e1", 0, False), ("price", {"e1", "e4"})])
@example(1, [("leave", 0, "event:e1"), ("join", 0, "event:e1", 0, True)])
@example(
    1,
    [
        *[("price", {"e1"}), ("long stale", 0), ("join", 2, "sport:football", 0, False), ("price", {"e1", "e4"})],
        *[("leave", 2, "sport:football"), ("reconnect", 2)],
    ],
)
@example(
    2,
    [
        *[("join", 0, "event:e5", 0, False), ("price", {"e1"}), ("remove",), ("long stale", 0)],
        ("join", 0, "event:e1", 0, False),
    ],
)
@example(
    1,
    [("join", 0, "market:e1/match_odds", 1000, False), ("price", {"e1"}), ("suspend", {"e1"}), ("price", {"e1"}), ("sweep",)],
)
def test_no_client_is_sent_the_past_and_all_end_with_the_present(
    thresholds: Thresholds | None, shards: int, story: list[tuple[Any, ...]]
) -> None:
    """Law: nothing goes back for any client, and once all have read, each has exactly what its channels have.

    Every other story is told by the loops in C.
    """

    async def play() -> None:
        gateway = Gateway(shards=shards, stale_suspend_after_s=_STALE_SUSPEND_AFTER_S, thresholds=thresholds)
        gateway.publish(e1=2000, e4=2000, e5=2000)
        crowd = [Client(gateway, "event:e1", "event:e4") for _ in range(_CROWD)]
        actors = [Client(gateway, "event:e1", "event:e4") for _ in range(_ACTORS)]
        await gateway.settled()
        # With the shorter one flushes are rested after.
        gateway.tick_s = 0.01 if len(story) % 4 < 2 else 0.003
        for number, step in enumerate(story):
            await _happen(gateway, actors, 2100 + 100 * number, *step)
            for client in actors:
                client.receive()
        gateway.flush(heartbeat=True)
        for shard in range(shards):
            gateway.hub.staleness.went_live(shard)
        for client in actors:
            client.drain()
        await gateway.settled()
        gateway.now_s += 10
        everything = Client(gateway, "sport:football")
        await gateway.settled()
        everything.receive()
        # What one of the crowd has received need not be read once more for each of those that were sent the same bytes.
        different = {client.wire.written.replace(client.session.session_id.encode(), b"").hex(): client for client in crowd}
        assert all(client.session.subscriptions.keys() == {"event:e1", "event:e4"} for client in crowd)
        for client in (*different.values(), *actors):
            client.receive()
            for channel in client.session.subscriptions:
                kind, _, key = channel.partition(":")
                for market in everything.state.markets.keys() | client.state.markets.keys():
                    if kind == "sport" or market.startswith(f"{key}/") or market == key:
                        assert everything.knows(market) == client.knows(market), channel

    with speedups_used(are_used=len(story) % 2 == 0):
        run_impatiently(play())


async def test_a_suspension_interrupts_a_broadcast() -> None:
    """It reaches the first client before the broadcast has reached the last, and the last is sent both in order."""
    gateway = Gateway()
    gateway.publish(e1=2000, e4=2000)
    everyone = [Client(gateway, "event:e1") for _ in range(450)]
    elsewhere = Client(gateway, "event:e4")
    for client in [*everyone, elsewhere]:
        client.receive()
    gateway.tick_s = 1.0
    gateway.publish(e1=2100, e4=2100)
    assert [] == everyone[-1].receive(), "the broadcast has not reached it"
    gateway.suspend("e1")
    first = everyone[0].receive()
    assert [2.1, None] == [message["markets"][0]["selections"]["home"]["price"] for message in first]
    assert [] == everyone[-1].receive()
    gateway.publish(e1=2200)
    while gateway.hub.is_busy:
        await asyncio.sleep(0)
    last = everyone[-1].receive()
    assert [2.1, None, 2.2] == [message["markets"][0]["selections"]["home"]["price"] for message in last]
    assert ["suspended", "open"] == [message["markets"][0]["status"] for message in last[1:]]
    (delta,) = elsewhere.receive()
    assert 2.1 == delta["markets"][0]["selections"]["home"]["price"], "the others lose nothing by it"
