"""What the selections of a market say of the final score of its period.

A market of which it is not certain what it says of the score says nothing here, and is left to the other guards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition

#: The sports of goals in which a match can be drawn.
SPORTS: Final = frozenset(
    {
        "football",
        "esoccer",
        "futsal",
        "beach_soccer",
        "handball",
        "ice_hockey",
        "field_hockey",
        "floorball",
        "bandy",
        "water_polo",
    }
)
#: Sports in which some providers count extra time in `ft` and some do not, with the types that never count it.
_REGULAR_TIME_TYPES: Final[Mapping[str, frozenset[str]]] = {
    "ice_hockey": frozenset({"match_odds", "double_chance", "draw_no_bet", "correct_score"})
}
#: Types whose lines some providers count from the score at the time of the bet, once in play.
_FROM_CURRENT_SCORE: Final = frozenset({"asian_handicap"})
#: The period of definitions that name none.
_WHOLE_MATCH: Final = "ft"

_SCORE = re.compile(r"(\d{1,2})\s*[-:\N{EN DASH}]\s*(\d{1,2})")
_OTHER = re.compile(r"\b(?:other|unquoted)\b")
_WORD = re.compile(r"[a-z0-9]+")
_RESULTS: Final[Mapping[str, frozenset[str]]] = {
    "1x": frozenset({"home", "draw"}),
    "x2": frozenset({"draw", "away"}),
    "12": frozenset({"home", "away"}),
}
#: goal difference as a sign -> the word
_SIGNS: Final[Mapping[str, int]] = {"home": 1, "draw": 0, "away": -1}


class Claim(NamedTuple):
    """When one selection wins.

    Attributes:
        kind: `linear`: wins where home * H + away * A + line is over 0, and is returned at 0; half of the stake each way for a
            quarter line. `level`: wins where that is 0. `both`: both sides score. `odd`: the goals are odd. `score`: the score is
            home - away. `other`: it is none of `listed`, and `sign`, if given, is that of H - A.
        home: the factor of the home side's goals H, or its goals.
        away: the same for the away side's goals A.
        line: the line.
        negated: whether the opposite wins.
        listed: the scores that a correct score market names.
        sign: see `kind`.
    """

    kind: Literal["linear", "level", "both", "odd", "score", "other"]
    home: int = 0
    away: int = 0
    line: float = 0.0
    negated: bool = False
    listed: tuple[tuple[int, int], ...] = ()
    sign: int | None = None


def period_of(definition: MarketDefinition) -> str:
    """Return the period whose score a market is on."""
    return definition.period or _WHOLE_MATCH


def claims_of(definition: MarketDefinition, sport: str) -> dict[str, Claim]:
    """Return what a market's selections say, by key; empty where the market does not speak of a score."""
    read = _READERS.get(definition.type)
    if read is None or sport not in SPORTS:
        return {}
    if definition.in_play and definition.type in _FROM_CURRENT_SCORE:
        return {}
    types = _REGULAR_TIME_TYPES.get(sport)
    if types is not None and period_of(definition) == _WHOLE_MATCH and definition.type not in types:
        return {}
    return read(definition)


def _difference(side: str, line: float) -> Claim | None:
    if side == "home":
        return Claim("linear", 1, -1, line)
    return Claim("linear", -1, 1, line) if side == "away" else None


def _by_key(claims: Mapping[str, Claim | None]) -> Callable[[MarketDefinition], dict[str, Claim]]:
    """Return a reader of markets whose selections are always the same."""
    known = {key: claim for key, claim in claims.items() if claim is not None}
    return lambda definition: {each.key: known[each.key] for each in definition.selections if each.key in known}


def _double_chance(definition: MarketDefinition) -> dict[str, Claim]:
    claims: dict[str, Claim] = {}
    for selection in definition.selections:
        words = frozenset(_WORD.findall(_text(selection.key))) - {"or"}
        results = _RESULTS.get("".join(words), words)
        if results == {"home", "draw"}:
            claims[selection.key] = Claim("linear", 1, -1, 0.5)
        elif results == {"draw", "away"}:
            claims[selection.key] = Claim("linear", -1, 1, 0.5)
        elif results == {"home", "away"}:
            claims[selection.key] = Claim("level", 1, -1, negated=True)
    return claims


def _total(home: int, away: int) -> Callable[[MarketDefinition], dict[str, Claim]]:
    def read(definition: MarketDefinition) -> dict[str, Claim]:
        line = definition.line
        if line is None:
            return {}
        return _by_key({"over": Claim("linear", home, away, -line), "under": Claim("linear", -home, -away, line)})(definition)

    return read


def _asian_handicap(definition: MarketDefinition) -> dict[str, Claim]:
    line = definition.line
    if line is not None:
        return _by_key({"home": _difference("home", line), "away": _difference("away", -line)})(definition)
    if not any(selection.handicap for selection in definition.selections):
        return {}
    # Several lines: each selection has its own, and the first is of the home side.
    first = _side(definition.selections[0])
    claims: dict[str, Claim] = {}
    for selection in definition.selections:
        sign = 1 if _side(selection) == first else -1
        claims[selection.key] = Claim("linear", sign, -sign, selection.handicap)
    return claims


def _side(selection: SelectionDefinition) -> str:
    return selection.source_id.partition("@")[0]


def _handicap(definition: MarketDefinition) -> dict[str, Claim]:
    line = definition.line
    if line is None:
        return {}
    if not line.is_integer():
        return _asian_handicap(definition)
    if not any(selection.key == "draw" for selection in definition.selections):
        return {}  # nobody says whether a draw is lost or returned
    # Half a goal less: what an Asian handicap would return is lost here.
    sides = {"home": _difference("home", line - 0.5), "away": _difference("away", -line - 0.5)}
    return _by_key({**sides, "draw": Claim("level", 1, -1, line)})(definition)


def _correct_score(definition: MarketDefinition) -> dict[str, Claim]:
    texts = {each.key: (_text(each.key), _text(each.name)) for each in definition.selections}
    scores = {key: score for key, text in texts.items() if (score := _score(*text)) is not None}
    claims: dict[str, Claim] = {key: Claim("score", *score) for key, score in scores.items()}
    others = [key for key in texts if key not in scores]
    if not all(any(_OTHER.search(text) for text in texts[key]) for key in others):
        return claims  # some selection can't be read, so what is listed is not known
    listed = tuple(sorted(set(scores.values())))
    for key in others:
        words = {word for text in texts[key] for word in text.split()}
        signs = [sign for word, sign in _SIGNS.items() if word in words]
        if len(signs) <= 1:
            claims[key] = Claim("other", listed=listed, sign=signs[0] if signs else None)
    return claims


def _text(text: str) -> str:
    return text.lower().replace("_", " ").strip()


def _score(*texts: str) -> tuple[int, int] | None:
    for text in texts:
        if match := _SCORE.fullmatch(text):
            return int(match[1]), int(match[2])
    return None


_READERS: Final[Mapping[str, Callable[[MarketDefinition], dict[str, Claim]]]] = {
    "match_odds": _by_key({"home": _difference("home", -0.5), "draw": Claim("level", 1, -1), "away": _difference("away", -0.5)}),
    "double_chance": _double_chance,
    "draw_no_bet": _by_key({"home": _difference("home", 0.0), "away": _difference("away", 0.0)}),
    "asian_handicap": _asian_handicap,
    "handicap": _handicap,
    "total": _total(1, 1),
    "home_total": _total(1, 0),
    "away_total": _total(0, 1),
    "both_to_score": _by_key({"yes": Claim("both"), "no": Claim("both", negated=True)}),
    "odd_even": _by_key({"odd": Claim("odd"), "even": Claim("odd", negated=True)}),
    "correct_score": _correct_score,
}
