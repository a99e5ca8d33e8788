"""The units of lines and results in every sport, which are part of a market's identity.

A unit is None where it is what the sport's score counts (goals, points, runs), so that such a market has the same id whether its
provider names the unit or not. In sports that count several things (sets and games, sets and points) the unit is set wherever the
provider names it; a line of which it does not is kept apart from those of other feeds (`sourcing.matching.translate`).
"""

from __future__ import annotations

import re
from typing import Final

from oddsengine.domain.taxonomy import DECIDED_BY_SETS

#: What the score counts, and the sports of that.
_SCORES: Final[dict[str, str]] = {
    "goals": (
        "football futsal esoccer beach_soccer ice_hockey field_hockey handball beach_handball floorball bandy water_polo lacrosse"
    ),
    "points": "basketball american_football canadian_football rugby rugby_union rugby_league rugby_sevens aussie_rules netball",
    "runs": "baseball softball cricket",
    "frames": "snooker",
    "maps": "esports",
    "rounds": "mixed_martial_arts boxing",
}
_SCORE_OF: Final = {sport: unit for unit, sports in _SCORES.items() for sport in sports.split()}
#: What lines count where a provider names no unit.
_DEFAULTS: Final[dict[str, str]] = {"tennis": "games"}
_NO_UNIT: Final = frozenset({"", "regular", "none"})
_PLURALS: Final = frozenset(
    {"set", "game", "goal", "point", "run", "map", "leg", "frame", "round", "kill", "corner", "booking", "card", "shot"}
)
_OTHER_CHARACTERS: Final = re.compile(r"[^a-z0-9]+")


def line_unit(sport: str, word: str | None) -> str | None:
    """Return the unit of a total or handicap.

    Args:
        sport: the domain's word for the sport.
        word: the provider's word for the unit, in any spelling; empty or None if there is none.
    """
    unit = _unit(word)
    if unit is None:
        return _DEFAULTS.get(sport)
    return None if unit == _SCORE_OF.get(sport) else unit


def result_unit(sport: str, word: str | None, period: str = "ft") -> str | None:
    """Return the unit of a result: None where it is what decides the match, or the period; arguments as of `line_unit`."""
    unit = _unit(word)
    if unit is None or unit == _SCORE_OF.get(sport):
        return None
    if sport in DECIDED_BY_SETS and (unit == "sets" or period != "ft"):
        return None
    return unit


def _unit(word: str | None) -> str | None:
    key = _OTHER_CHARACTERS.sub("_", (word or "").lower()).strip("_")
    if key in _NO_UNIT:
        return None
    return f"{key}s" if key in _PLURALS else key
