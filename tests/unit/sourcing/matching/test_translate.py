"""Events and markets under the ids of their placement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, line_text, market_id
from oddsengine.domain.market_types import MARKET_TYPES
from oddsengine.sourcing.matching.matcher import Placement
from oddsengine.sourcing.matching.translate import translate_event, translate_market
from tests.support.builders import a_definition

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.taxonomy import MarketType

OWN, FIRST = EventId("p.9"), EventId("b.1")
LINES = st.integers(-20, 20).map(lambda quarters: quarters / 4)


def a_match(home: str = "Leeds", away: str = "Fulham") -> Event:
    return Event(id=OWN, sport="football", competition=Competition("c", "C"), name=f"{home} v {away}", participants=(home, away))


def a_handicap(line: float, event: EventId = OWN) -> MarketDefinition:
    return a_definition(market_id(event, "handicap", "ft", line_text(line)), ("home", "away"), type="handicap", line=line)


def test_an_event_takes_the_id_and_the_sides_of_its_placement() -> None:
    event = a_match()
    assert event is translate_event(event, Placement(OWN))
    assert (FIRST, ("Leeds", "Fulham")) == (
        translate_event(event, Placement(FIRST)).id,
        translate_event(event, Placement(FIRST)).participants,
    )
    swapped = translate_event(event, Placement(FIRST, swapped=True))
    assert (FIRST, ("Fulham", "Leeds"), "Fulham v Leeds") == (swapped.id, swapped.participants, swapped.name)


@pytest.mark.parametrize(("score", "swapped"), [("2-0", "0-2"), ("1-1", "1-1"), (None, None), ("1-0 (4-3 pens)", None)])
def test_the_score_of_a_swapped_event_is_turned_round(score: str | None, swapped: str | None) -> None:
    event = msgspec.structs.replace(a_match(), score=score)
    assert swapped == translate_event(event, Placement(FIRST, swapped=True)).score
    assert score == translate_event(event, Placement(FIRST)).score


@given(LINES)
def test_a_swapped_market_has_the_opposite_line_and_the_other_sides(line: float) -> None:
    swapped = translate_market(a_handicap(line), Placement(FIRST, swapped=True))
    assert a_handicap(-line or 0.0, FIRST).id == swapped.id
    assert (-line, FIRST) == (swapped.line, swapped.event)
    assert ["home", "away"] == [selection.key for selection in swapped.selections], "home is still first"
    assert ["s-away", "s-home"] == [selection.source_id for selection in swapped.selections]


@given(LINES, st.booleans())
def test_translating_there_and_back_gives_the_same_market(line: float, swapped: bool) -> None:
    market = a_handicap(line)
    assert market == translate_market(translate_market(market, Placement(FIRST, swapped)), Placement(OWN, swapped))


@pytest.mark.parametrize("swapped", [True, False])
def test_a_total_keeps_its_line_and_sides(swapped: bool) -> None:
    total = a_definition("p.9/total/ft/2.5", ("over", "under"), type="total", line=2.5)
    translated = translate_market(total, Placement(FIRST, swapped))
    assert ("b.1/total/ft/2.5", 2.5, total.selections) == (translated.id, translated.line, translated.selections)


@pytest.mark.parametrize("swapped", [True, False])
@pytest.mark.parametrize("sport", ["volleyball", "table_tennis", "badminton", "darts", "padel"])
@pytest.mark.parametrize("kind", ["total", "asian_handicap", "home_total"])
def test_lines_that_do_not_say_what_they_count_do_not_meet(kind: MarketType, sport: str, swapped: bool) -> None:
    """B6: -1.5 sets and -1.5 points are two bets."""
    placement = Placement(FIRST, swapped)

    def translated(period: str = "ft", unit: str | None = None, of: str = sport) -> MarketDefinition:
        name = kind if unit is None else f"{kind}_{unit}"
        market = a_definition(f"p.9/{name}/{period}/1.5", ("home", "away"), type=kind, period=period, line=1.5, unit=unit)
        return translate_market(market, placement, of)

    plain = translated(of="football")
    own = translated()
    assert (plain.id.replace(plain.type, f"{plain.type}_of_p"), "of_p") == (own.id, own.unit)
    assert (plain.line, plain.selections) == (own.line, own.selections)
    assert "of_p" not in translated(unit="sets").id, "it says so"
    assert "of_p" not in translated(period="set1").id, "points, in a set"


def test_the_winner_is_the_same_whatever_lines_count() -> None:
    market = a_definition("p.9/moneyline", type="moneyline", period="ft")
    assert "b.1/moneyline" == translate_market(market, Placement(FIRST), "volleyball").id


def test_a_market_with_the_providers_own_selections_keeps_its_event() -> None:
    market = a_definition("p.9/winner", ("47972", "47973"), type="winner")
    assert market is translate_market(market, Placement(FIRST))


@pytest.mark.parametrize("kind", MARKET_TYPES)
def test_a_market_swapped_twice_is_the_same_market(kind: MarketType) -> None:
    """Also one about one side (`home_total`) or about pairs of outcomes (`double_chance`)."""
    info = MARKET_TYPES[kind]
    if not info.roles:
        return
    line = 1.5 if info.has_line else None
    parts = ("ft", line_text(line)) if line is not None else ()
    market = a_definition(market_id(OWN, kind, *parts), tuple(info.roles.split()), type=kind, line=line)
    once = translate_market(market, Placement(FIRST, swapped=True))
    assert FIRST == once.event
    assert set(MARKET_TYPES[once.type].roles.split()) == {selection.key for selection in once.selections}
    assert market == translate_market(once, Placement(OWN, swapped=True))


def test_what_is_said_of_one_side_is_said_of_the_other_once_swapped() -> None:
    total = a_definition("p.9/home_total/ft/1.5", ("under", "over"), type="home_total", line=1.5)
    swapped = translate_market(total, Placement(FIRST, swapped=True))
    assert ("b.1/away_total/ft/1.5", "away_total", 1.5) == (swapped.id, swapped.type, swapped.line)
    chance = a_definition("p.9/double_chance", ("home_draw", "home_away", "draw_away"), type="double_chance", winners=2)
    keys = {each.source_id: each.key for each in translate_market(chance, Placement(FIRST, swapped=True)).selections}
    assert {"s-home_draw": "draw_away", "s-home_away": "home_away", "s-draw_away": "home_draw"} == keys
