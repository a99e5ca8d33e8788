"""Laws of the snapshot cache: what is kept is what would be encoded, and only its requester waits for a large encoding."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.fanout.audience import Audience
from oddsengine.gateway.fanout.scheduler import Scheduler
from oddsengine.gateway.fanout.thresholds import Thresholds
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.recovery.snapshot_cache import SnapshotCache
from tests.support.hub_harness import SMALL_THRESHOLDS, Gateway, Wire

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.state.replica import At

EVERYTHING = "sport:football"
OPTIONS = DeliveryOptions(None, "decimal", 0)


class Cache:
    """A cache over a gateway's replica, on a clock of its own that advances whenever it is read."""

    def __init__(self, gateway: Gateway, thresholds: Thresholds | None = None) -> None:
        self.gateway = gateway
        self.now_s = 0.0
        self.tick_s = 0.0
        scheduler = Scheduler(self._clock, lambda: None)
        self.snapshots = SnapshotCache(gateway.replica, lambda: 1, scheduler, thresholds or Thresholds())

    def _clock(self) -> float:
        self.now_s += self.tick_s
        return self.now_s

    def audience(self, channel: str = EVERYTHING) -> Audience[Session]:
        found = self.gateway.replica.channel(channel)
        return Audience(found, OPTIONS, self.gateway.replica.at(found))

    def frames(self, since: At | None = None) -> list[bytes] | None:
        return self.snapshots.frames(self.audience(), since)


def messages(frames: list[bytes] | None) -> list[dict[str, Any]]:
    assert frames is not None
    wire = Wire()
    for framed in frames:
        wire.write(framed)
    return wire.messages()


def an_offer(*events: str) -> Gateway:
    return Gateway(on_offer=dict.fromkeys(events, 2000))


def test_the_same_frames_serve_everyone_until_something_changes() -> None:
    gateway = an_offer("e1", "e2")
    cache = Cache(gateway)
    frames = cache.frames()
    assert frames is cache.frames()
    gateway.publish(e1=2100)
    assert frames is not cache.frames()
    assert frames != cache.frames()


def test_nothing_is_sent_to_a_client_that_has_everything() -> None:
    gateway = an_offer("e1")
    assert [] == Cache(gateway).frames(gateway.replica.at())


@given(st.lists(st.sampled_from(("e1", "e2", "e3")), max_size=10), st.booleans())
def test_a_kept_encoding_is_what_a_new_one_would_be(changed: list[str], is_large: bool) -> None:
    async def play() -> None:
        gateway = an_offer("e1", "e2", "e3")
        before = gateway.replica.at()
        kept = Cache(gateway, SMALL_THRESHOLDS if is_large else None)
        for number, event in enumerate(changed):
            gateway.publish(**{event: 2100 + 100 * number})
            new = Cache(gateway, SMALL_THRESHOLDS if is_large else None)
            for since in (None, before):
                assert messages(new.frames(since)) == messages(kept.frames(since))

    asyncio.run(play())


async def test_a_large_channel_is_encoded_a_slice_a_turn_and_then_announced() -> None:
    gateway = an_offer("e1", "e2", "e3")
    cache = Cache(gateway, SMALL_THRESHOLDS)
    announced: list[int] = []
    cache.snapshots.add_listener(lambda: announced.append(len(messages(cache.frames()))))
    cache.tick_s = 0.01
    assert cache.frames() is None
    assert cache.snapshots.is_busy
    turns = 0
    while not announced:
        await asyncio.sleep(0)
        turns += 1
    assert 3 == turns, "one event each, and a look that nothing is left"
    assert announced[0] > 1, "in chunks"
    assert not cache.snapshots.is_busy


async def test_a_request_for_a_snapshot_can_be_cancelled() -> None:
    cache = Cache(an_offer("e1", "e2", "e3"), SMALL_THRESHOLDS)
    cache.tick_s = 0.01
    channel = cache.audience().channel
    first, second = (asyncio.create_task(cache.snapshots.snapshot(channel, OPTIONS)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    content, at = await second
    assert (3, cache.gateway.replica.at(channel)) == (len(content.events), at)
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_large_encoding_is_dropped_once_it_is_no_longer_requested() -> None:
    cache = Cache(an_offer("e1", "e2"), SMALL_THRESHOLDS)
    assert cache.frames() is not None
    for idle_s, is_kept in ((20.0, True), (40.0, False)):
        cache.now_s += idle_s
        cache.snapshots.evict_idle()
        cache.gateway.publish(e1=int(2000 + 100 * idle_s))
        cache.tick_s = 0.01
        assert is_kept == (cache.frames() is not None or cache.frames() is not None), idle_s
        cache.tick_s = 0.0
