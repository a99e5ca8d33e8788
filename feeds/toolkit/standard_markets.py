"""Definitions of the markets that every bookmaker has: match result, totals, handicaps.

Ids, types, periods and roles do not depend on the bookmaker, so that the markets of matched events match too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import EventId, SelectionKey, line_text, market_id
from oddsengine.domain.taxonomy import MarketStatus

if TYPE_CHECKING:
    from oddsengine.domain.taxonomy import MarketType


class Phase(NamedTuple):
    """The status of a market and whether it is in play."""

    status: MarketStatus = "open"
    in_play: bool = False


def match_result(event: EventId, home: str, away: str, phase: Phase, *, three_way: bool, period: str = "ft") -> MarketDefinition:
    """Define the market on the winner: `match_odds` with a draw, `moneyline` without."""
    kind: MarketType = "match_odds" if three_way else "moneyline"
    draw = [("draw", "The Draw")] if three_way else []
    named = [("home", home), *draw, ("away", away)]
    return _defined(event, kind, period, None, named, phase, (kind, "" if period == "ft" else period))


def total(event: EventId, line: float, phase: Phase, *, period: str = "ft") -> MarketDefinition:
    """Define the market on over and under a line."""
    named = [("under", f"Under {line:g}"), ("over", f"Over {line:g}")]
    return _defined(event, "total", period, line, named, phase, ("total", period, line_text(line)))


def asian_handicap(event: EventId, line: float, home: str, away: str, phase: Phase, *, period: str = "ft") -> MarketDefinition:
    """Define a two-way handicap market; `line` is the head start of the home side."""
    named = [("home", home), ("away", away)]
    return _defined(event, "asian_handicap", period, line, named, phase, ("asian_handicap", period, line_text(line)))


def both_to_score(event: EventId, phase: Phase) -> MarketDefinition:
    """Define the market on whether both sides score."""
    return _defined(event, "both_to_score", "ft", None, [("yes", "Yes"), ("no", "No")], phase, ("both_to_score",))


def _defined(
    event: EventId,
    kind: MarketType,
    period: str,
    line: float | None,
    named: list[tuple[str, str]],
    phase: Phase,
    parts: tuple[str, ...],
) -> MarketDefinition:
    return MarketDefinition(
        id=market_id(event, *parts),
        event=event,
        type=kind,
        period=period,
        line=line,
        status=phase.status,
        in_play=phase.in_play,
        selections=tuple(SelectionDefinition(key, SelectionKey(key), name, "active") for key, name in named),
    )
