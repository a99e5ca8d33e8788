"""What is an event: feeds that go down and up, pairs, and many suspensions by guards at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.domain.changes import MarketState
from oddsengine.webhooks.guard_counts import GuardCounts, GuardedMarkets
from oddsengine.webhooks.watch import FloorWatch

if TYPE_CHECKING:
    from oddsengine.webhooks.events import OutboxEvent


def types(notes: Any) -> list[str | None]:
    return [None if note.event is None else note.event.type for note in notes]


def data(event: OutboxEvent | None) -> Any:
    assert event is not None
    return msgspec.json.decode(event.body)["data"]


def a_status(state: str) -> list[dict[str, Any]]:
    return [{"feed": "a", "sources": ["a"], "state": state, "reason": "why"}]


def test_a_feed_is_down_once_it_was_so_for_a_moment_and_up_at_once() -> None:
    floor = FloorWatch({}, 0)
    assert [None] == types(floor.check_feeds(a_status("live"), 0))
    assert [] == types(floor.check_feeds(a_status("down"), 5000))
    assert [] == types(floor.check_feeds(a_status("live"), 5500)), "it was back soon"
    assert [] == types(floor.check_feeds(a_status("down"), 6000))
    assert ["feed.down"] == types(floor.check_feeds(a_status("down"), 7000))
    assert [] == types(floor.check_feeds(a_status("down"), 9000)), "told once"
    assert ["feed.up"] == types(floor.check_feeds(a_status("live"), 9500))


def test_a_feed_that_connects_at_a_start_is_not_down() -> None:
    floor = FloorWatch({"feed:a": "up"}, 0)
    assert [] == types(floor.check_feeds(a_status("connecting"), 0))
    assert [] == types(floor.check_feeds(a_status("connecting"), 19_000))
    assert ["feed.down"] == types(floor.check_feeds(a_status("connecting"), 20_000))


def test_a_feed_that_went_down_unwatched_is_told_when_it_is_watched_again() -> None:
    floor = FloorWatch({"feed:a": "down"}, 0)
    assert ["feed.up"] == types(floor.check_feeds(a_status("live"), 0))


def test_a_doubtful_pair_is_told_once_and_forgotten_when_it_is_settled() -> None:
    pair = {"events": [{"id": "b.1"}, {"id": "a.1"}], "score": 0.7}
    floor = FloorWatch({}, 0)
    assert ["pair.doubtful"] == types(floor.check_pairs([pair], 0))
    assert [] == types(floor.check_pairs([pair], 1))
    assert [] == types(floor.check_pairs([], 2)), "its events may not be described yet"
    assert [None] == types(floor.check_pairs([], 700_000))
    assert ["pair.doubtful"] == types(floor.check_pairs([pair], 700_001))


def test_many_suspensions_within_the_window_are_one_event() -> None:
    counts = GuardCounts(3, 60.0, "3/60")
    assert counts.add("m1", "spike", 0) is None
    assert counts.add("m2", "spike", 70_000) is None
    assert counts.add("m3", "arbitrage", 80_000) is None, "the first is too old"
    event = counts.add("m4", "spike", 90_000)
    assert {
        "suspended": 3,
        "within_s": 60.0,
        "began": 70_000,
        "reasons": {"spike": 2, "arbitrage": 1},
        "markets": ["m4", "m3", "m2"],
    } == data(event)
    assert counts.add("m5", "spike", 100_000) is None, "told a moment ago"
    assert counts.add("m6", "spike", 149_999) is None
    assert counts.add("m7", "spike", 150_000) is not None


def test_a_suspension_counts_once_and_only_a_guards() -> None:
    markets = GuardedMarkets()
    suspended = MarketState("suspended", "spike", in_play=False)
    assert "spike" == markets.note("m", suspended)
    assert markets.note("m", MarketState("suspended", "arbitrage", in_play=True)) is None
    assert markets.note("m", MarketState("open", None, in_play=True)) is None
    assert "spike" == markets.note("m", suspended)
    assert markets.note("m", MarketState("suspended", "trader", in_play=False)) is None
