"""Translates Odds-API.io's events and market lists into the domain's events and markets. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from feeds.adapters.oddsapiio.messages import Slug
from feeds.toolkit.numbers import decimal_odds, to_line
from feeds.toolkit.standard_markets import Phase, asian_handicap, both_to_score, match_result, total
from feeds.toolkit.timestamps import time_ms
from feeds.toolkit.units import line_unit, result_unit
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feeds.adapters.oddsapiio.messages import EventDetails, Market, Price
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: The provider's sports whose name in the domain is not simply its slug.
SPORTS: Final[dict[str, str]] = {
    "american-football": "american_football",
    "ice-hockey": "ice_hockey",
    "mma": "mixed_martial_arts",
    "mixed-martial-arts": "mixed_martial_arts",
}
#: The markets to stream, in the provider's names.
MARKETS: Final = (
    *("ML", "Spread", "Totals", "Both Teams To Score", "ML HT", "Spread HT", "Totals HT"),
    *("Corners Spread", "Corners Totals", "Bookings Spread", "Bookings Totals"),
    *("Spread (Games)", "Totals (Games)", "Spread (Sets)", "Totals (Sets)"),
)
#: Sports whose result has a draw, whether a bookmaker quotes it or not.
_THREE_WAY_SPORTS: Final = frozenset({"football"})
_NAME: Final = re.compile(r"(?:(Corners|Bookings) )?(ML|Spread|Asian Handicap|Totals|Both Teams To Score)(?: \((\w+)\))?( HT)?")


class _Bet(NamedTuple):
    """What a market name says: the market, its period, and its unit (empty: it says none)."""

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


def to_markets(event: EventId, details: EventDetails, market: Market) -> Iterator[tuple[MarketDefinition, dict[str, float]]]:
    """Yield one market for each line, with its decimal odds by selection. Lines that are none are left out."""
    bet = _bet(market.name)
    if bet is None:
        return
    phase = Phase("open", details.status == "live")
    home, away, sport = details.home, details.away, _sport(details)
    for price in market.odds:
        if bet.kind == "ML":
            unit = result_unit(sport, bet.unit, bet.period)
            three_way = price.draw is not None or (sport in _THREE_WAY_SPORTS and unit is None)
            definition = match_result(event, home, away, phase, three_way=three_way, period=bet.period, unit=unit)
            yield definition, _quotes(price, "home", "draw", "away")
            continue
        if bet.kind == "Both Teams To Score":
            yield both_to_score(event, phase), _quotes(price, "yes", "no")
            continue
        try:
            line = to_line("" if price.hdp is None else price.hdp)
        except ValueError:
            continue
        unit = line_unit(sport, bet.unit)
        if bet.kind == "Totals":
            yield total(event, line, phase, period=bet.period, unit=unit), _quotes(price, "over", "under")
        else:
            yield asian_handicap(event, line, home, away, phase, period=bet.period, unit=unit), _quotes(price, "home", "away")


def bad_lines(market: Market) -> list[str]:
    """Return what is wrong with those lines of a market that are none."""
    bet = _bet(market.name)
    problems: list[str] = []
    if bet is None or bet.kind in {"ML", "Both Teams To Score"}:
        return problems
    for price in market.odds:
        try:
            to_line("" if price.hdp is None else price.hdp)
        except ValueError as error:
            problems.append(str(error))
    return problems


@lru_cache(maxsize=1024)
def _bet(market: str) -> _Bet | None:
    match = _NAME.fullmatch(market)
    if match is None:
        return None
    kind, period, unit = match[2], "h1" if match[4] else "ft", match[1] or match[3] or ""
    if kind == "Both Teams To Score" and (period != "ft" or unit):
        return None
    return _Bet(kind, period, unit)


def _sport(details: EventDetails) -> str:
    sport = details.sport.slug or details.sport.name.lower()
    return SPORTS.get(sport, sport.replace("-", "_"))


def _quotes(price: Price, *keys: str) -> dict[str, float]:
    return {key: odds for key in keys if (odds := decimal_odds(getattr(price, key))) is not None}
