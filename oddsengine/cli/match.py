"""`oddsengine match`: whether two events are the same, by the matcher that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.compare import compare, profile
from oddsengine.sourcing.matching.names import NameNormaliser

if TYPE_CHECKING:
    from oddsengine.sourcing.matching.compare import Decision
    from oddsengine.sourcing.matching.settings import MatchingSettings

#: How a decision is printed.
_PRINTED: Final[dict[Decision, str]] = {"match": "same", "possible_match": "doubt", "non_match": "apart"}


def match(
    events: tuple[str, str],
    sport: str,
    minutes_apart: float,
    competitions: tuple[str, str],
    settings: MatchingSettings,
) -> dict[str, Any]:
    """Compare two events of different feeds.

    Args:
        events: their names, `Home v Away`.
        sport: of both.
        minutes_apart: how far apart their starts are.
        competitions: the names of their competitions, empty where unknown.
        settings: the config's `[matching]` section.
    """
    names = NameNormaliser(settings.aliases)
    starts = (0, round(minutes_apart * 60_000))
    one, other = (
        profile(
            Event(id=EventId(f"{feed}.1"), sport=sport, competition=Competition("", competition), name=name, start_ms=start),
            names,
        )
        for feed, name, competition, start in zip(("first", "second"), events, competitions, starts, strict=True)
    )
    comparison = compare(one, other, settings)
    return {
        "decision": _PRINTED[comparison.decision],
        "score": round(comparison.score, 3),
        "swapped": comparison.swapped,
        "why": list(comparison.why),
    }
