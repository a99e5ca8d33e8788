"""Translates Odds-API.io's events and market lists into the domain's events and markets. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from feeds.adapters.oddsapiio.messages import Slug
from feeds.toolkit.quote_cache import decimal_odds
from feeds.toolkit.standard_markets import Phase, asian_handicap, both_to_score, match_result, total
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
}


def to_event(name: str, details: EventDetails, event: EventId) -> Event:
    """Translate an event.

    Args:
        name: the feed's name.
        details: the provider's event.
        event: its id in the domain.
    """
    sport = details.sport.slug or details.sport.name.lower()
    league = details.league or Slug("unknown")
    return Event(
        id=event,
        sport=SPORTS.get(sport, sport.replace("-", "_")),
        competition=Competition(f"{name}.{league.slug or league.name}", league.name),
        name=f"{details.home} v {details.away}",
        participants=(details.home, details.away),
        start_ms=time_ms(details.date),
        in_play=details.status == "live",
    )


def to_markets(event: EventId, details: EventDetails, market: Market) -> Iterator[tuple[MarketDefinition, dict[str, float]]]:
    """Yield one market for each line, with its decimal odds by selection."""
    phase = Phase("open", details.status == "live")
    home, away = details.home, details.away
    for price in market.odds:
        line = to_line(price)
        if market.name == "ML":
            three_way = price.draw is not None
            yield match_result(event, home, away, phase, three_way=three_way), _quotes(price, "home", "draw", "away")
        elif market.name == "Totals" and line is not None:
            yield total(event, line, phase), _quotes(price, "over", "under")
        elif market.name in {"Spread", "Asian Handicap"} and line is not None:
            yield asian_handicap(event, line, home, away, phase), _quotes(price, "home", "away")
        elif market.name == "Both Teams To Score":
            yield both_to_score(event, phase), _quotes(price, "yes", "no")


def to_line(price: Price) -> float | None:
    """Return the line of a price, which may be a string; None if it has none."""
    try:
        return None if price.hdp is None else float(price.hdp) or 0.0
    except ValueError:
        return None


def time_ms(text: str | None) -> int:
    """Parse a time into Unix milliseconds; 0 if it is missing or unreadable."""
    try:
        return 0 if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0


def _quotes(price: Price, *keys: str) -> dict[str, float]:
    return {key: odds for key in keys if (odds := decimal_odds(getattr(price, key))) is not None}
