"""Translates events and markets of The Odds API into the domain's. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from feeds.toolkit.quote_cache import decimal_odds
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from feeds.adapters.theoddsapi.messages import Market, OddsEvent, Outcome
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import EventId

#: The provider's sport groups (its sport keys up to the first `_`) that have another name in the domain.
SPORTS: Final[dict[str, str]] = {
    "soccer": "football",
    "americanfootball": "american_football",
    "icehockey": "ice_hockey",
    "mma": "mixed_martial_arts",
    "rugbyunion": "rugby_union",
    "rugbyleague": "rugby_league",
}


def to_event(name: str, quoted: OddsEvent, event: EventId, now_ms: int) -> Event:
    """Translate an event; it is in play from its start time on.

    Args:
        name: the feed's name.
        quoted: the provider's event.
        event: its id in the domain.
        now_ms: the time of the answer, Unix milliseconds.

    Raises:
        ValueError: if its start time can't be read.
    """
    start_ms = round(datetime.fromisoformat(quoted.commence_time).timestamp() * 1000)
    group, _, _ = quoted.sport_key.partition("_")
    sides = tuple(side for side in (quoted.home_team, quoted.away_team) if side)
    return Event(
        id=event,
        sport=SPORTS.get(group, group),
        competition=Competition(f"{name}.{quoted.sport_key}", quoted.sport_title or quoted.sport_key),
        name=" v ".join(sides) or quoted.id,
        participants=sides,
        start_ms=start_ms,
        in_play=start_ms <= now_ms,
    )


def to_markets(
    event: EventId, quoted: OddsEvent, market: Market, phase: Phase
) -> list[tuple[MarketDefinition, dict[str, float]]]:
    """Translate one of the provider's markets; spreads and totals yield one market for each line."""
    home, away = quoted.home_team or "", quoted.away_team or ""
    if market.key == "h2h":
        keys = {home: "home", away: "away", "Draw": "draw"}
        quotes = _quotes([(keys.get(each.name), each) for each in market.outcomes])
        three_way = any(each.name == "Draw" for each in market.outcomes)
        return [(match_result(event, home, away, phase, three_way=three_way), quotes)]
    lines: dict[float, list[tuple[str | None, Outcome]]] = {}
    for each in market.outcomes:
        if each.point is None:
            continue
        if market.key == "totals":
            lines.setdefault(each.point, []).append(({"Over": "over", "Under": "under"}.get(each.name), each))
        elif market.key == "spreads":
            side = {home: "home", away: "away"}.get(each.name)
            lines.setdefault(each.point if side == "home" else -each.point, []).append((side, each))
    if market.key == "totals":
        return [(total(event, line, phase), _quotes(sides)) for line, sides in lines.items()]
    return [(asian_handicap(event, line or 0.0, home, away, phase), _quotes(sides)) for line, sides in lines.items()]


def updated_ms(market: Market) -> int | None:
    """Return when the provider last updated a market, Unix milliseconds; None if that is missing or unreadable."""
    try:
        return None if market.last_update is None else round(datetime.fromisoformat(market.last_update).timestamp() * 1000)
    except ValueError:
        return None


def _quotes(outcomes: list[tuple[str | None, Outcome]]) -> dict[str, float]:
    return {key: odds for key, outcome in outcomes if key is not None and (odds := decimal_odds(outcome.price)) is not None}
