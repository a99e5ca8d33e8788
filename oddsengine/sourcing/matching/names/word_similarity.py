"""Similarity scores of two words, 0 to 1, and their weights in a name.

Words are compared by their Jaro-Winkler similarity (Winkler, "String comparator metrics", 1990), as are abbreviations, initials
and what sounds alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from rapidfuzz.distance import OSA, JaroWinkler

from oddsengine.sourcing.matching.names.normaliser import sound, spelling
from oddsengine.sourcing.matching.names.places import PATRONS, SPONSORS
from oddsengine.sourcing.matching.names.vocabulary import DISTINGUISHING, GENERIC

_GENERIC_WEIGHT: Final = 0.35
_INITIAL_WEIGHT: Final = 0.3
#: Lowest similarity of two words that are paired: of their beginnings most of all, and of the whole.
_SAME_WORD: Final = 0.86
_SAME_LETTERS: Final = 0.7
#: Words this short are paired only if they are equal or one begins the other.
_SHORT: Final = 4
_ABBREVIATED: Final = 0.93
#: Score of words that are only spelt differently, or of names that are only joined differently.
JOINED: Final = 0.97
#: Score of words, or names, that sound alike.
SOUNDS_ALIKE: Final = 0.96
_SOUNDS_ALIKE_BUT_SHORT: Final = 0.7
#: Shortest sound that two words may be paired by, and how alike their spelling must be then.
_MIN_SOUND: Final = 3
_SAME_SPELLING: Final = 0.75
_MIN_ABBREVIATION: Final = 3
#: How much longer a word is than its abbreviation, at least: Kiel does not abbreviate Kielce.
_MIN_OMITTED: Final = 3
#: Longest word that may stand for a kind of club.
_CLUB_LETTERS: Final = 3
_SAME_BEGINNING: Final = 2
#: Initials that other transliterations of the same name begin with.
_SOUNDS: Final = ("eyji", "ckqs", "gjdh", "wv", "fp", "zsc", "tc")
SOUNDS_LIKE: Final = {
    letter: "".join(sounds for sounds in _SOUNDS if letter in sounds).replace(letter, "") for letter in set("".join(_SOUNDS))
}


@lru_cache(maxsize=65_536)
def word_score(one: str, other: str, foreign: bool) -> float:  # noqa: FBT001 - a cache key
    """Return the similarity of two words, 0 if they are not to be paired."""
    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if long in {f"e{short}", f"{short}a"}:
        # eSpain plays a video game; Andreeva is not Andreev.
        return 0.0
    begin, mark, end = short.partition("~")
    is_shortened = (mark and long.startswith(begin) and long.endswith(end)) or (
        (len(short) == 1 or (len(short) >= _MIN_ABBREVIATION and len(long) - len(short) >= _MIN_OMITTED))
        and (long.startswith(short) or (foreign and len(short) == 1 and short in SOUNDS_LIKE.get(long[0], "")))
    )
    if is_shortened:
        return _ABBREVIATED
    if {one, other} & DISTINGUISHING or {one, other} <= GENERIC:
        return 0.0
    return (_sound_score(one, other) if foreign else 0.0) or _misspelt_score(one, other)


def may_be_another(one: str, other: str, similarity: float) -> bool:
    """Check whether two words of Latin letters that were paired are no more than alike: Machova may not be a misspelt Muchova."""
    if similarity == 1.0 or spelling(one) == spelling(other):
        return False
    if similarity != _ABBREVIATED:
        return True
    # Chester is not Chesterfield, but Ath may be Athletic.
    short, long = sorted((one, other), key=len)
    return len(short) > 1 and "~" not in short and long not in GENERIC


def is_initial(word: str) -> bool:
    """Check whether a word is a single letter."""
    return len(word) == 1


def is_general(word: str) -> bool:
    """Check whether a word distinguishes no club from another: kinds of clubs, sponsors and numbers."""
    return (word in GENERIC and word not in PATRONS) or word in SPONSORS or word.isdigit()


def weight_of(word: str) -> float:
    """Return the weight of a paired word."""
    return _INITIAL_WEIGHT if len(word) == 1 else _GENERIC_WEIGHT if word in GENERIC or word.isdigit() else 1.0


def weight_of_rest(word: str) -> float:
    """Return the weight of an unpaired word: a short one may be a kind of club."""
    return _GENERIC_WEIGHT if 1 < len(word) <= _CLUB_LETTERS else weight_of(word)


def _sounds_alike(one: str, other: str) -> bool:
    left, right = spelling(one), spelling(other)
    if left == right:
        return len(left) >= _MIN_SOUND
    sounded = sound(one)
    if len(sounded) < _MIN_SOUND or sounded != sound(other):
        return False
    return JaroWinkler.similarity(left, right) >= _SAME_SPELLING


def _sound_score(one: str, other: str) -> float:
    """Return the similarity of two words that sound alike, 0 if they do not."""
    if _sounds_alike(one, other):
        return SOUNDS_ALIKE
    sounded = sound(one)
    return _SOUNDS_ALIKE_BUT_SHORT if len(sounded) == _MIN_SOUND - 1 and sounded == sound(other) else 0.0


def _misspelt_score(one: str, other: str) -> float:
    """Return the similarity of two words of which one may be misspelt, 0 if it is more likely another word."""
    if min(len(one), len(other)) <= _SHORT:
        return JOINED if len(one) + len(other) > 2 * _SHORT and spelling(one) == spelling(other) else 0.0
    if OSA.normalized_similarity(one, other) < _SAME_LETTERS:
        return 0.0
    if one[:_SAME_BEGINNING] != other[:_SAME_BEGINNING] and OSA.distance(one, other) > 1:
        return 0.0
    if one[0] != other[0] and one[0] not in SOUNDS_LIKE.get(other[0], "") and one[1:] == other[1:]:
        # Hernandez is not Fernandez.
        return 0.0
    similarity = float(JaroWinkler.similarity(one, other))
    return similarity if similarity >= _SAME_WORD else 0.0
