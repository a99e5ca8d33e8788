"""How alike two names, and two events, are: 0 to 1.

Words are paired by the Jaro-Winkler similarity (Winkler, "String comparator metrics", 1990), abbreviations and initials too;
words that many clubs share weigh little, but two of them that differ (United, City) tell two clubs apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz.distance import JaroWinkler

from oddsengine.matching.names import GENERIC

if TYPE_CHECKING:
    from oddsengine.matching.names import Name

_GENERIC_WEIGHT: Final = 0.35
_INITIAL_WEIGHT: Final = 0.3
#: Words less alike than this are not the same word.
_SAME_WORD: Final = 0.86
_ABBREVIATED: Final = 0.9
_ACRONYM: Final = 0.92
#: What a name is worth whose own words are all in the other, which only adds a general one (`Leeds`, `Leeds United`).
_ADDS_GENERAL: Final = 0.94
#: What is left of a score where both have a general word that the other has not (`Manchester United`, `Manchester City`).
_CONFLICT: Final = 0.6
_LEAST_ABBREVIATION: Final = 2


class EventScore(NamedTuple):
    """How alike two events are, and whether the one names first whom the other names second."""

    score: float
    swapped: bool


def name_score(one: Name, other: Name) -> float:
    """Tell how alike two names are; the qualifiers must be the same."""
    if one.qualifiers != other.qualifiers:
        return 0.0
    return _words_score(one.words, other.words)


@lru_cache(maxsize=65_536)
def _words_score(one: tuple[str, ...], other: tuple[str, ...]) -> float:
    if one == other:
        return 1.0
    if not one or not other:
        return 0.0
    for short, long in ((one, other), (other, one)):
        if len(short) == 1 and len(long) > 1 and short[0] == "".join(word[0] for word in long):
            return _ACRONYM
    pairs = sorted(
        ((_word_score(left, right), i, j) for i, left in enumerate(one) for j, right in enumerate(other)), reverse=True
    )
    left_rest, right_rest = set(range(len(one))), set(range(len(other)))
    matched = worth = 0.0
    for score, i, j in pairs:
        if score >= _SAME_WORD and i in left_rest and j in right_rest:
            left_rest.discard(i)
            right_rest.discard(j)
            weight = min(_weight(one[i]), _weight(other[j]))
            matched += 2 * weight * score
            worth += 2 * weight
    rest = [one[i] for i in left_rest] + [other[j] for j in right_rest]
    total = worth + sum(map(_weight, rest))
    score = matched / total if total else 0.0
    if matched and (not left_rest or not right_rest) and all(word in GENERIC for word in rest):
        # Nothing contradicts; only the general part of the name was left out.
        return max(score, _ADDS_GENERAL * matched / worth) if worth >= 1.0 else score
    if any(one[i] in GENERIC for i in left_rest) and any(other[j] in GENERIC for j in right_rest):
        return score * _CONFLICT
    return score


def _weight(word: str) -> float:
    return _INITIAL_WEIGHT if len(word) == 1 else _GENERIC_WEIGHT if word in GENERIC else 1.0


def _word_score(one: str, other: str) -> float:
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) == 1:
        return _ABBREVIATED if long.startswith(short) else 0.0
    if len(short) >= _LEAST_ABBREVIATION and long.startswith(short):
        return _ABBREVIATED
    return float(JaroWinkler.similarity(one, other))


def event_score(one: tuple[Name, ...], other: tuple[Name, ...]) -> EventScore:
    """Tell how alike the participants of two events are; of two sides the worse one counts most."""
    if len(one) != len(other) or not one:
        return EventScore(0.0, swapped=False)
    straight = _sides([name_score(left, right) for left, right in zip(one, other, strict=True)])
    turned = _sides([name_score(left, right) for left, right in zip(one, reversed(other), strict=True)])
    return EventScore(turned, swapped=True) if turned > straight else EventScore(straight, swapped=False)


def _sides(scores: list[float]) -> float:
    return 0.7 * min(scores) + 0.3 * sum(scores) / len(scores)
