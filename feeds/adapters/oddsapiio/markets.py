"""Translates Odds-API.io's events and market lists into the domain's events and markets. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from feeds.adapters.oddsapiio.messages import Slug
from feeds.toolkit.odds_and_lines import to_handicap, to_total_line
from feeds.toolkit.standard_markets import (
    Phase,
    asian_handicap,
    both_to_score,
    draw_no_bet,
    match_result,
    side_total,
    total,
    with_limit,
)
from feeds.toolkit.timestamps import time_ms
from feeds.toolkit.units import line_unit, result_unit
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from feeds.adapters.oddsapiio.messages import EventDetails, Market, Price
    from feeds.toolkit.odds_and_lines import Prices
    from feeds.toolkit.standard_markets import Side
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: The provider's sports whose name in the domain is not simply its slug.
SPORTS: Final[dict[str, str]] = {
    "american-football": "american_football",
    "ice-hockey": "ice_hockey",
    "mma": "mixed_martial_arts",
    "mixed-martial-arts": "mixed_martial_arts",
}
_OF_ALL: Final = (
    *("ML", "Spread", "Asian Handicap", "Totals", "ML HT", "Spread HT", "Totals HT"),
    *("Team Total Home", "Team Total Away", "Draw No Bet"),
)
_OF_SPORTS: Final[dict[str, tuple[str, ...]]] = {
    "football": (
        *("Both Teams To Score", "Corners Spread", "Corners Totals", "Corners Spread HT", "Corners Totals HT"),
        *("Bookings Spread", "Bookings Totals"),
    ),
    "tennis": ("Spread (Games)", "Totals (Games)", "Spread (Sets)", "Totals (Sets)"),
}
_OF_OTHERS: Final = ("Spread 1Q", "Totals 1Q")
#: The markets that are translated: those that are streamed, because others of the snapshot would never be updated.
MARKETS: Final = frozenset({*_OF_ALL, *(name for names in _OF_SPORTS.values() for name in names), *_OF_OTHERS})
#: Sports whose result has a draw, whether a bookmaker quotes it or not.
_THREE_WAY_SPORTS: Final = frozenset({"football"})
_NAME: Final = re.compile(
    r"(?:(Corners|Bookings) )?(ML|Spread|Asian Handicap|Totals|Both Teams To Score|Draw No Bet|Team Total Home|Team Total Away)"
    r"(?: \((\w+)\))?(?: (HT|[1-4]Q))?"
)
_PERIODS: Final[dict[str | None, str]] = {None: "ft", "HT": "h1", "1Q": "q1", "2Q": "q2", "3Q": "q3", "4Q": "q4"}
#: Markets without lines.
_PLAIN: Final = frozenset({"ML", "Both Teams To Score", "Draw No Bet"})


def streamed_markets(sport: str) -> tuple[str, ...]:
    """Return the markets to stream of one of the provider's sports, in its names; it allows twenty."""
    return (*_OF_ALL, *_OF_SPORTS.get(sport, _OF_OTHERS))


class _Bet(NamedTuple):
    """A market name, parsed: the market, its period, and its unit (empty if not named)."""

    kind: str
    period: str
    unit: str


def to_event(name: str, details: EventDetails, event: EventId) -> Event:
    """Translate an event. Its start is unknown if it can't be read.

    Args:
        name: the feed's name.
        details: the provider's event.
        event: its id in the domain.
    """
    league = details.league or Slug("unknown")
    return Event(
        id=event,
        sport=_sport(details),
        competition=Competition(f"{name}.{league.slug or league.name}", league.name),
        name=f"{details.home} v {details.away}",
        participants=(details.home, details.away),
        start_ms=time_ms(details.date),
        in_play=details.status == "live",
    )


def to_markets(
    event: EventId, details: EventDetails, market: Market, had_draw: Callable[[str, str | None], bool] = lambda *_: False
) -> Iterator[tuple[MarketDefinition, Prices]]:
    """Yield one market for each line, with its prices by selection. Lines that are none are left out.

    Args:
        event: the event's id.
        details: the event.
        market: the provider's market.
        had_draw: returns whether the result of a period, in a unit, has been quoted with a draw until now.
    """
    bet = _bet(market.name)
    if bet is None:
        return
    phase = Phase("suspended" if _is_pre_match_quote(market, details) else "open", details.status == "live")
    home, away, sport = details.home, details.away, _sport(details)
    for price in market.odds:
        if bet.kind == "ML":
            unit = result_unit(sport, bet.unit, bet.period)
            three_way = price.draw is not None or (sport in _THREE_WAY_SPORTS and unit is None) or had_draw(bet.period, unit)
            definition = match_result(event, home, away, phase, three_way=three_way, period=bet.period, unit=unit)
            yield with_limit(definition, [price.max]), _prices(price, "home", "draw", "away")
            continue
        if bet.kind == "Both Teams To Score":
            yield with_limit(both_to_score(event, phase, period=bet.period), [price.max]), _prices(price, "yes", "no")
            continue
        if bet.kind == "Draw No Bet":
            definition = draw_no_bet(event, home, away, phase, period=bet.period)
            yield with_limit(definition, [price.max]), _prices(price, "home", "away")
            continue
        try:
            line = _line_of(bet, price)
        except ValueError:
            continue
        unit = line_unit(sport, bet.unit)
        keys = "over", "under"
        if bet.kind == "Totals":
            definition = total(event, line, phase, period=bet.period, unit=unit)
        elif bet.kind.startswith("Team Total"):
            side: Side = "home" if bet.kind.endswith("Home") else "away"
            definition = side_total(event, side, line, phase, period=bet.period, unit=unit)
        else:
            definition = asian_handicap(event, line, home, away, phase, period=bet.period, unit=unit)
            keys = "home", "away"
        yield with_limit(definition, [price.max]), _prices(price, *keys)


def _is_pre_match_quote(market: Market, details: EventDetails) -> bool:
    """Check whether the odds of a live match were last updated before its start."""
    if details.status != "live":
        return False
    at_ms, start_ms = time_ms(market.updated_at), time_ms(details.date)
    return at_ms is not None and start_ms is not None and at_ms < start_ms


def bad_lines(market: Market) -> list[str]:
    """Return what is wrong with those lines of a market that are none."""
    bet = _bet(market.name)
    problems: list[str] = []
    if bet is None or bet.kind in _PLAIN:
        return problems
    for price in market.odds:
        try:
            _line_of(bet, price)
        except ValueError as error:
            problems.append(str(error))
    return problems


def _line_of(bet: _Bet, price: Price) -> float:
    line = "" if price.hdp is None else price.hdp
    if "Total" in bet.kind:
        return to_total_line(line)
    if price.draw is not None:
        raise ValueError("a spread with a draw is no Asian handicap")
    return to_handicap(line)


@lru_cache(maxsize=1024)
def _bet(market: str) -> _Bet | None:
    match = _NAME.fullmatch(market)
    if match is None or market not in MARKETS:
        return None
    kind, period, unit = match[2], _PERIODS[match[4]], match[1] or match[3] or ""
    if kind in _PLAIN - {"ML"} and unit:
        return None
    return _Bet(kind, period, unit)


def _sport(details: EventDetails) -> str:
    sport = details.sport.slug or details.sport.name.lower()
    return SPORTS.get(sport, sport.replace("-", "_"))


def _prices(price: Price, *keys: str) -> Prices:
    return {key: getattr(price, key) for key in keys}
