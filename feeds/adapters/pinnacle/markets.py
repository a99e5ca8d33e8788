"""Translates Pinnacle's periods into the domain's markets. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from feeds.adapters.pinnacle.messages import TeamTotals, Total
from feeds.adapters.pinnacle.periods import TO_QUALIFY
from feeds.toolkit.odds_and_lines import to_handicap, to_line, to_total_line
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, side_total, to_qualify, total, with_limit
from feeds.toolkit.timestamps import time_ms
from feeds.toolkit.units import line_unit, result_unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feeds.adapters.pinnacle.messages import Number, Period
    from feeds.toolkit.odds_and_lines import Prices
    from feeds.toolkit.standard_markets import Side
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

Line = TypeVar("Line")
#: Pinnacle's sport ids with a sport in the domain; others are published as `pinnacle-<id>`.
SPORTS: Final[dict[int, str]] = {
    1: "badminton",
    3: "baseball",
    4: "basketball",
    6: "boxing",
    8: "cricket",
    10: "darts",
    12: "esports",
    15: "american_football",
    17: "golf",
    18: "handball",
    19: "ice_hockey",
    22: "mixed_martial_arts",
    26: "rugby_league",
    27: "rugby_union",
    28: "snooker",
    29: "football",
    32: "table_tennis",
    33: "tennis",
    34: "volleyball",
}
#: Periods of football whose result has a draw, whether it is quoted or not.
_WITH_DRAW: Final = frozenset({"ft", "h1", "h2", "et"})


def without_bad_lines(quoted: Period) -> tuple[Period, list[str]]:
    """Return a period without the lines that are none, and what is wrong with each of those."""
    problems: list[str] = []
    spreads = _valid_lines(quoted.spreads or [], lambda spread: to_handicap(spread.hdp), problems)
    totals = _valid_lines(quoted.totals or [], lambda each: to_total_line(each.points), problems)
    of_sides = quoted.teamTotal
    if of_sides is not None:
        home, away = (
            _valid_lines(_lines(each), lambda line: to_total_line(line.points), problems)
            for each in (of_sides.home, of_sides.away)
        )
        of_sides = TeamTotals(home, away)
    return msgspec.structs.replace(quoted, spreads=spreads, totals=totals, teamTotal=of_sides), problems


def to_markets(
    event: EventId,
    names: tuple[str, str],
    sport: str,
    said_unit: str | None,
    quoted: Period,
    period: str,
    phase: Phase,
    had_draw: Callable[[str, str | None], bool] = lambda *_: False,
) -> Iterator[tuple[MarketDefinition, Prices]]:
    """Yield the markets of a period, with their prices by selection.

    Args:
        event: the event's id.
        names: of the home and the away side.
        sport: the domain's word for the sport.
        said_unit: the fixture's `resultingUnit`.
        quoted: the period, whose lines are good.
        period: the domain's word for it.
        phase: the status of its markets.
        had_draw: returns whether the result of a period, in a unit, has been quoted with a draw until now.
    """
    home, away = names
    if period == TO_QUALIFY:
        if quoted.moneyline is not None:
            definition = with_limit(to_qualify(event, home, away, phase), [quoted.maxMoneyline])
            yield definition, _prices(home=quoted.moneyline.home, away=quoted.moneyline.away)
        return
    if quoted.moneyline is not None:
        unit = result_unit(sport, said_unit, period)
        three_way = (
            quoted.moneyline.draw is not None
            or (sport == "football" and unit is None and period in _WITH_DRAW)
            or had_draw("ft" if period == "reg" else period, unit)
        )
        prices = _prices(home=quoted.moneyline.home, draw=quoted.moneyline.draw, away=quoted.moneyline.away)
        # A result with a draw is of regular time wherever it is quoted.
        of_period = "ft" if period == "reg" and three_way else period
        definition = match_result(event, home, away, phase, three_way=three_way, period=of_period, unit=unit)
        yield with_limit(definition, [quoted.maxMoneyline]), prices
    unit = line_unit(sport, said_unit)
    for spread in quoted.spreads or ():
        definition = asian_handicap(event, to_handicap(spread.hdp), home, away, phase, period=period, unit=unit)
        yield with_limit(definition, [spread.max or quoted.maxSpread]), _prices(home=spread.home, away=spread.away)
    for each in quoted.totals or ():
        definition = total(event, to_line(each.points), phase, period=period, unit=unit)
        yield with_limit(definition, [each.max or quoted.maxTotal]), _prices(over=each.over, under=each.under)
    of_sides = quoted.teamTotal or TeamTotals()
    side: Side
    for side, lines in (("home", of_sides.home), ("away", of_sides.away)):
        for each in _lines(lines):
            definition = side_total(event, side, to_line(each.points), phase, period=period, unit=unit)
            yield with_limit(definition, [each.max or quoted.maxTeamTotal]), _prices(over=each.over, under=each.under)


def cutoff_ms(period: Period) -> int | None:
    """Return when a period closes for betting, Unix milliseconds; None if that is missing or unreadable."""
    return time_ms(period.cutoff)


def _lines(totals: list[Total] | Total | None) -> list[Total]:
    return [totals] if isinstance(totals, Total) else totals or []


def _valid_lines(lines: list[Line], line_of: Callable[[Line], float], problems: list[str]) -> list[Line]:
    good: list[Line] = []
    for line in lines:
        try:
            line_of(line)
        except ValueError as error:
            problems.append(str(error))
        else:
            good.append(line)
    return good


def _prices(**prices: Number | None) -> Prices:
    return prices
