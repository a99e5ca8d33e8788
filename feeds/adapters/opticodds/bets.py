"""Reads OpticOdds' market names: `1st Set Total Games` is a total of games in the first set. Pure.

Only names that define the bet exactly are read; those of players and specials are not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

#: How the provider calls the parts of a match, and the prefix of their periods.
_PARTS: Final[dict[str, str]] = {
    "half": "h",
    "quarter": "q",
    "period": "p",
    "set": "set",
    "map": "map",
    "inning": "i",
}
_PERIOD: Final = re.compile(
    r"(?:([0-9])(?:st|nd|rd|th) (Half|Quarter|Period|Set|Map|Inning)|(Map|Set) ([0-9])|(1st 5 Innings)) (.+)"
)
_RESULT: Final = re.compile(r"(?:(Corners?|Cards?|Bookings?) )?(?:Moneyline|Match Winner)( 3-Way)?")
_TOTAL: Final = re.compile(r"Total(?: (Goals|Points|Runs|Games|Sets|Maps|Rounds|Corners|Cards|Bookings|Legs|Frames|Kills))?")
_HANDICAP: Final = re.compile(
    r"(?:Asian Handicap|Puck Line|Run Line"
    r"|(Goal|Point|Game|Set|Map|Round|Corners?|Cards?|Bookings?|Leg|Frame|Kill) (?:Spread|Handicap))"
)
_CORNER_HANDICAP: Final = re.compile(r"Asian Handicap (Corners|Cards|Bookings)")
_TEAM_TOTAL: Final = re.compile(r"Team Total(?: (Goals|Points|Runs|Games|Sets|Maps|Corners|Cards|Bookings))?")
_ODD_EVEN: Final = re.compile(r"Total(?: (Goals|Points|Runs|Games|Sets|Maps|Corners|Cards|Bookings))? Odd/Even|Odd/Even()")
#: Names of markets that hold no unit.
_PLAIN: Final[dict[str, str]] = {
    "Both Teams To Score": "both",
    "Double Chance": "double_chance",
    "Draw No Bet": "draw_no_bet",
}


class Bet(NamedTuple):
    """A market name, parsed: the kind of bet, its period, and its unit (empty if not named).

    The kinds are `result`, `total`, `team_total`, `odd_even`, `handicap`, `both`, `double_chance` and `draw_no_bet`.
    """

    kind: str
    period: str = "ft"
    unit: str = ""
    is_three_way: bool = False


@lru_cache(maxsize=4096)
def bet_of(market: str) -> Bet | None:
    """Read a market name. None if it is not translated."""
    period, name = "ft", market
    if match := _PERIOD.fullmatch(market):
        if match[5]:
            period = "f5"
        elif match[3]:
            period = f"{_PARTS[match[3].lower()]}{match[4]}"
        else:
            period = f"{_PARTS[match[2].lower()]}{match[1]}"
        name = match[6]
    if match := _RESULT.fullmatch(name):
        return Bet("result", period, match[1] or "", match[2] is not None)
    if match := _TOTAL.fullmatch(name):
        return Bet("total", period, match[1] or "")
    if match := _CORNER_HANDICAP.fullmatch(name) or _HANDICAP.fullmatch(name):
        unit = match[1] or ""
        return Bet("handicap", period, unit)
    if match := _TEAM_TOTAL.fullmatch(name):
        return Bet("team_total", period, match[1] or "")
    if match := _ODD_EVEN.fullmatch(name):
        return Bet("odd_even", period, match[1] or "")
    return Bet(_PLAIN[name], period) if name in _PLAIN else None
