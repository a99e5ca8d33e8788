"""Events whose match is decided again, because what it rested on has changed: prices follow, or are suspended meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from feeds.toolkit.standard_markets import match_result
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.results import TAKEN_BACK, WON
from tests.support.feeds import KICK_OFF, OPEN, Feeds, a_match

if TYPE_CHECKING:
    from oddsengine.domain.events import Event

MINUTE = 60_000
SUSPENDED = ("suspended", "provider", {"home": None, "away": None})


def quotes(event: str, home: float, away: float) -> MarketUpdate:
    return MarketUpdate(f"{event}/moneyline", books=[BookChange("home", quote=home), BookChange("away", quote=away)])


def a_matched_pair() -> Feeds:
    """Leeds v Fulham at two feeds, of which the second one prices: 1.2 and 6.0."""
    feeds = Feeds("b", "p").match("b", a_match("b.1", "Leeds", "Fulham")).update("b", SourceStatus("down", "cut"))
    return feeds.match("p", a_match("p.9", "Leeds", "Fulham"), 1.2, 6.0)


def test_a_match_that_is_turned_round_is_suspended_until_its_prices_follow() -> None:
    feeds = a_matched_pair()
    assert ("open", None, {"home": 1200, "away": 6000}) == feeds.market("b.1/moneyline")
    feeds.update("p", EventUpdate(a_match("p.9", "Fulham", "Leeds")))
    assert SUSPENDED == feeds.market("b.1/moneyline")
    feeds.update("p", MarketUpdate("p.9/moneyline", books=[BookChange("home", quote=6.0)]))
    assert SUSPENDED == feeds.market("b.1/moneyline"), "the other side may be as before"
    feeds.update("p", MarketUpdate("p.9/moneyline", books=[BookChange("away", quote=1.2)]))
    assert ("open", None, {"home": 1200, "away": 6000}) == feeds.market("b.1/moneyline")


@pytest.mark.parametrize("with_definition", [True, False])
def test_new_prices_in_the_batch_that_turns_a_match_round_open_it_at_once(with_definition: bool) -> None:
    feeds = a_matched_pair()
    turned = a_match("p.9", "Fulham", "Leeds")
    update = quotes("p.9", 6.0, 1.2)
    if with_definition:
        update.definition = match_result(turned.id, "Fulham", "Leeds", OPEN, three_way=False)
    feeds.update("p", EventUpdate(turned), update)
    assert ("open", None, {"home": 1200, "away": 6000}) == feeds.market("b.1/moneyline")


def test_a_match_of_other_teams_is_taken_apart_and_suspended_until_it_is_quoted() -> None:
    feeds = a_matched_pair()
    feeds.update("p", EventUpdate(a_match("p.9", "Burnley", "Norwich")))
    assert {"b.1", "p.9"} == feeds.events
    assert "suspended" == feeds.market("b.1/moneyline")[0], "its other source is down"
    assert SUSPENDED == feeds.market("p.9/moneyline")
    feeds.update("p", quotes("p.9", 3.0, 1.5))
    assert ("open", None, {"home": 3000, "away": 1500}) == feeds.market("p.9/moneyline")
    feeds.update("b", SourceStatus("live", "back"))
    assert ("open", None, {"home": 2000, "away": 2000}) == feeds.market("b.1/moneyline")


def test_a_result_of_another_match_is_taken_back_where_it_was_published() -> None:
    feeds = a_matched_pair()
    own = msgspec.structs.replace(
        match_result(EventId("p.9"), "Leeds", "Fulham", OPEN, three_way=False), id=MarketId("p.9/to_qualify"), type="to_qualify"
    )
    won = tuple(msgspec.structs.replace(each, status="winner" if each.key == "home" else "loser") for each in own.selections)
    feeds.update("p", MarketUpdate("q", definition=own)).flushed()
    feeds.update("p", MarketUpdate("q", definition=msgspec.structs.replace(own, status="closed", selections=won))).flushed()
    markets = feeds.pipeline.offers[0].markets
    assert "closed" == markets[MarketId("b.1/to_qualify")].state.status
    feeds.update("p", EventUpdate(a_match("p.9", "Burnley", "Norwich"))).flushed()
    left, moved = (markets[MarketId(f"{event}/to_qualify")] for event in ("b.1", "p.9"))
    assert ("suspended", "withdrawn") == (left.state.status, left.state.reason)
    assert {("suspended", TAKEN_BACK)} == {(each.status, each.result) for each in left.selections.values()}
    assert ("closed", WON) == (moved.state.status, moved.selections["home"].result)


def test_when_the_first_event_changes_the_others_go_on_under_an_id_of_their_own() -> None:
    feeds = Feeds("b", "p", "o").match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3).match("o", a_match("o.7"))
    assert {"b.1"} == feeds.events
    feeds.update("b", EventUpdate(a_match("b.1", "Burnley", "Norwich")))
    assert {"b.1", "p.9"} == feeds.events
    assert ("open", None, {"home": 4000, "away": 1333}) == feeds.market("p.9/moneyline")
    assert SUSPENDED == feeds.market("b.1/moneyline")
    names = {key: entry.record.description.name for key, entry in feeds.pipeline.offers[0].events.items()}
    assert {"b.1": "Burnley v Norwich", "p.9": "Leeds United v Fulham"} == names


def test_another_spelling_of_the_same_teams_suspends_nothing() -> None:
    feeds = a_matched_pair().update("p", EventUpdate(a_match("p.9", "Leeds Utd", "Fulham FC")))
    assert ("open", None, {"home": 1200, "away": 6000}) == feeds.market("b.1/moneyline")


def test_a_match_that_comes_back_under_another_id_is_the_event_it_was() -> None:
    feeds = a_matched_pair().update("p", MarketGone("p.9/moneyline"))
    assert "suspended" == feeds.market("b.1/moneyline")[0]
    feeds.match("p", a_match("p.10", "Leeds", "Fulham"), 1.25, 5.0)
    assert {"b.1"} == feeds.events
    assert ("open", None, {"home": 1250, "away": 5000}) == feeds.market("b.1/moneyline")
    feeds.update("b", SourceStatus("live", "back")).flushed()
    feeds.now = 60_000
    assert 2000 == feeds.market("b.1/moneyline")[2]["home"], "both sources are there"


def test_a_match_that_is_listed_again_before_the_old_one_goes_is_the_event_it_was() -> None:
    feeds = a_matched_pair().match("p", a_match("p.10", "Leeds", "Fulham"), 1.25, 5.0)
    assert {"b.1", "p.10"} == feeds.events
    assert ("open", None, {"home": 1200, "away": 6000}) == feeds.market("b.1/moneyline")
    feeds.update("p", MarketGone("p.9/moneyline"))
    assert {"b.1"} == feeds.events
    assert ("open", None, {"home": 1250, "away": 5000}) == feeds.market("b.1/moneyline")


def test_the_first_feeds_match_that_comes_back_keeps_the_id_of_the_event() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9"), 4.0, 4 / 3)
    feeds.update("b", MarketGone("b.1/moneyline"))
    assert ("open", None, {"home": 4000, "away": 1333}) == feeds.market("b.1/moneyline")
    feeds.match("b", a_match("b.2"), 2.5, 2.5 / 1.5)
    assert {"b.1"} == feeds.events
    assert ("open", None, {"home": 2500, "away": 1666}) == feeds.market("b.1/moneyline")


def test_a_doubleheader_is_in_doubt_until_both_feeds_list_both_matches() -> None:
    def game(key: str, minutes: int) -> Event:
        event = a_match(key, "NY Yankees", "Boston", KICK_OFF + minutes * MINUTE)
        return msgspec.structs.replace(event, sport="baseball")

    feeds = Feeds("b", "p").match("b", game("b.1", 0), 2.0, 2.0).match("p", game("p.2", 100), 4.0, 4 / 3)
    assert {"b.1", "p.2"} == feeds.events
    feeds.match("b", game("b.2", 100), 3.9, 3.9 / 2.9)
    assert {"b.1", "p.2"} == feeds.events, "the match keeps its first id"
    feeds.match("p", game("p.1", 5), 1.6, 8 / 3)
    assert {"b.1", "p.2"} == feeds.events
    feeds.update("b", SourceStatus("down", "cut"))
    assert [1600, 4000] == [feeds.market(f"{event}/moneyline")[2]["home"] for event in ("b.1", "p.2")]


def test_a_decision_is_revised_when_better_evidence_comes() -> None:
    feeds = Feeds("b", "p").match("b", a_match("b.1")).match("p", a_match("p.9", start=KICK_OFF + 40 * MINUTE), 4.0, 4 / 3)
    assert {"b.1"} == feeds.events
    feeds.match("b", a_match("b.2", start=KICK_OFF + 40 * MINUTE), 3.9, 3.9 / 2.9)
    assert {"b.1", "p.9"} == feeds.events
    feeds.update("b", SourceStatus("down", "cut"))
    assert "suspended" == feeds.market("b.1/moneyline")[0]
    assert 4000 == feeds.market("p.9/moneyline")[2]["home"]
