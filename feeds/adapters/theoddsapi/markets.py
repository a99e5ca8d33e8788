"""Translates events and markets of The Odds API into the domain's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.toolkit.odds_and_lines import to_handicap, to_total_line
from feeds.toolkit.standard_markets import Phase, asian_handicap, match_result, total
from feeds.toolkit.timestamps import time_ms
from feeds.toolkit.units import line_unit
from oddsengine.domain.events import Competition, Event

if TYPE_CHECKING:
    from feeds.adapters.theoddsapi.messages import Market, OddsEvent, Outcome
    from feeds.toolkit.odds_and_lines import Prices
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
#: Sports whose result has a draw, whether a bookmaker quotes it or not.
_THREE_WAY_SPORTS: Final = frozenset({"football"})


def to_event(name: str, quoted: OddsEvent, event: EventId, now_ms: int) -> Event:
    """Translate an event; it is in play from its start time on. Its start is unknown if it can't be read.

    Args:
        name: the feed's name.
        quoted: the provider's event.
        event: its id in the domain.
        now_ms: the time of the answer, Unix milliseconds.
    """
    start_ms = time_ms(quoted.commence_time)
    sides = tuple(side for side in (quoted.home_team, quoted.away_team) if side)
    return Event(
        id=event,
        sport=_sport(quoted),
        competition=Competition(f"{name}.{quoted.sport_key}", quoted.sport_title or quoted.sport_key),
        name=" v ".join(sides) or quoted.id,
        participants=sides,
        start_ms=start_ms,
        in_play=start_ms is not None and start_ms <= now_ms,
    )


def to_markets(
    event: EventId, quoted: OddsEvent, market: Market, phase: Phase, problems: list[str], *, had_draw: bool = False
) -> list[tuple[MarketDefinition, Prices]]:
    """Translate one of the provider's markets; spreads and totals yield one market for each line.

    Lines that are none are left out and named in `problems`. `had_draw`: whether the
    bookmaker has quoted a draw until now, so that its result without one lacks an outcome.
    """
    home, away = quoted.home_team or "", quoted.away_team or ""
    if market.key == "h2h":
        keys = {"Draw": "draw", home: "home", away: "away"}
        prices = _prices([(keys.get(each.name), each) for each in market.outcomes])
        three_way = had_draw or any(each.name == "Draw" for each in market.outcomes) or _sport(quoted) in _THREE_WAY_SPORTS
        return [(match_result(event, home, away, phase, three_way=three_way), prices)]
    if market.key == "spreads" and any(each.name == "Draw" for each in market.outcomes):
        problems.append("a spread with a draw is no Asian handicap")
        return []
    lines: dict[float, list[tuple[str | None, Outcome]]] = {}
    for each in market.outcomes:
        side = {"Over": "over", "Under": "under"} if market.key == "totals" else {home: "home", away: "away"}
        if each.point is None or each.name not in side or market.key not in {"totals", "spreads"}:
            continue
        try:
            point = to_total_line(each.point) if market.key == "totals" else to_handicap(each.point)
        except ValueError as error:
            problems.append(str(error))
            continue
        key = side[each.name]
        lines.setdefault(-point or 0.0 if key == "away" else point, []).append((key, each))
    unit = line_unit(_sport(quoted), None)
    if market.key == "totals":
        return [(total(event, line, phase, unit=unit), _prices(sides)) for line, sides in lines.items()]
    return [(asian_handicap(event, line, home, away, phase, unit=unit), _prices(sides)) for line, sides in lines.items()]


def updated_ms(market: Market) -> int | None:
    """Return when the provider last updated a market, Unix milliseconds; None if that is missing or unreadable."""
    return time_ms(market.last_update)


def _sport(quoted: OddsEvent) -> str:
    group, _, _ = quoted.sport_key.partition("_")
    return SPORTS.get(group, group)


def _prices(outcomes: list[tuple[str | None, Outcome]]) -> Prices:
    prices: Prices = {}
    for key, outcome in outcomes:
        if key is not None and outcome.price is not None:
            prices.setdefault(key, outcome.price)
    return prices
