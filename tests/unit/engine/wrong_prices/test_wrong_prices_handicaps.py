"""A line of Betfair's Asian handicap and the same line of another source are one market."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from feeds.adapters.betfair.market_stream import MarketStream
from feeds.toolkit.standard_markets import asian_handicap
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.domain.ids import MarketId
from tests.support.builders import betfair_market, mcm
from tests.support.feeds import KICK_OFF, OPEN, Feeds, a_match

STARTS = datetime.fromtimestamp(KICK_OFF / 1000, UTC).isoformat()


class Sources:
    """Betfair's stream beside a bookmaker's lines of the same match."""

    def __init__(self, *feeds: str, bookmaker: tuple[str, str] = ("Leeds United", "Fulham")) -> None:
        self.feeds = Feeds(*feeds)
        self.stream = MarketStream("betfair")
        self.event = a_match("p.9", *bookmaker)

    def betfair(self, *lines: float, **prices: float) -> Sources:
        """Send an Asian handicap with these lines of the home side, and prices as `home` and `away` of the first."""
        runners = [runner for line in lines for runner in ((11, line), (22, -line or 0.0))]
        market = betfair_market(
            "1.24",
            *runners,
            marketType="ASIAN_HANDICAP",
            bettingType="ASIAN_HANDICAP_DOUBLE_LINE",
            numberOfWinners=0,
            eventTypeId="1",
            eventName="Leeds United v Fulham",
            openDate=STARTS,
            marketTime=STARTS,
        )
        rc: list[dict[str, Any]] = [
            {"id": 11, "hc": lines[0], "atb": [[prices["home"], 100]], "atl": [[prices["home"] + 0.02, 100]]},
            {"id": 22, "hc": -lines[0] or 0.0, "atb": [[prices["away"], 100]], "atl": [[prices["away"] + 0.02, 100]]},
        ]
        for event in self.stream.read_line(mcm({**market, "rc": rc})):
            assert isinstance(event, UpdateBatch)
            self.feeds.update("betfair", *event.updates)
        return self

    def bookmaker(self, line: float, home: float, away: float) -> Sources:
        first, second = self.event.participants
        definition = asian_handicap(self.event.id, line, first, second, OPEN)
        books = [BookChange("home", quote=home), BookChange("away", quote=away)]
        self.feeds.update("p", EventUpdate(self.event), MarketUpdate(definition.id, True, definition, books))
        return self


@pytest.mark.parametrize("line", [-1.5, -0.25, 0.0, 0.75, 2.0])
@pytest.mark.parametrize("first", ["betfair", "p"])
def test_the_same_line_of_two_sources_is_one_market(line: float, first: str) -> None:
    """The ids never met."""
    sources = Sources("betfair", "p")
    for source in (first, "p" if first == "betfair" else "betfair"):
        if source == "p":
            sources.bookmaker(line, 2.5, 5 / 3)
        else:
            sources.betfair(line, line - 1, home=1.99, away=1.99)
    (event,) = sources.feeds.events
    market = MarketId(f"{event}/asian_handicap/ft/{line:g}")
    assert {market, MarketId(f"{event}/asian_handicap/ft/{line - 1:g}")} == set(sources.feeds.pipeline.offers[0].markets)
    assert {"betfair", "p"} == {book.source for book, _ in sources.feeds.pipeline.quoting(market)}
    assert (2000, 2000) == tuple(round(price or 0, -1) for price in sources.feeds.market(market)[2].values())
    sources.feeds.update("betfair", SourceStatus("down", "cut"))
    assert ("open", None, {"home": 2500, "away": 1666}) == sources.feeds.market(market)


def test_a_line_meets_that_of_a_source_that_has_the_sides_the_other_way() -> None:
    sources = Sources("betfair", "p", bookmaker=("Fulham", "Leeds United"))
    sources.betfair(-0.25, home=1.99, away=1.99).bookmaker(0.25, 5 / 3, 2.5)
    (event,) = sources.feeds.events
    sources.feeds.update("betfair", SourceStatus("down", "cut"))
    market = f"{event}/asian_handicap/ft/-0.25"
    assert ("open", None, {"home": 2500, "away": 1666}) == sources.feeds.market(market)
    assert {market} == set(sources.feeds.pipeline.offers[0].markets)


def test_a_line_without_prices_is_suspended_and_no_other_one() -> None:
    sources = Sources("betfair").betfair(-3.5, -4.5, home=1.9, away=2.04)
    assert "open" == sources.feeds.market("betfair.900/asian_handicap/ft/-3.5")[0]
    assert ("suspended", "no_price") == sources.feeds.market("betfair.900/asian_handicap/ft/-4.5")[:2]


def test_a_line_with_offers_on_one_side_only_has_no_price() -> None:
    """Each line is a market of its own, but its other side says nothing."""
    sources = Sources("betfair").betfair(-3.5, -4.5, home=1.9, away=2.04)
    rows = {"id": 11, "hc": -4.5, "atb": [[2.0, 100]], "atl": [[2.06, 100]]}
    for event in sources.stream.read_line(mcm({"id": "1.24", "rc": [rows]})):
        assert isinstance(event, UpdateBatch)
        sources.feeds.update("betfair", *event.updates)
    assert ("suspended", "no_price") == sources.feeds.market("betfair.900/asian_handicap/ft/-4.5")[:2]
    assert "open" == sources.feeds.market("betfair.900/asian_handicap/ft/-3.5")[0]
