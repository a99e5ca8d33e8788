"""Betfair's market types have types and names, and are one market with those of other sources where both have them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from feeds.adapters.betfair.market_stream import MarketStream
from feeds.toolkit.standard_markets import double_chance, match_result, odd_even, side_total, to_qualify
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, UpdateBatch
from oddsengine.domain.ids import MarketId
from tests.support.builders import betfair_market, mcm
from tests.support.feeds import KICK_OFF, OPEN, Feeds, a_match

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition

STARTS = datetime.fromtimestamp(KICK_OFF / 1000, UTC).isoformat()
LEEDS, FULHAM = "Leeds United", "Fulham"
MATCH = a_match("p.9", LEEDS, FULHAM)
ID = MATCH.id
#: Betfair's type and names of runners, the bookmaker's market, its id in the event, its name
CASES: list[tuple[str, list[str], MarketDefinition, str, str]] = [
    (
        "DOUBLE_CHANCE",
        ["Home or Draw", "Draw or Away", "Home or Away"],
        double_chance(ID, LEEDS, FULHAM, OPEN),
        "double_chance",
        "Double chance",
    ),
    (
        "HALF_TIME",
        [LEEDS, FULHAM, "The Draw"],
        match_result(ID, LEEDS, FULHAM, OPEN, three_way=True, period="h1"),
        "match_odds/h1",
        "Match odds, first half",
    ),
    (
        "TEAM_B_OVER_UNDER_15",
        ["Under 1.5 Goals", "Over 1.5 Goals"],
        side_total(ID, "away", 1.5, OPEN),
        "away_total/ft/1.5",
        "Away total 1.5",
    ),
    ("ODD_OR_EVEN", ["Odd", "Even"], odd_even(ID, OPEN), "odd_even", "Odd or even"),
    ("TO_QUALIFY", [LEEDS, FULHAM], to_qualify(ID, LEEDS, FULHAM, OPEN), "to_qualify", "To qualify"),
]


@pytest.mark.parametrize(("market_type", "runners", "definition", "market", "name"), CASES, ids=[case[0] for case in CASES])
def test_a_bet_of_betfair_and_of_a_bookmaker_is_one_market_with_a_name(
    market_type: str, runners: list[str], definition: MarketDefinition, market: str, name: str
) -> None:
    """More than half of the types were anonymous."""
    feeds = Feeds("betfair", "p")
    books = [BookChange(selection.source_id, quote=2.0) for selection in definition.selections]
    feeds.update("p", EventUpdate(MATCH), MarketUpdate(definition.id, image=True, definition=definition, books=books))
    keys = {58805 if named == "The Draw" else place: named for place, named in enumerate(runners, 1)}
    whole = betfair_market(
        "1.24",
        *keys,
        marketType=market_type,
        numberOfWinners=definition.winners,
        eventTypeId="1",
        eventName=f"{LEEDS} v {FULHAM}",
        openDate=STARTS,
        marketTime=STARTS,
    )
    for runner in whole["marketDefinition"]["runners"]:
        runner["name"] = keys[runner["id"]]
    for event in MarketStream("betfair").read_line(mcm(whole)):
        assert isinstance(event, UpdateBatch)
        feeds.update("betfair", *event.updates)
    (event_id,) = feeds.events
    published = MarketId(f"{event_id}/{market}")
    assert {published} == set(feeds.pipeline.offers[0].markets)
    record = feeds.pipeline.offers[0].markets[published]
    assert (name, definition.type) == (record.identity.name, record.identity.type)
    assert {selection.key for selection in definition.selections} == set(record.selections)
    assert {"betfair", "p"} == {book.source for book, _ in feeds.pipeline.quoting(published)}
