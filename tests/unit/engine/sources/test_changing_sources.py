"""Feeds that are added and removed while the engine runs, and other settings of matching."""

from __future__ import annotations

from oddsengine.domain.feed_updates import SourceStatus
from oddsengine.sourcing.matching.settings import MatchingSettings
from tests.support.feeds import KICK_OFF, Feeds, a_match

FROM_B = ("open", None, {"home": 2000, "away": 2000})
FROM_P = ("open", None, {"home": 4000, "away": 1333})
WITHDRAWN = ("suspended", "withdrawn", {"home": None, "away": None})


def live(feeds: Feeds, source: str) -> Feeds:
    return feeds.update(source, SourceStatus("live", "test"))


def test_a_feed_that_is_added_prices_what_the_first_one_does_not() -> None:
    feeds = Feeds("b").match("b", a_match("b.1"), 2.0, 2.0).flushed()
    feeds.pipeline.use_sources(("b", "p"), feeds.now)
    live(feeds, "p").match("p", a_match("p.9"), 4.0, 4 / 3).match("p", a_match("p.8", "Burnley", "Norwich"), 4.0, 4 / 3)
    assert ({"b.1", "p.8"}, FROM_B) == (feeds.events, feeds.market("b.1/moneyline")), "one event, under its first id"
    feeds.update("b", SourceStatus("down", "cut"))
    assert [FROM_P, FROM_P] == [feeds.market(f"{event}/moneyline") for event in ("b.1", "p.8")]


def test_a_feed_that_is_removed_hands_its_markets_to_the_others() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1"), 2.0, 2.0).match("b", a_match("b.2", "Burnley", "Norwich"), 2.0, 2.0)
    feeds.match("p", a_match("p.9"), 4.0, 4 / 3)
    assert FROM_B == feeds.market("b.1/moneyline")
    feeds.pipeline.use_sources(("p",), feeds.now)
    assert (FROM_P, WITHDRAWN) == (feeds.market("b.1/moneyline"), feeds.market("b.2/moneyline"))
    feeds.match("b", a_match("b.2", "Burnley", "Norwich"), 2.0, 2.0)
    assert WITHDRAWN == feeds.market("b.2/moneyline"), "what it still sends has no effect"
    feeds.pipeline.use_sources(("p", "b"), feeds.now)
    live(feeds, "b").match("b", a_match("b.1"), 2.0, 2.0).match("b", a_match("b.2", "Burnley", "Norwich"), 2.0, 2.0)
    assert (FROM_P, FROM_B) == (feeds.market("b.1/moneyline"), feeds.market("b.2/moneyline")), "it is the second one now"


def test_other_orders_of_feeds_prefer_others() -> None:
    feeds = Feeds("b", "p", hold_s=0.0).match("b", a_match("b.1"), 2.0, 2.0).match("p", a_match("p.9"), 4.0, 4 / 3).flushed()
    feeds.pipeline.use_sources(("p", "b"), feeds.now)
    assert FROM_P == feeds.market("b.1/moneyline")
    assert {"b.1"} == feeds.events


def test_other_settings_of_matching_hold_for_the_events_that_are_known() -> None:
    feeds = Feeds("b", "p", matching=MatchingSettings(window_min=10)).match("b", a_match("b.1"), 2.0, 2.0)
    feeds.match("p", a_match("p.9", start=KICK_OFF + 15 * 60_000), 4.0, 4 / 3)
    feeds.match("b", a_match("b.2", "Burnley", "Norwich")).match("p", a_match("p.8", "The Clarets", "Norwich"))
    assert {"b.1", "p.9", "b.2", "p.8"} == feeds.events
    aliases: dict[str, tuple[str, ...]] = {"Burnley": ("The Clarets",)}
    feeds.pipeline.match_by(MatchingSettings(aliases=aliases))
    assert {"b.1", "b.2"} == feeds.events
    assert FROM_B == feeds.market("b.1/moneyline")
    feeds.pipeline.match_by(MatchingSettings(window_min=10, aliases=aliases))
    assert {"b.1", "p.9", "b.2"} == feeds.events
    assert [FROM_B, FROM_P] == [feeds.market(f"{event}/moneyline") for event in ("b.1", "p.9")]
