"""How alike two names, and two events, are: 0 to 1.

Words are paired by the Jaro-Winkler similarity (Winkler, "String comparator metrics", 1990), abbreviations and initials too;
words that many clubs share weigh little, but two of them that differ (United, City) tell two clubs apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz.distance import JaroWinkler

from oddsengine.sourcing.matching.names import GENERIC

if TYPE_CHECKING:
    from oddsengine.sourcing.matching.names import Name

_GENERIC_WEIGHT: Final = 0.35
_INITIAL_WEIGHT: Final = 0.3
#: Words less alike than this are not the same word.
_SAME_WORD: Final = 0.86
_ABBREVIATED: Final = 0.93
_JOINED: Final = 0.97
_ACRONYM: Final = 0.92
#: What a name is worth whose own words are all in the other, which only adds a general one (`Leeds`, `Leeds United`).
_ADDS_GENERAL: Final = 0.94
#: What is left of a score where both have a general word that the other has not (`Manchester United`, `Manchester City`).
_CONFLICT: Final = 0.6
_LEAST_ABBREVIATION: Final = 2
_CERTAIN: Final = 0.95


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
    if "".join(one) == "".join(other):
        return _JOINED
    if _is_acronym(one, other) or _is_acronym(other, one):
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
    return _combined(matched, worth, [one[i] for i in left_rest], [other[j] for j in right_rest])


def _is_acronym(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(one) == 1 and len(other) > 1 and one[0] == "".join(word[0] for word in other)


def _combined(matched: float, worth: float, left_rest: list[str], right_rest: list[str]) -> float:
    """Put together what the paired words are alike, what they could be, and the words of each name that have no partner."""
    rest = [*left_rest, *right_rest]
    total = worth + sum(map(_weight, rest))
    score = matched / total if total else 0.0
    if worth >= 1.0 and not (left_rest and right_rest) and all(word in GENERIC for word in rest):
        # Nothing contradicts; only the general part of the name was left out.
        return max(score, _ADDS_GENERAL * matched / worth)
    if any(word in GENERIC for word in left_rest) and any(word in GENERIC for word in right_rest):
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
    likeness = float(JaroWinkler.similarity(one, other))
    begin, mark, end = short.partition("~")
    if mark and long.startswith(begin) and long.endswith(end):
        return max(likeness, _ABBREVIATED)
    if len(short) >= _LEAST_ABBREVIATION and long.startswith(short):
        return max(likeness, _ABBREVIATED)
    return likeness


def event_score(one: tuple[Name, ...], other: tuple[Name, ...]) -> EventScore:
    """Tell how alike the participants of two events are; the worse side counts most, unless the other is certain."""
    if len(one) != len(other) or not one:
        return EventScore(0.0, swapped=False)
    straight = _sides([name_score(left, right) for left, right in zip(one, other, strict=True)])
    turned = _sides([name_score(left, right) for left, right in zip(one, reversed(other), strict=True)])
    return EventScore(turned, swapped=True) if turned > straight else EventScore(straight, swapped=False)


def _sides(scores: list[float]) -> float:
    worst, best = min(scores), max(scores)
    if best >= _CERTAIN:
        # A side plays one match at a time: who is its opponent is more than half known.
        return 0.4 * worst + 0.6 * best
    return 0.85 * worst + 0.15 * best
