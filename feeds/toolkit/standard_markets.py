"""Definitions of the markets that every bookmaker has: match result, totals, handicaps.

Ids, types, periods, units and roles do not depend on the bookmaker, so that the markets of matched events match too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, SelectionKey, line_text, market_id
from oddsengine.domain.taxonomy import MarketStatus, default_name

if TYPE_CHECKING:
    from oddsengine.domain.taxonomy import MarketType


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


def both_to_score(event: EventId, phase: Phase) -> MarketDefinition:
    """Define the market on whether both sides score."""
    return _defined(event, "both_to_score", "ft", None, [("yes", "Yes"), ("no", "No")], phase, (), None)


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
        name="" if unit is None else f"{default_name(kind)} ({unit.replace('_', ' ')})",
        period=period,
        line=line,
        unit=unit,
        status=phase.status,
        in_play=phase.in_play,
        selections=tuple(SelectionDefinition(key, SelectionKey(key), name, "active") for key, name in named),
    )
