"""On which final scores of its period each selection of a market wins: its winning condition.

A market whose meaning is not certain has no conditions, and is left to the other guards.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from oddsengine.domain.events import Score
from oddsengine.domain.ids import line_text
from oddsengine.domain.market_types import counts_from_score

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import TypeAlias

    from oddsengine.domain.feed_updates import MarketDefinition

    Reader: TypeAlias = Callable[[MarketDefinition], "dict[str, Condition]"]

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
#: Sports of high scores that play on until there is a winner: only the winner, the margin and totals are compared.
_PLAYED_ON: Final = frozenset({"basketball", "american_football", "baseball"})
_WINNER_TYPES: Final = frozenset({"moneyline", "asian_handicap"})
_TOTAL_TYPES: Final = frozenset({"total", "home_total", "away_total"})
#: The highest total of them that is compared: a grid for the 220 points of a match takes half a second to build, for 50 20 ms.
_MAX_TOTAL: Final = 80.0
#: The sport of them in which no whole match ends level, so that a head start of half a point changes nothing.
_NEVER_LEVEL: Final = "basketball"
_HALF_A_POINT: Final = 0.5
#: The period of definitions that name none, and that of regular time: no market compared on a whole match counts extra time.
_WHOLE_MATCH: Final = "ft"
_REGULAR_TIME: Final = "reg"
#: Periods that begin with the match: while a market on one is in play, its score can't be less than the current one.
_FROM_THE_START: Final = frozenset({"ft", "h1", "p1"})
NO_GOALS: Final = Score(0, 0)

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


class Condition(NamedTuple):
    """The condition under which one selection wins.

    Attributes:
        kind: `linear`: wins where home * H + away * A + line is over 0, and is returned at 0; half of the stake each way for a
            quarter line. `level`: wins where that is 0. `both`: both sides score. `odd`: the goals are odd. `score`: the score is
            home - away. `other`: it is none of `listed`, and `sign`, if given, is that of H - A. `all`: all `parts` win.
        home: the factor of the home side's goals H, or its goals.
        away: the same for the away side's goals A.
        line: the line.
        negated: whether the opposite wins; not of `linear`.
        listed: the scores that a correct score market names.
        sign: see `kind`.
        parts: see `kind`; they return nothing.
        returned: where the stake is returned, whatever else is so.
    """

    kind: Literal["linear", "level", "both", "odd", "score", "other", "all"]
    home: int = 0
    away: int = 0
    line: float = 0.0
    negated: bool = False
    listed: tuple[tuple[int, int], ...] = ()
    sign: int | None = None
    parts: tuple[Condition, ...] = ()
    returned: Condition | None = None


def period_of(definition: MarketDefinition) -> str:
    """Return the period whose score a market is on."""
    return _WHOLE_MATCH if definition.period in {None, _REGULAR_TIME} else definition.period


def min_score_of(sport: str, period: str, score: Score | None) -> Score:
    """Return the goals already scored in a period; none if they are not known, or if only the winner and the margin matter."""
    return score if score is not None and sport in SPORTS and period in _FROM_THE_START else NO_GOALS


def conditions_of(definition: MarketDefinition, sport: str, score: Score | None = None) -> dict[str, Condition]:
    """Return the conditions of a market's selections, by key; empty where the market does not depend on a score.

    Args:
        definition: the market.
        sport: the sport of its event.
        score: the current score, None if that is not known.
    """
    read = _READERS.get(definition.type)
    if read is None or not _is_on_the_score(definition):
        return {}
    if not (_is_played_on(definition) if sport in _PLAYED_ON else definition.type != "moneyline" and sport in SPORTS):
        return {}
    types = _REGULAR_TIME_TYPES.get(sport)
    if types is not None and definition.period in {None, _WHOLE_MATCH} and definition.type not in types:
        return {}
    conditions = read(definition)
    if counts_from_score(definition, sport):
        return _from_score(conditions, score) if period_of(definition) in _FROM_THE_START else {}
    if sport == _NEVER_LEVEL and definition.type in _WINNER_TYPES and definition.period in {None, _WHOLE_MATCH}:
        return {
            key: condition._replace(line=0.0) if abs(condition.line) <= _HALF_A_POINT else condition
            for key, condition in conditions.items()
        }
    return conditions


def _is_played_on(definition: MarketDefinition) -> bool:
    """Check whether a market is compared in sports that play on until there is a winner."""
    if definition.type in _WINNER_TYPES:
        return True
    # A total of regular time is not one of the whole match.
    is_whole = definition.period != _REGULAR_TIME and definition.line is not None
    return is_whole and definition.type in _TOTAL_TYPES and (definition.line or 0.0) <= _MAX_TOTAL


def _from_score(conditions: dict[str, Condition], score: Score | None) -> dict[str, Condition]:
    """Return the conditions of a handicap that counts from a score; empty where that is not known."""
    if score is None:
        return {}
    lead = score.home - score.away
    return {key: condition._replace(line=condition.line - condition.home * lead) for key, condition in conditions.items()}


def _is_on_the_score(definition: MarketDefinition) -> bool:
    """Check whether a market counts goals of a known period."""
    if definition.unit is not None:
        return False  # corners, cards, sets ..
    if definition.period is not None:
        return True
    # Without a period, an id that names more than type and line may be that of a part of the match.
    line = "" if definition.line is None else line_text(definition.line)
    return {_WHOLE_MATCH, line}.issuperset(definition.id.split("/")[2:])


def _difference(side: str, line: float) -> Condition | None:
    if side == "home":
        return Condition("linear", 1, -1, line)
    return Condition("linear", -1, 1, line) if side == "away" else None


def _by_key(conditions: Mapping[str, Condition | None]) -> Reader:
    """Return a reader of markets whose selections are always the same."""
    known = {key: condition for key, condition in conditions.items() if condition is not None}
    return lambda definition: {each.key: known[each.key] for each in definition.selections if each.key in known}


def _double_chance(definition: MarketDefinition) -> dict[str, Condition]:
    conditions: dict[str, Condition] = {}
    for selection in definition.selections:
        words = frozenset(_WORD.findall(_text(selection.key))) - {"or"}
        results = _RESULTS.get("".join(words), words)
        if results == {"home", "draw"}:
            conditions[selection.key] = Condition("linear", 1, -1, 0.5)
        elif results == {"draw", "away"}:
            conditions[selection.key] = Condition("linear", -1, 1, 0.5)
        elif results == {"home", "away"}:
            conditions[selection.key] = Condition("level", 1, -1, negated=True)
    return conditions


def _total(home: int, away: int) -> Reader:
    def read(definition: MarketDefinition) -> dict[str, Condition]:
        line = definition.line
        if line is None:
            return {}
        return _by_key({"over": Condition("linear", home, away, -line), "under": Condition("linear", -home, -away, line)})(
            definition
        )

    return read


def _asian_handicap(definition: MarketDefinition) -> dict[str, Condition]:
    line = definition.line
    if line is not None:
        return _by_key({"home": _difference("home", line), "away": _difference("away", -line)})(definition)
    if not any(selection.handicap for selection in definition.selections):
        return {}
    # Several lines: each selection has its own, and the first is of the home side.
    first = definition.selections[0].side
    conditions: dict[str, Condition] = {}
    for selection in definition.selections:
        sign = 1 if selection.side == first else -1
        conditions[selection.key] = Condition("linear", sign, -sign, selection.handicap)
    return conditions


def _handicap(definition: MarketDefinition) -> dict[str, Condition]:
    line = definition.line
    if line is None:
        return {}
    if not line.is_integer():
        return _asian_handicap(definition)
    if not any(selection.key == "draw" for selection in definition.selections):
        return {}  # unknown whether a draw loses or is returned
    # Half a goal less: what an Asian handicap would return is lost here.
    sides = {"home": _difference("home", line - 0.5), "away": _difference("away", -line - 0.5)}
    return _by_key({**sides, "draw": Condition("level", 1, -1, line)})(definition)


def _correct_score(definition: MarketDefinition) -> dict[str, Condition]:
    texts = {each.key: (_text(each.key), _text(each.name)) for each in definition.selections}
    scores = {key: score for key, text in texts.items() if (score := _score(*text)) is not None}
    conditions: dict[str, Condition] = {key: Condition("score", *score) for key, score in scores.items()}
    others = [key for key in texts if key not in scores]
    if not all(any(_OTHER.search(text) for text in texts[key]) for key in others):
        return conditions  # unreadable selections: which scores are listed is not known
    listed = tuple(sorted(set(scores.values())))
    for key in others:
        words = {word for text in texts[key] for word in text.split()}
        signs = [sign for word, sign in _SIGNS.items() if word in words]
        if len(signs) <= 1:
            conditions[key] = Condition("other", listed=listed, sign=signs[0] if signs else None)
    return conditions


def _text(text: str) -> str:
    return text.lower().replace("_", " ").strip()


def _score(*texts: str) -> tuple[int, int] | None:
    for text in texts:
        if match := _SCORE.fullmatch(text):
            return int(match[1]), int(match[2])
    return None


def _pairs(first: Mapping[str, Condition], second: Mapping[str, Condition]) -> Reader:
    """Return a reader of markets that combine two others, with keys such as `home_yes`."""
    return _by_key(
        {
            f"{one}_{two}": Condition("all", parts=(condition, other))
            for one, condition in first.items()
            for two, other in second.items()
        }
    )


def _with_total(read: Callable[[Mapping[str, Condition]], Reader]) -> Reader:
    """Return a reader of markets that combine a total with another market. Only half-goal lines, which return no stake."""

    def read_line(definition: MarketDefinition) -> dict[str, Condition]:
        line = definition.line
        if line is None or (line + 0.5) % 1:
            return {}
        return read({"over": Condition("linear", 1, 1, -line), "under": Condition("linear", -1, -1, line)})(definition)

    return read_line


def _yes_no(*parts: Condition) -> Reader:
    return _by_key({"yes": Condition("all", parts=parts), "no": Condition("all", parts=parts, negated=True)})


_HOME: Final = Condition("linear", 1, -1, -0.5)
_DRAW: Final = Condition("level", 1, -1)
_AWAY: Final = Condition("linear", -1, 1, -0.5)
_RESULT: Final[Mapping[str, Condition]] = {"home": _HOME, "draw": _DRAW, "away": _AWAY}
_BOTH: Final[Mapping[str, Condition]] = {"yes": Condition("both"), "no": Condition("both", negated=True)}
_HOME_SCORES: Final = Condition("linear", 1, 0, -0.5)
_AWAY_SCORES: Final = Condition("linear", 0, 1, -0.5)
#: Who scores first or last does not follow from the score where both do, but that nobody does is one.
_NOBODY_SCORES: Final = Condition("linear", -1, -1, 0.5)


_READERS: Final[Mapping[str, Reader]] = {
    "match_odds": _by_key(_RESULT),
    "moneyline": _by_key({"home": _difference("home", 0.0), "away": _difference("away", 0.0)}),
    "double_chance": _double_chance,
    "draw_no_bet": _by_key({"home": _difference("home", 0.0), "away": _difference("away", 0.0)}),
    "home_no_bet": _by_key({"draw": _DRAW._replace(returned=_HOME), "away": _AWAY._replace(returned=_HOME)}),
    "away_no_bet": _by_key({"home": _HOME._replace(returned=_AWAY), "draw": _DRAW._replace(returned=_AWAY)}),
    "asian_handicap": _asian_handicap,
    "handicap": _handicap,
    "total": _total(1, 1),
    "home_total": _total(1, 0),
    "away_total": _total(0, 1),
    "both_to_score": _by_key(_BOTH),
    "first_to_score": _by_key({"none": _NOBODY_SCORES}),
    "last_to_score": _by_key({"none": _NOBODY_SCORES}),
    "home_to_score": _yes_no(_HOME_SCORES),
    "away_to_score": _yes_no(_AWAY_SCORES),
    "home_win_to_nil": _yes_no(_HOME, Condition("linear", 0, -1, 0.5)),
    "away_win_to_nil": _yes_no(_AWAY, Condition("linear", -1, 0, 0.5)),
    "match_odds_and_total": _with_total(lambda sides: _pairs(_RESULT, sides)),
    "match_odds_and_both_to_score": _pairs(_RESULT, _BOTH),
    "total_and_both_to_score": _with_total(lambda sides: _pairs(sides, _BOTH)),
    "odd_even": _by_key({"odd": Condition("odd", 1, 1), "even": Condition("odd", 1, 1, negated=True)}),
    "home_odd_even": _by_key({"odd": Condition("odd", 1, 0), "even": Condition("odd", 1, 0, negated=True)}),
    "away_odd_even": _by_key({"odd": Condition("odd", 0, 1), "even": Condition("odd", 0, 1, negated=True)}),
    "correct_score": _correct_score,
}
