"""Markets quoted by several feeds."""

from __future__ import annotations

import msgspec
import pytest

from feeds.toolkit.standard_markets import Phase, asian_handicap, total
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.engine.explain import explain
from oddsengine.sourcing.matching.matcher import MatchingSettings
from tests.support.feeds import KICK_OFF, OPEN, Feeds, a_match


def test_a_match_of_two_feeds_is_one_event_under_its_first_id() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1"), 2.0, 2.0).match("p", a_match("p.9", "Leeds", "Fulham FC"), 4.0, 4 / 3)
    assert {"b.1"} == feeds.events
    assert ("open", None, {"home": 2000, "away": 2000}) == feeds.market("b.1/moneyline")
    feeds.update("b", SourceStatus("down", "cut"))
    assert ("open", None, {"home": 4000, "away": 1333}) == feeds.market("b.1/moneyline")
    feeds.update("p", SourceStatus("stale", "silent"))
    assert ("suspended", "source_down", {"home": None, "away": None}) == feeds.market("b.1/moneyline")


def test_prices_are_swapped_where_home_and_away_are() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).update("b", SourceStatus("down", "cut"))
    swapped = a_match("p.9", "Fulham", "Leeds")
    feeds.match("p", swapped, home=4.0, away=4 / 3)
    assert ("open", None, {"home": 1333, "away": 4000}) == feeds.market("b.1/moneyline")
    line = asian_handicap(swapped.id, -0.5, "Fulham", "Leeds", OPEN)
    books = [BookChange("home", quote=4.0), BookChange("away", quote=4 / 3)]
    feeds.update("p", MarketUpdate(line.id, image=True, definition=line, books=books))
    assert {"home": 1333, "away": 4000} == feeds.market("b.1/asian_handicap/ft/0.5")[2]
    over = total(swapped.id, 2.5, OPEN)
    feeds.update(
        "p", MarketUpdate(over.id, definition=over, books=[BookChange("over", quote=4.0), BookChange("under", quote=4 / 3)])
    )
    assert {"over": 4000, "under": 1333} == feeds.market("b.1/total/ft/2.5")[2]


def test_a_match_found_later_moves_the_published_event() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9", "To Be", "Announced"), 4.0, 4 / 3)
    assert {"b.1", "p.9"} == feeds.events
    feeds.update("b", SourceStatus("down", "cut")).flushed()
    feeds.update("p", EventUpdate(a_match("p.9", "Leeds", "Fulham")))
    assert {"b.1"} == feeds.events
    assert ("open", None, {"home": 4000, "away": 1333}) == feeds.market("b.1/moneyline")
    assert MarketId("p.9/moneyline") not in feeds.pipeline.offers[0].markets


def test_a_pair_for_review_stays_two_events_until_the_config_settles_it() -> None:
    late = a_match("p.9", start=KICK_OFF + 150 * 60_000)
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", late)
    assert {"b.1", "p.9"} == feeds.events
    assert feeds.pipeline.matcher is not None
    assert 1 == len(feeds.pipeline.matcher.review_candidates)
    feeds = Feeds("b", "p", matching=MatchingSettings(matches=(("p.9", "b.1"),))).match("b", a_match("b.1")).match("p", late)
    assert {"b.1"} == feeds.events


def test_markets_with_a_providers_own_selections_are_not_combined() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9"))
    own = total(EventId("p.9"), 2.5, OPEN)
    selections = tuple(msgspec.structs.replace(each, key=f"r{number}") for number, each in enumerate(own.selections))
    definition = msgspec.structs.replace(own, type="correct_score", id=MarketId("p.9/correct_score"), selections=selections)
    feeds.update("p", MarketUpdate("cs", definition=definition)).flushed()
    assert {"b.1/moneyline"} == set(feeds.pipeline.offers[0].markets)


def test_a_market_returns_to_its_first_source_after_the_configured_time() -> None:
    feeds = Feeds("b", "p", hold_s=30.0).match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3).flushed()
    feeds.now = 1_000
    feeds.update("b", SourceStatus("stale", "silent")).flushed()
    feeds.now = 2_000
    feeds.update("b", SourceStatus("live", "back"))
    assert 4000 == feeds.market("b.1/moneyline")[2]["home"]
    feeds.now = 31_999
    assert 4000 == feeds.market("b.1/moneyline")[2]["home"]
    feeds.now = 32_000
    assert 2000 == feeds.market("b.1/moneyline")[2]["home"], "without an update of either source"


def test_a_consensus_prices_by_the_median_and_names_outliers() -> None:
    feeds = Feeds("a", "b", "c", mode="consensus", min_sources=2, outlier=0.05)
    for source, home in (("a", 2.0), ("b", 2.0), ("c", 4.0)):
        feeds.match(source, a_match(f"{source}.1"), home, 1 / (1 - 1 / home))
    assert ("open", None, {"home": 2000, "away": 2000}) == feeds.market("a.1/moneyline")
    explanation = explain(feeds.pipeline, MarketId("a.1/moneyline"), 0)
    assert explanation is not None
    assert ("consensus", ("a", "b"), ("c",)) == (
        explanation["priced_by"],
        explanation["consensus"]["used"],
        explanation["consensus"]["outliers"],
    )
    assert "consensus" == explanation["selections"]["home"]["profiles"]["default"]["steps"][0]["basis"]
    feeds.match("b", a_match("b.1"), 2.1, 1 / (1 - 1 / 2.1))
    assert 2048 == feeds.market("a.1/moneyline")[2]["home"]
    feeds.update("b", MarketGone("b.1/moneyline"))
    assert ("suspended", "too_few_sources", {"home": None, "away": None}) == feeds.market("a.1/moneyline")


@pytest.mark.parametrize("primary_suspends", [True, False])
def test_a_suspension_by_the_first_source(primary_suspends: bool) -> None:
    feeds = Feeds("b", "p", primary_suspends=primary_suspends)
    feeds.match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3).flushed()
    feeds.match("b", a_match("b.1"), phase=Phase("suspended"))
    status, reason, _ = feeds.market("b.1/moneyline")
    assert (("suspended", "provider") if primary_suspends else ("open", None)) == (status, reason)


def test_an_event_is_described_by_a_live_source_but_stays_in_its_competition() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9", "Leeds", "Fulham")).flushed()
    feeds.update("p", EventUpdate(msgspec.structs.replace(a_match("p.9", "Leeds", "Fulham"), in_play=True, score="1-0")))
    record = feeds.flushed().pipeline.offers[0].events[EventId("b.1")].record
    assert (False, "b.league") == (record.progress.in_play, record.description.competition.id)
    feeds.update("b", SourceStatus("down", "cut")).flushed()
    assert (True, "1-0") == (record.progress.in_play, record.progress.score)
    assert "b.league" == record.description.competition.id


def test_an_ended_event_is_dropped_at_every_feed() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1"), phase=Phase("closed")).match("p", a_match("p.9"), phase=Phase("closed"))
    feeds.flushed()
    feeds.pipeline.retire(0, 1_000, 0)
    feeds.pipeline.retire(0, 2_000, 0)
    assert set() == feeds.events
    feeds.match("p", a_match("p.9"))
    assert {"p.9"} == feeds.events
