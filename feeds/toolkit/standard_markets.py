"""Definitions of the markets that bookmakers share: results, totals, handicaps and what is derived from them.

Ids, types, periods, units and roles do not depend on the bookmaker, so that the markets of matched events match too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from feeds.toolkit.odds_and_lines import to_amount
from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, SelectionKey, line_text, market_id
from oddsengine.domain.taxonomy import MarketStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.domain.taxonomy import MarketType

Side = Literal["home", "away"]


class Phase(NamedTuple):
    """The status of a market and whether it is in play."""

    status: MarketStatus = "open"
    in_play: bool = False


def match_result(
    event: EventId, home: str, away: str, phase: Phase, *, three_way: bool, period: str = "ft", unit: str | None = None
) -> MarketDefinition:
    """Define the market on the winner: `match_odds` with a draw, `moneyline` without."""
    kind: MarketType = "match_odds" if three_way else "moneyline"
    draw = [("draw", "The Draw")] if three_way else []
    named = [("home", home), *draw, ("away", away)]
    return _defined(event, kind, period, None, named, phase, ("" if period == "ft" else period,), unit)


def total(event: EventId, line: float, phase: Phase, *, period: str = "ft", unit: str | None = None) -> MarketDefinition:
    """Define the market on over and under a line; `unit` is what is counted, None: what the sport's score counts."""
    named = [("under", f"Under {line:g}"), ("over", f"Over {line:g}")]
    return _defined(event, "total", period, line, named, phase, (period, line_text(line)), unit)


def asian_handicap(
    event: EventId, line: float, home: str, away: str, phase: Phase, *, period: str = "ft", unit: str | None = None
) -> MarketDefinition:
    """Define a two-way handicap market; `line` is the head start of the home side."""
    named = [("home", home), ("away", away)]
    return _defined(event, "asian_handicap", period, line, named, phase, (period, line_text(line)), unit)


def side_total(
    event: EventId, side: Side, line: float, phase: Phase, *, period: str = "ft", unit: str | None = None
) -> MarketDefinition:
    """Define the market on over and under a line of what one side scores; arguments as of `total`."""
    kind: MarketType = "home_total" if side == "home" else "away_total"
    named = [("under", f"Under {line:g}"), ("over", f"Over {line:g}")]
    return _defined(event, kind, period, line, named, phase, (period, line_text(line)), unit)


def double_chance(event: EventId, home: str, away: str, phase: Phase, *, period: str = "ft") -> MarketDefinition:
    """Define the market on two of three outcomes, of which two pairs win."""
    named = [("home_draw", f"{home} or Draw"), ("home_away", f"{home} or {away}"), ("draw_away", f"Draw or {away}")]
    definition = _defined(event, "double_chance", period, None, named, phase, ("" if period == "ft" else period,), None)
    return msgspec.structs.replace(definition, winners=2)


def draw_no_bet(event: EventId, home: str, away: str, phase: Phase, *, period: str = "ft") -> MarketDefinition:
    """Define the market on the winner that returns the stake on a draw; a handicap of nothing may be quoted beside it."""
    named = [("home", home), ("away", away)]
    return _defined(event, "draw_no_bet", period, None, named, phase, ("" if period == "ft" else period,), None)


def odd_even(event: EventId, phase: Phase, *, period: str = "ft", unit: str | None = None) -> MarketDefinition:
    """Define the market on whether a total is odd."""
    named = [("odd", "Odd"), ("even", "Even")]
    return _defined(event, "odd_even", period, None, named, phase, ("" if period == "ft" else period,), unit)


def to_qualify(event: EventId, home: str, away: str, phase: Phase) -> MarketDefinition:
    """Define the market on who goes through, after extra time and penalties."""
    definition = _defined(event, "to_qualify", "", None, [("home", home), ("away", away)], phase, (), None)
    return msgspec.structs.replace(definition, period=None)


def both_to_score(event: EventId, phase: Phase, *, period: str = "ft") -> MarketDefinition:
    """Define the market on whether both sides score."""
    named = [("yes", "Yes"), ("no", "No")]
    return _defined(event, "both_to_score", period, None, named, phase, ("" if period == "ft" else period,), None)


def with_limit(definition: MarketDefinition, limits: Iterable[object]) -> MarketDefinition:
    """Return a market with the smallest of its source's limits. Values that are not amounts are ignored."""
    limit = min((amount for each in limits if (amount := to_amount(each)) is not None), default=None)
    return definition if limit is None else msgspec.structs.replace(definition, limit=limit)


def _defined(
    event: EventId,
    kind: MarketType,
    period: str,
    line: float | None,
    named: list[tuple[str, str]],
    phase: Phase,
    parts: tuple[str, ...],
    unit: str | None,
) -> MarketDefinition:
    return MarketDefinition(
        id=market_id(event, kind if unit is None else f"{kind}_{unit}", *parts),
        event=event,
        type=kind,
        period=period,
        line=line,
        unit=unit,
        status=phase.status,
        in_play=phase.in_play,
        selections=tuple(SelectionDefinition(key, SelectionKey(key), name, "active") for key, name in named),
    )
