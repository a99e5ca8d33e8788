"""Translates Pinnacle's fixtures and periods into the domain's events and markets. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from feeds.toolkit.quote_cache import decimal_odds
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from feeds.adapters.pinnacle.messages import Fixture, FixtureLeague, Period
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: Pinnacle's sport ids with a sport in the domain; others are published as `pinnacle-<id>`.
SPORTS: Final[dict[int, str]] = {
    3: "baseball",
    4: "basketball",
    6: "boxing",
    8: "cricket",
    10: "darts",
    15: "american_football",
    17: "golf",
    19: "ice_hockey",
    22: "mixed_martial_arts",
    26: "rugby_league",
    27: "rugby_union",
    28: "snooker",
    29: "football",
    33: "tennis",
}
#: The periods that are translated.
PERIODS: Final[dict[int, str]] = {0: "ft", 1: "h1", 2: "h2"}


def to_event(name: str, sport: str, league: FixtureLeague, fixture: Fixture, event: EventId) -> Event:
    """Translate a fixture.

    Args:
        name: the feed's name.
        sport: the domain's word for the sport.
        league: the fixture's league.
        fixture: the provider's fixture.
        event: its id in the domain.

    Raises:
        ValueError: if its start time can't be read.
    """
    return Event(
        id=event,
        sport=sport,
        competition=Competition(f"{name}.{league.id}", league.name or str(league.id)),
        name=f"{fixture.home} v {fixture.away}",
        participants=(fixture.home, fixture.away),
        start_ms=round(datetime.fromisoformat(fixture.starts).timestamp() * 1000),
        in_play=fixture.liveStatus == 1,
    )


def to_markets(
    event: EventId, fixture: Fixture, quoted: Period, period: str, phase: Phase
) -> Iterator[tuple[MarketDefinition, dict[str, float]]]:
    """Yield the markets of a period, with their decimal odds by selection."""
    home, away = fixture.home, fixture.away
    if quoted.moneyline is not None:
        three_way = quoted.moneyline.draw is not None
        quotes = _quotes(home=quoted.moneyline.home, draw=quoted.moneyline.draw, away=quoted.moneyline.away)
        yield match_result(event, home, away, phase, three_way=three_way, period=period), quotes
    for spread in quoted.spreads:
        definition = asian_handicap(event, spread.hdp or 0.0, home, away, phase, period=period)
        yield definition, _quotes(home=spread.home, away=spread.away)
    for each in quoted.totals:
        yield total(event, each.points, phase, period=period), _quotes(over=each.over, under=each.under)


def cutoff_ms(period: Period) -> int | None:
    """Return when a period closes for betting, Unix milliseconds; None if that is missing or unreadable."""
    try:
        return None if period.cutoff is None else round(datetime.fromisoformat(period.cutoff).timestamp() * 1000)
    except ValueError:
        return None


def _quotes(**prices: float | None) -> dict[str, float]:
    return {key: odds for key, price in prices.items() if (odds := decimal_odds(price)) is not None}
