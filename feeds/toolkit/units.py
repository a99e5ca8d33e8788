"""What lines and results count, in every sport: the unit that is part of a market's identity.

A unit is None where it is what the sport's score counts (goals, points, runs), so that such a market has the same id whether its
provider names the unit or not. In sports that count several things (sets and games, sets and points) the unit is always set.
"""

from __future__ import annotations

import re
from typing import Final

#: What the score of a sport counts.
_SCORES: Final[dict[str, frozenset[str]]] = {
    "football": frozenset({"goals"}),
    "ice_hockey": frozenset({"goals"}),
    "handball": frozenset({"goals"}),
    "basketball": frozenset({"points"}),
    "american_football": frozenset({"points"}),
    "rugby_union": frozenset({"points"}),
    "rugby_league": frozenset({"points"}),
    "aussie_rules": frozenset({"points"}),
    "baseball": frozenset({"runs"}),
    "cricket": frozenset({"runs"}),
    "snooker": frozenset({"frames"}),
    "esports": frozenset({"maps"}),
    "mixed_martial_arts": frozenset({"rounds"}),
    "boxing": frozenset({"rounds"}),
}
#: What decides a match where that is not what its lines count: the winner of more sets is the winner.
_DECIDED_BY_SETS: Final = frozenset({"tennis", "volleyball", "beach_volleyball", "table_tennis", "badminton", "darts", "squash"})
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
    return None if unit in _SCORES.get(sport, ()) else unit


def result_unit(sport: str, word: str | None, period: str = "ft") -> str | None:
    """Return the unit of a result: None where it is what decides the match, or the period; arguments as of `line_unit`."""
    unit = _unit(word)
    if unit is None or unit in _SCORES.get(sport, ()):
        return None
    if sport in _DECIDED_BY_SETS and (unit == "sets" or period != "ft"):
        return None
    return unit


def _unit(word: str | None) -> str | None:
    key = _OTHER_CHARACTERS.sub("_", (word or "").lower()).strip("_")
    if key in _NO_UNIT:
        return None
    return f"{key}s" if key in _PLURALS else key
