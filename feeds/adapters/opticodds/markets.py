"""Translates OpticOdds' fixtures and entries into the domain's events and markets. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.adapters.opticodds.bets import Bet, bet_of
from feeds.toolkit.odds_and_lines import problem_of_odds, to_handicap, to_total_line
from feeds.toolkit.standard_markets import (
    Phase,
    asian_handicap,
    both_to_score,
    double_chance,
    draw_no_bet,
    match_result,
    odd_even,
    side_total,
    total,
    with_limit,
)
from feeds.toolkit.timestamps import time_ms
from feeds.toolkit.units import line_unit, result_unit
from oddsengine.common.excerpts import echoed
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.adapters.opticodds.messages import Entry, Fixture
    from feeds.toolkit.odds_and_lines import Prices
    from feeds.toolkit.standard_markets import Side
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: The provider's sports that have another name in the domain.
SPORTS: Final[dict[str, str]] = {
    "soccer": "football",
    "football": "american_football",
    "hockey": "ice_hockey",
    "mma": "mixed_martial_arts",
}
#: Kind of bet -> the provider's names of its selections that are not sides.
_NAMES: Final[dict[str, dict[str | None, str]]] = {
    "result": {"Draw": "draw", "Tie": "draw"},
    "total": {"Over": "over", "Under": "under"},
    "team_total": {"Over": "over", "Under": "under"},
    "odd_even": {"Odd": "odd", "Even": "even"},
    "both": {"Yes": "yes", "No": "no"},
}
#: Kinds of bets whose selections are, or name, the sides.
_OF_SIDES: Final = frozenset({"result", "handicap", "draw_no_bet"})
_WITH_LINES: Final = frozenset({"total", "team_total", "handicap"})
#: Two outcomes that win both, in either order.
_EITHER: Final[dict[frozenset[str], str]] = {
    frozenset({"home", "draw"}): "home_draw",
    frozenset({"home", "away"}): "home_away",
    frozenset({"draw", "away"}): "draw_away",
}
_IN_PLAY: Final = frozenset({"live", "half"})
#: Fixtures of these statuses take no bets any more.
_OVER: Final = frozenset({"completed", "cancelled", "abandoned", "postponed"})
#: Sports whose result has a draw, whether its market is called three-way or not.
_THREE_WAY_SPORTS: Final = frozenset({"football"})


def to_event(name: str, fixture: Fixture, event: EventId) -> Event:
    """Translate a fixture. Its start is unknown if it can't be read.

    Args:
        name: the feed's name.
        fixture: the provider's fixture.
        event: its id in the domain.
    """
    return Event(
        id=event,
        sport=sport_of(fixture),
        competition=Competition(f"{name}.{fixture.league.id}", fixture.league.name or fixture.league.id),
        name=f"{fixture.home_team_display} v {fixture.away_team_display}",
        participants=(fixture.home_team_display, fixture.away_team_display),
        start_ms=time_ms(fixture.start_date),
        in_play=is_live(fixture),
    )


def is_live(fixture: Fixture) -> bool:
    """Check whether a fixture is in play."""
    return fixture.is_live or fixture.status.lower() in _IN_PLAY


def sport_of(fixture: Fixture) -> str:
    """Return the domain's word for the sport of a fixture."""
    return SPORTS.get(fixture.sport.id, fixture.sport.id)


def problem_of(entry: Entry) -> str | None:
    """Return why an entry can't be used; None if it can, or if its market is not translated."""
    bet = bet_of(entry.market)
    if bet is None:
        return None
    if (problem := problem_of_odds(entry.price)) is not None:
        return problem
    if bet.kind == "handicap" and _names_draw(entry):
        return f"{echoed(entry.market)} has a draw: it is no Asian handicap"
    if bet.kind in _WITH_LINES and entry.points is not None:
        try:
            _line_of(bet, entry.points)
        except ValueError as error:
            return str(error)
    return None


def to_markets(event: EventId, fixture: Fixture, entries: Iterable[Entry]) -> dict[str, tuple[MarketDefinition, Prices]]:
    """Assemble the entries of a fixture into markets. Entries of two of the provider's markets never share one of ours.

    Returns:
        Market id -> its definition, and its prices by selection.
    """
    in_play = is_live(fixture)
    phase = Phase("suspended" if fixture.status.lower() in _OVER else "open", in_play)
    by_market: dict[str, list[Entry]] = {}
    for entry in entries:
        # Once the match has begun, a price from before it is none.
        if not in_play or entry.is_live is not False:
            by_market.setdefault(entry.market, []).append(entry)
    markets: dict[str, tuple[MarketDefinition, Prices]] = {}
    # What is called three-way comes first, then by name, so that the order of the entries changes nothing.
    for name in sorted(by_market, key=lambda market: ("3-Way" not in market, market)):
        bet = bet_of(name)
        if bet is None or (bet.kind == "handicap" and any(_names_draw(entry) for entry in by_market[name])):
            continue
        of_this: dict[str, tuple[MarketDefinition, Prices]] = {}
        max_stakes: dict[str, list[object]] = {}
        three_way = (
            bet.is_three_way
            or sport_of(fixture) in _THREE_WAY_SPORTS
            or any(selection_of(entry, fixture, bet.kind) == "draw" for entry in by_market[name])
        )
        for entry in by_market[name]:
            key = selection_of(entry, fixture, bet.kind)
            if key is None:
                continue
            definition = _definition(event, fixture, bet, entry, key, phase, three_way=three_way)
            if definition is None or definition.id in markets:
                continue
            _, prices = of_this.setdefault(definition.id, (definition, {}))
            if entry.price is not None:
                prices.setdefault(key, entry.price)
                if isinstance(entry.limits, dict):
                    max_stakes.setdefault(definition.id, []).append(entry.limits.get("max_stake"))
        for market, limits in max_stakes.items():
            definition, prices = of_this[market]
            of_this[market] = with_limit(definition, limits), prices
        markets |= of_this
    return markets


def selection_of(entry: Entry, fixture: Fixture, kind: str) -> str | None:
    """Return the selection that an entry prices; None if it names none.

    A side's name is compared whole, without the points behind it: "Michigan" is not "Michigan State".
    """
    if kind == "double_chance":
        return _pair_of(entry, fixture)
    named = _NAMES.get(kind, {})
    if kind in _OF_SIDES:
        named = {**named, fixture.home_team_display: "home", fixture.away_team_display: "away"}
    if kind == "team_total":
        # "Arsenal Over 1.5": the last word of the name, where `selection_line` does not say it.
        _, _, word = _without_points(entry.name).rpartition(" ")
        return named.get((entry.selection_line or word).title())
    for name in (entry.name, _without_points(entry.name), entry.selection, (entry.selection_line or "").title()):
        if name in named:
            return named[name]
    return None


def _names_draw(entry: Entry) -> bool:
    """Check whether an entry is the draw of a handicap, which is no Asian one then."""
    return any(name in {"Draw", "Tie"} for name in (_without_points(entry.name), entry.selection))


def _pair_of(entry: Entry, fixture: Fixture) -> str | None:
    """Return the two outcomes that a selection of a double chance names, such as `Arsenal or Draw`."""
    outcomes = {"Draw": "draw", "Tie": "draw", fixture.home_team_display: "home", fixture.away_team_display: "away"}
    for name in (entry.name, entry.selection or ""):
        for first, one in outcomes.items():
            second = name.removeprefix(f"{first} or ")
            if second != name and second in outcomes:
                return _EITHER.get(frozenset({one, outcomes[second]}))
    return None


def _side_of(entry: Entry, fixture: Fixture) -> Side | None:
    """Return the side that a team's total is about."""
    side, _, _ = _without_points(entry.name).rpartition(" ")
    for name in (entry.selection, side):
        if name == fixture.home_team_display:
            return "home"
        if name == fixture.away_team_display:
            return "away"
    return None


def _without_points(name: str) -> str:
    side, _, points = name.rpartition(" ")
    try:
        float(points.strip("()"))
    except ValueError:
        return name
    return side.strip()


def _definition(
    event: EventId, fixture: Fixture, bet: Bet, entry: Entry, key: str, phase: Phase, *, three_way: bool
) -> MarketDefinition | None:
    """Return the market that an entry belongs to; None if its line is none."""
    home, away = fixture.home_team_display, fixture.away_team_display
    sport = sport_of(fixture)
    if bet.kind == "result":
        unit = result_unit(sport, bet.unit, bet.period)
        return match_result(event, home, away, phase, three_way=three_way, period=bet.period, unit=unit)
    if bet.kind == "both":
        return both_to_score(event, phase, period=bet.period)
    if bet.kind == "double_chance":
        return double_chance(event, home, away, phase, period=bet.period)
    if bet.kind == "draw_no_bet":
        return draw_no_bet(event, home, away, phase, period=bet.period)
    unit = line_unit(sport, bet.unit)
    if bet.kind == "odd_even":
        return odd_even(event, phase, period=bet.period, unit=unit)
    return _line(event, fixture, bet, entry, key, phase, unit)


def _line_of(bet: Bet, points: float | str) -> float:
    return to_handicap(points) if bet.kind == "handicap" else to_total_line(points)


def _line(
    event: EventId, fixture: Fixture, bet: Bet, entry: Entry, key: str, phase: Phase, unit: str | None
) -> MarketDefinition | None:
    home, away = fixture.home_team_display, fixture.away_team_display
    try:
        points = _line_of(bet, "" if entry.points is None else entry.points)
    except ValueError:
        return None
    if bet.kind == "team_total":
        side = _side_of(entry, fixture)
        return None if side is None else side_total(event, side, points, phase, period=bet.period, unit=unit)
    if bet.kind == "total":
        return total(event, points, phase, period=bet.period, unit=unit)
    line = points if key == "home" else -points or 0.0
    return asian_handicap(event, line, home, away, phase, period=bet.period, unit=unit)
