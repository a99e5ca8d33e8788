"""Similarity scores of names and of events, 0 to 1.

Words are paired by their Jaro-Winkler similarity (Winkler, "String comparator metrics", 1990), abbreviations and initials too.
Words that many clubs share have a low weight, but two different ones (United, City) mean two different clubs.
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
#: Lowest similarity of two words that are paired.
_SAME_WORD: Final = 0.86
_ABBREVIATED: Final = 0.93
_JOINED: Final = 0.97
_ACRONYM: Final = 0.92
#: Score of a name whose words are all in the other, which only adds a general one (`Leeds`, `Leeds United`).
_ADDS_GENERAL: Final = 0.94
#: Factor where each name has a general word that the other lacks (`Manchester United`, `Manchester City`).
_CONFLICT: Final = 0.6
_MIN_ABBREVIATION: Final = 2
_CERTAIN: Final = 0.95


class EventScore(NamedTuple):
    """Similarity of two events, and whether their participants are in reverse order."""

    score: float
    swapped: bool


def name_score(one: Name, other: Name) -> float:
    """Return the similarity of two names, 0 if their qualifiers differ."""
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
    matched = maximum = 0.0
    for score, i, j in pairs:
        if score >= _SAME_WORD and i in left_rest and j in right_rest:
            left_rest.discard(i)
            right_rest.discard(j)
            weight = min(_weight(one[i]), _weight(other[j]))
            matched += 2 * weight * score
            maximum += 2 * weight
    return _combined(matched, maximum, [one[i] for i in left_rest], [other[j] for j in right_rest])


def _is_acronym(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(one) == 1 and len(other) > 1 and one[0] == "".join(word[0] for word in other)


def _combined(matched: float, maximum: float, left_rest: list[str], right_rest: list[str]) -> float:
    """Return the score from the weighted similarity of the paired words, its maximum, and the unpaired words of each name."""
    rest = [*left_rest, *right_rest]
    total = maximum + sum(map(_weight, rest))
    score = matched / total if total else 0.0
    if maximum >= 1.0 and not (left_rest and right_rest) and all(word in GENERIC for word in rest):
        # No contradiction: one name only omits the general part of the other.
        return max(score, _ADDS_GENERAL * matched / maximum)
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
    similarity = float(JaroWinkler.similarity(one, other))
    begin, mark, end = short.partition("~")
    if mark and long.startswith(begin) and long.endswith(end):
        return max(similarity, _ABBREVIATED)
    if len(short) >= _MIN_ABBREVIATION and long.startswith(short):
        return max(similarity, _ABBREVIATED)
    return similarity


def event_score(one: tuple[Name, ...], other: tuple[Name, ...]) -> EventScore:
    """Return the similarity of two events' participants. The lower one counts most, unless the other is certain."""
    if len(one) != len(other) or not one:
        return EventScore(0.0, swapped=False)
    straight = _sides([name_score(left, right) for left, right in zip(one, other, strict=True)])
    reverse = _sides([name_score(left, right) for left, right in zip(one, reversed(other), strict=True)])
    return EventScore(reverse, swapped=True) if reverse > straight else EventScore(straight, swapped=False)


def _sides(scores: list[float]) -> float:
    worst, best = min(scores), max(scores)
    if best >= _CERTAIN:
        # A team plays one match at a time, so a certain side makes the opponent likely.
        return 0.4 * worst + 0.6 * best
    return 0.85 * worst + 0.15 * best
