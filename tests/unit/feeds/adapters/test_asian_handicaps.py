"""An Asian handicap has one shape whatever its source: a market per line, which is the home side's, with two selections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pytest

from feeds.adapters.betfair.markets import to_markets as of_betfair
from feeds.adapters.betfair.messages import Definition
from feeds.adapters.oddsapiio.markets import to_markets as of_oddsapiio
from feeds.adapters.oddsapiio.messages import EventDetails
from feeds.adapters.oddsapiio.messages import Market as IoMarket
from feeds.adapters.opticodds.markets import to_markets as of_opticodds
from feeds.adapters.opticodds.messages import Entry, Fixture
from feeds.adapters.pinnacle.markets import to_markets as of_pinnacle
from feeds.adapters.pinnacle.markets import without_bad_lines
from feeds.adapters.pinnacle.messages import Period
from feeds.adapters.theoddsapi.markets import to_markets as of_theoddsapi
from feeds.adapters.theoddsapi.messages import Market as ApiMarket
from feeds.adapters.theoddsapi.messages import OddsEvent
from feeds.toolkit.standard_markets import Phase
from oddsengine.domain.ids import EventId, line_text
from oddsengine.domain.market_types import default_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.domain.feed_updates import MarketDefinition

EVENT = EventId("x.7")
HOME, AWAY = "Gullwick", "Holm Bay"
#: The home side's, as given to each adapter. Exact for its quarters: both sides are named by the provider, with their own sign.
LINES = (-1.75, -1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 2.25)


class Quoted(NamedTuple):
    """A line: the home side's head start, and the decimal odds of the sides."""

    line: float
    home: float = 2.1
    away: float = 1.8


def betfair(lines: Sequence[Quoted], **fields: Any) -> list[MarketDefinition]:
    runners = [
        {"id": runner, "hc": handicap, "name": name, "sortPriority": 1 + 2 * place + (runner == 22), "status": "ACTIVE"}
        for place, quoted in enumerate(lines)
        for runner, name, handicap in ((11, HOME, quoted.line), (22, AWAY, -quoted.line))
    ]
    whole = {
        "status": "OPEN",
        "eventId": "7",
        "eventTypeId": "1",
        "eventName": f"{HOME} v {AWAY}",
        "marketType": "ASIAN_HANDICAP",
        "bettingType": "ASIAN_HANDICAP_DOUBLE_LINE",
        "numberOfWinners": 0,
        "runners": runners,
    }
    return [definition for _, definition in of_betfair("x", "1.24", msgspec.convert({**whole, **fields}, Definition))]


def betfair_away_first(lines: Sequence[Quoted]) -> list[MarketDefinition]:
    """As of American sports: the first runner is the away side, at whose handicap Betfair lists the line."""
    runners = [
        {"id": runner, "hc": handicap, "sortPriority": 1 + 2 * place + (runner == 11), "status": "ACTIVE"}
        for place, quoted in enumerate(lines)
        for runner, handicap in ((22, -quoted.line), (11, quoted.line))
    ]
    return betfair(lines, eventName=f"{AWAY} @ {HOME}", runners=runners)


def pinnacle(lines: Sequence[Quoted]) -> list[MarketDefinition]:
    spreads = [{"hdp": quoted.line, "home": quoted.home, "away": quoted.away} for quoted in lines]
    period, problems = without_bad_lines(msgspec.convert({"number": 0, "spreads": spreads}, Period))
    assert not problems
    return [definition for definition, _ in of_pinnacle(EVENT, (HOME, AWAY), "football", "Regular", period, "ft", Phase())]


def oddsapiio(lines: Sequence[Quoted]) -> list[MarketDefinition]:
    odds = [{"hdp": str(quoted.line), "home": str(quoted.home), "away": str(quoted.away)} for quoted in lines]
    return _oddsapiio(odds)


def _oddsapiio(odds: list[dict[str, Any]], name: str = "Asian Handicap") -> list[MarketDefinition]:
    details = {"id": 7, "home": HOME, "away": AWAY, "sport": {"name": "Football", "slug": "football"}}
    market = msgspec.convert({"name": name, "odds": odds}, IoMarket)
    return [definition for definition, _ in of_oddsapiio(EVENT, msgspec.convert(details, EventDetails), market)]


def theoddsapi(lines: Sequence[Quoted]) -> list[MarketDefinition]:
    # The away side first, as the provider sorts them by name or by price.
    outcomes = [
        {"name": name, "price": price, "point": point}
        for quoted in lines
        for name, price, point in ((AWAY, quoted.away, -quoted.line), (HOME, quoted.home, quoted.line))
    ]
    return _theoddsapi(outcomes)


def _theoddsapi(outcomes: list[dict[str, Any]]) -> list[MarketDefinition]:
    event = OddsEvent("7", "soccer_epl", home_team=HOME, away_team=AWAY)
    market = msgspec.convert({"key": "spreads", "outcomes": outcomes}, ApiMarket)
    return [definition for definition, _ in of_theoddsapi(EVENT, event, market, Phase(), [])]


def opticodds(lines: Sequence[Quoted]) -> list[MarketDefinition]:
    return _opticodds(
        [
            Entry(f"{name}{point}", "7", "b", "Asian Handicap", f"{name} {point:+g}", price, point, selection=name)
            for quoted in lines
            for name, price, point in ((AWAY, quoted.away, -quoted.line), (HOME, quoted.home, quoted.line))
        ]
    )


def _opticodds(entries: list[Entry]) -> list[MarketDefinition]:
    named = {"home_team_display": HOME, "away_team_display": AWAY, "sport": {"id": "soccer"}, "league": {"id": "l"}}
    fixture = msgspec.convert({"id": "7", **named}, Fixture)
    return [definition for definition, _ in of_opticodds(EVENT, fixture, entries).values()]


SOURCES = [betfair, betfair_away_first, pinnacle, oddsapiio, theoddsapi, opticodds]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_every_source_has_the_same_markets(source: Callable[[Sequence[Quoted]], list[MarketDefinition]]) -> None:
    definitions = source([Quoted(line) for line in LINES])
    assert [f"x.7/asian_handicap/ft/{line_text(line)}" for line in LINES] == [each.id for each in definitions]
    for line, each in zip(LINES, definitions, strict=True):
        assert ("asian_handicap", "ft", line, None, 1) == (each.type, each.period, each.line, each.unit, each.winners)
        assert [("home", HOME, 0.0), ("away", AWAY, 0.0)] == [(side.key, side.name, side.handicap) for side in each.selections]
        # The name for display is that of the type, so it is the same too.
        name = each.name or default_name(each.type, each.period, each.line, each.unit)
        assert f"Asian handicap {'+' if line > 0 else ''}{line_text(line)}" == name


@pytest.mark.parametrize("line", ["-0.3", 0.1, 1.05])
def test_what_is_no_quarter_is_no_line(line: float | str) -> None:
    assert not _oddsapiio([{"hdp": line, "home": 2.1, "away": 1.8}])
    sides = [{"name": HOME, "price": 2.1, "point": line}, {"name": AWAY, "price": 1.8, "point": line}]
    assert not _theoddsapi(sides)
    assert not _opticodds([Entry("1", "7", "b", "Asian Handicap", HOME, 2.1, float(line))])
    period, problems = without_bad_lines(msgspec.convert({"number": 0, "spreads": [{"hdp": float(line)}]}, Period))
    assert not period.spreads
    assert problems


def test_a_handicap_with_a_draw_is_another_bet() -> None:
    """A side at -1 that wins by one goal has lost there; here its stake is returned."""
    assert not _oddsapiio([{"hdp": -1, "home": 3.0, "draw": 3.5, "away": 2.2}], "Spread")
    points = [(HOME, 3.0, -1.0), ("Draw", 3.5, -1.0), (AWAY, 2.2, 1.0)]
    assert not _theoddsapi([{"name": name, "price": price, "point": point} for name, price, point in points])
    entries = [Entry(name, "7", "b", "Goal Spread", f"{name} {point:+g}", price, point) for name, price, point in points]
    assert not _opticodds(entries)
    assert 1 == len(_opticodds([entry for entry in entries if entry.id != "Draw"]))
