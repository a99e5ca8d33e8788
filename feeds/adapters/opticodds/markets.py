"""Translates OpticOdds' fixtures and entries into the domain's events and markets. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from feeds.toolkit.quote_cache import decimal_odds, from_american
from feeds.toolkit.standard_markets import Phase, asian_handicap, both_to_score, match_result, total
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.adapters.opticodds.messages import Entry, Fixture
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: The provider's sports that have another name in the domain.
SPORTS: Final[dict[str, str]] = {
    "soccer": "football",
    "football": "american_football",
    "hockey": "ice_hockey",
    "mma": "mixed_martial_arts",
}
#: The provider's market names that are translated: kind and period.
_KINDS: Final[dict[str, tuple[str, str]]] = {
    "Moneyline": ("result", "ft"),
    "Moneyline 3-Way": ("result", "ft"),
    "1st Half Moneyline": ("result", "h1"),
    "1st Half Moneyline 3-Way": ("result", "h1"),
    "Total Goals": ("total", "ft"),
    "Total Points": ("total", "ft"),
    "1st Half Total Goals": ("total", "h1"),
    "Asian Handicap": ("handicap", "ft"),
    "Point Spread": ("handicap", "ft"),
    "Goal Spread": ("handicap", "ft"),
    "Both Teams To Score": ("both", "ft"),
}
_UNKNOWN_KIND: Final = ("", "")
#: A price this far from zero is American, whatever format was requested.
_MIN_AMERICAN: Final = 100.0


def to_event(name: str, fixture: Fixture, event: EventId) -> Event:
    """Translate a fixture.

    Args:
        name: the feed's name.
        fixture: the provider's fixture.
        event: its id in the domain.

    Raises:
        ValueError: if its start time can't be read.
    """
    return Event(
        id=event,
        sport=SPORTS.get(fixture.sport.id, fixture.sport.id),
        competition=Competition(f"{name}.{fixture.league.id}", fixture.league.name or fixture.league.id),
        name=f"{fixture.home_team_display} v {fixture.away_team_display}",
        participants=(fixture.home_team_display, fixture.away_team_display),
        start_ms=round(datetime.fromisoformat(fixture.start_date).timestamp() * 1000),
        in_play=fixture.is_live,
    )


def to_markets(
    event: EventId, fixture: Fixture, entries: Iterable[Entry]
) -> dict[str, tuple[MarketDefinition, dict[str, float]]]:
    """Assemble the entries of a fixture into markets.

    Returns:
        Market id -> its definition, and its decimal odds by selection.
    """
    phase = Phase("open", fixture.is_live)
    entries = list(entries)
    three_way = any(entry.name == "Draw" and _kind(entry)[0] == "result" for entry in entries)
    markets: dict[str, tuple[MarketDefinition, dict[str, float]]] = {}
    for entry in entries:
        found = _selection(event, fixture, entry, phase, three_way=three_way)
        if found is None:
            continue
        definition, key = found
        _, quotes = markets.setdefault(definition.id, (definition, {}))
        odds = _odds(entry.price)
        if odds is not None:
            quotes[key] = odds
    return markets


def _kind(entry: Entry) -> tuple[str, str]:
    return _KINDS.get(entry.market, _UNKNOWN_KIND)


def _selection(
    event: EventId, fixture: Fixture, entry: Entry, phase: Phase, *, three_way: bool
) -> tuple[MarketDefinition, str] | None:
    """Return the market and selection that an entry prices; None if it is not translated."""
    kind, period = _kind(entry)
    home, away = fixture.home_team_display, fixture.away_team_display
    name = entry.name
    if kind == "result":
        key = {home: "home", away: "away", "Draw": "draw"}.get(name)
        definition = match_result(event, home, away, phase, three_way=three_way, period=period)
        return None if key is None else (definition, key)
    if kind == "total" and entry.points is not None:
        key = "over" if name.startswith("Over") else "under" if name.startswith("Under") else None
        return None if key is None else (total(event, entry.points, phase, period=period), key)
    if kind == "handicap" and entry.points is not None:
        key = "home" if name.startswith(home) else "away" if name.startswith(away) else None
        line = entry.points if key == "home" else -entry.points
        return None if key is None else (asian_handicap(event, line or 0.0, home, away, phase, period=period), key)
    if kind == "both" and name in {"Yes", "No"}:
        return both_to_score(event, phase), name.lower()
    return None


def _odds(price: float | None) -> float | None:
    if price is not None and abs(price) >= _MIN_AMERICAN:
        return from_american(price)
    return decimal_odds(price)
