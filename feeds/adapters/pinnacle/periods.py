"""The meaning of Pinnacle's period numbers in each sport.

Source: Pinnacle lines API, "Get Periods" (`/v1/periods`), and its changelog of September 2022 (tennis) and November 2022 (extra
time in football). A number means what the sport has: 1 is a half in football, a set in tennis, a period in ice hockey. Numbers
that are not listed here are not translated.
"""

from __future__ import annotations

from typing import Final

#: Not a part of the match, but who goes through.
TO_QUALIFY: Final = "to qualify"
_HALVES: Final = {0: "ft", 1: "h1", 2: "h2"}
_QUARTERS: Final = {**_HALVES, 3: "q1", 4: "q2", 5: "q3", 6: "q4"}
_ONLY_WHOLE: Final = {0: "ft"}


def _parts(prefix: str, count: int) -> dict[int, str]:
    return {0: "ft", **{number: f"{prefix}{number}" for number in range(1, count + 1)}}


_BY_SPORT: Final[dict[str, dict[int, str]]] = {
    # 39 (to win the final) and 7 (the first ten penalties) are bets that no other provider has.
    "football": {**_HALVES, 3: "et", 6: "pen", 8: TO_QUALIFY},
    "basketball": _QUARTERS,
    "american_football": _QUARTERS,
    "aussie_rules": _QUARTERS,
    "handball": _HALVES,
    "rugby_union": _HALVES,
    "rugby_league": _HALVES,
    # The first half is five innings.
    "baseball": {0: "ft", 1: "f5"},
    # 0 includes overtime, 6 does not.
    "ice_hockey": {**_parts("p", 3), 6: "reg"},
    "tennis": _parts("set", 5),
    "volleyball": _parts("set", 5),
    "table_tennis": _parts("set", 7),
    "badminton": _parts("set", 3),
    "esports": _parts("map", 7),
}


def period_of(sport: str, number: int) -> str | None:
    """Return the domain's period. None if it is not translated.

    Args:
        sport: the domain's word for the sport.
        number: the provider's number.
    """
    return _BY_SPORT.get(sport, _ONLY_WHOLE).get(number)
