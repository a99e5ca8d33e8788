"""Similarity scores of two names, 0 to 1, and what they rule out.

Words are paired by their similarity (`word_similarity`). Words that many clubs share have a low weight, but two different ones
(United, City) mean two different clubs, and words such as State make another team of the name that they are added to.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import permutations
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from rapidfuzz.distance import JaroWinkler

from oddsengine.sourcing.matching.names.countries import COUNTRIES
from oddsengine.sourcing.matching.names.namesakes import HOMES
from oddsengine.sourcing.matching.names.nicknames import colleges
from oddsengine.sourcing.matching.names.normaliser import letter_mark, sound, spelling
from oddsengine.sourcing.matching.names.places import PLACES, SHARED_INITIALS, SHARED_SURNAMES, SPONSORS, is_shared_name
from oddsengine.sourcing.matching.names.vocabulary import DISTINGUISHING, GENERIC, MASCOTS, NAMESAKES, SHARED
from oddsengine.sourcing.matching.names.word_similarity import (
    JOINED,
    SOUNDS_ALIKE,
    SOUNDS_LIKE,
    is_general,
    is_initial,
    may_be_another,
    weight_of,
    weight_of_rest,
    word_score,
)

if TYPE_CHECKING:
    from oddsengine.sourcing.matching.names.normaliser import Name

#: What the words of two names allow at most, whatever their score.
Limit = Literal["match", "possible_match", "non_match"]
_LIMITS: Final[tuple[Limit, ...]] = ("match", "possible_match", "non_match")

#: Score of a name whose only word is the initials of the other's.
_ACRONYM: Final = 0.92
#: Shortest sound that two names may be paired by, and how alike their spelling must be then.
_MIN_WHOLE_SOUND: Final = 5
_SAME_WHOLE_SPELLING: Final = 0.9
#: Score of a name whose words are all in the other, which adds any (`Vojvodina`, `Vojvodina Novi Sad`).
_OMITS: Final = 0.78
_MAY_NOT_BE: Final = " may not be "
_LETTERS_OF_A_STATE: Final = 2
#: Score of a player's surname, where the other name has a given name too, and the length of those that many players have.
_SURNAME: Final = 0.9
_SHORT_SURNAME: Final = 3
_PAIR: Final = 2
#: Score of a name whose words are all in the other, which only adds a general one (`Leeds`, `Leeds United`).
_ADDS_GENERAL: Final = 0.94
#: Factor where each name has a general word that the other lacks (`Manchester United`, `Manchester City`).
_CONFLICT: Final = 0.6

_COLLEGES: Final = colleges()


class NameScore(NamedTuple):
    """Similarity of two names, the most that they allow, and why; `omits` where one only leaves out words of the other."""

    score: float
    limit: Limit = "match"
    why: str = ""
    omits: bool = False
    #: the words of either that the other lacks
    rest: tuple[str, ...] = ()
    #: two words that are no more than alike
    misspelt: str = ""


_NOBODY: Final = NameScore(0.0, "non_match", "a name is a placeholder")


def name_score(one: Name, other: Name) -> NameScore:
    """Return the similarity of two names, without regard to their marks."""
    if not one.words or not other.words:
        return _NOBODY
    return _pair_score(one, other) if one.players or other.players else _single_score(one, other)


def _pair_score(one: Name, other: Name) -> NameScore:
    """Return the similarity of two pairs of players, in whichever order they are named."""
    if len(one.players) != len(other.players):
        return NameScore(0.0, "non_match", "only one of them is a pair of players")
    orders = permutations(other.players) if len(other.players) <= _PAIR else [other.players]
    best = max(
        (
            [_single_score(left, right, is_pair=True) for left, right in zip(one.players, players, strict=True)]
            for players in orders
        ),
        key=lambda scores: (-max(_LIMITS.index(each.limit) for each in scores), sum(each.score for each in scores)),
    )
    worst = max(best, key=lambda scored: (_LIMITS.index(scored.limit), not scored.omits, -scored.score))
    return worst._replace(score=min(scored.score for scored in best))


def _single_score(one: Name, other: Name, *, is_pair: bool = False) -> NameScore:
    """Return the similarity of two names of a team or a player."""
    scored = _words_score(_with_letter(one, other), _with_letter(other, one), one.foreign or other.foreign)
    if one.place and other.place and one.place != other.place:
        return NameScore(scored.score, "non_match", f"({one.place}) is not ({other.place})")
    if one.known and other.known and one.known != other.known:
        return _known_score(one, other, scored)
    if scored.misspelt and (scored.limit == "match" or scored.omits) and _may_be_others(one, other, scored.misspelt):
        return scored._replace(limit="possible_match", why=scored.misspelt, omits=False)
    if one.is_person:
        return _player_score(one, other, scored, is_pair=is_pair)
    if scored.limit != "match" and not scored.omits:
        return scored
    doubt = _namesake(one, other) or _unknown_addition(one, other, scored)
    return scored._replace(limit="possible_match", why=doubt, omits=False) if doubt else scored


def _player_score(one: Name, other: Name, scored: NameScore, *, is_pair: bool) -> NameScore:
    """Return the score of the names of two players, of which one may be without given names: two surnames name a pair."""
    surname = " ".join(sorted({*one.words} & {*other.words}))
    initials = {word for word in (*one.words, *other.words) if is_initial(word)}
    if scored.limit == "match" and one.words != other.words and initials & SHARED_INITIALS.get(surname, set()):
        return scored._replace(limit="possible_match", why=f"several players are called {surname} {' '.join(sorted(initials))}")
    if scored.limit != "possible_match" or not scored.rest or not _contained(one.words, other.words):
        return scored
    shorter = " ".join(one.words if len(one.words) < len(other.words) else other.words)
    if not is_pair and (shorter in SHARED_SURNAMES or len(shorter) <= _SHORT_SURNAME):
        return scored._replace(why=f"several players are called {shorter}", omits=False)
    return NameScore(max(scored.score, _SURNAME), "possible_match", scored.why, omits=True, rest=scored.rest)


def _known_score(one: Name, other: Name, scored: NameScore) -> NameScore:
    """Return the score of the names of two known teams."""
    if {one.known, other.known} & _COLLEGES and scored.limit == "match" and all(word in MASCOTS for word in scored.rest):
        # Pittsburgh is also a college.
        return scored
    why = f"{one.known} is not {other.known}"
    if _contained(one.words, other.words) and scored.limit != "non_match":
        return NameScore(scored.score, "possible_match", why)
    return NameScore(min(scored.score, 0.5), "non_match", why)


def _unknown_addition(one: Name, other: Name, scored: NameScore) -> str:
    """Return why a name may be that of another team than one of which it has all words, empty if it is the same."""
    if one.club and other.club and not one.club & other.club:
        return f"{' '.join(sorted(one.club))} is not {' '.join(sorted(other.club))}"
    added = [word for word in scored.rest if word not in MASCOTS and word not in SPONSORS]
    if not added:
        return ""
    if one.known or other.known:
        # The other names of a known team are known too.
        return f"only one of them is {' '.join(added)}"
    shorter = " ".join(one.words if len(one.words) < len(other.words) else other.words)
    if is_shared_name(shorter):
        return f"several clubs are called {shorter}"
    # Bury Town is not Bury.
    return f"only one of them is {' '.join(added)}" if any(word in SHARED for word in added) else ""


def _namesake(one: Name, other: Name) -> str:
    """Return why two names that are alike may be those of a place and of a team named after it, empty if they are not."""
    if one.place != other.place and len(one.place or other.place) == _LETTERS_OF_A_STATE:
        return f"only one is of ({one.place or other.place})"
    shorter, longer = sorted((one, other), key=lambda name: len(name.words))
    place = " ".join(shorter.words)
    if one.place != other.place and one.words == other.words and _is_ambiguous(place, one.place or other.place):
        return f"several clubs are called {place}, and only one is of {one.place or other.place}"
    if " ".join(longer.words) == f"{place} city" and place in NAMESAKES:
        return f"{place} city may not be {place}"
    # Georgia has a college.
    if place in COUNTRIES - {"georgia"} and len(longer.words) > len(shorter.words):
        return f"{' '.join(longer.words)} may not be {place} itself"
    return ""


def _is_ambiguous(name: str, place: str) -> bool:
    """Check whether a name with a place may be another club than the one that is known without it."""
    return place != HOMES[name] if name in HOMES else is_shared_name(name)


def _contained(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return set(one) <= set(other) or set(other) <= set(one)


def _with_letter(name: Name, other: Name) -> tuple[str, ...]:
    """Return a name's words with its last letter where it is an initial: by the other name, or since it is no mark."""
    if name.letter and (not letter_mark(name.letter) or begins_word(name.letter, other, name)):
        return (*name.words, name.letter)
    return name.words


def begins_word(letter: str, other: Name, own: Name) -> bool:
    """Check whether another name has a word that a last letter stands for, or the letter itself."""
    if other.letter == letter:
        return False
    return any(word.startswith(letter) for word in other.words if word not in own.words)


@lru_cache(maxsize=65_536)
def _words_score(one: tuple[str, ...], other: tuple[str, ...], foreign: bool) -> NameScore:  # noqa: FBT001 - a cache key
    whole = _whole_score(one, other, foreign)
    if whole:
        return NameScore(whole)
    pairs = sorted(((-word_score(left, right, foreign), i, j) for i, left in enumerate(one) for j, right in enumerate(other)))
    left_rest, right_rest = set(range(len(one))), set(range(len(other)))
    matched = maximum = 0.0
    misspelt = ""
    for cost, i, j in pairs:
        if cost and i in left_rest and j in right_rest:
            left_rest.discard(i)
            right_rest.discard(j)
            weight = min(weight_of(one[i]), weight_of(other[j]))
            matched -= 2 * weight * cost
            maximum += 2 * weight
            if not foreign and may_be_another(one[i], other[j], -cost):
                misspelt = f"{one[i]}{_MAY_NOT_BE}{other[j]}"
    scored = _combined(matched, maximum, [one[i] for i in sorted(left_rest)], [other[j] for j in sorted(right_rest)])
    return scored._replace(misspelt=misspelt)


def _may_be_others(one: Name, other: Name, misspelt: str) -> bool:
    """Check whether names of which two words are alike may be those of two teams: one is, unless it is known.

    Names like those of known clubs are known too, but Juventud is not Juventude.
    """
    left, _, right = misspelt.partition(_MAY_NOT_BE)
    is_ending = left[:-1] == right[:-1] or left.startswith(right) or right.startswith(left)
    return is_ending or bool(one.known) == bool(other.known)


def _whole_score(one: tuple[str, ...], other: tuple[str, ...], foreign: bool) -> float:  # noqa: FBT001 - as above
    """Return the score of two names that are alike as a whole, 0 if they are not."""
    if one == other:
        return 1.0
    if "".join(one) == "".join(other):
        return JOINED
    if _is_acronym(one, other) or _is_acronym(other, one):
        return _ACRONYM
    joined, other_joined = "".join(one), "".join(other)
    if foreign and len(one) != len(other) and len(sound(joined)) >= _MIN_WHOLE_SOUND and sound(joined) == sound(other_joined):
        similarity = JaroWinkler.similarity(spelling(joined), spelling(other_joined))
        return SOUNDS_ALIKE if similarity >= _SAME_WHOLE_SPELLING else 0.0
    return 0.0


def _is_acronym(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return len(one) == 1 and len(other) > 1 and one[0] == "".join(word[0] for word in other)


def _combined(matched: float, maximum: float, left: list[str], right: list[str]) -> NameScore:
    """Return the score from the weighted similarity of the paired words, its maximum, and the unpaired words of each name."""
    if _is_acronym(tuple(left), tuple(right)) or _is_acronym(tuple(right), tuple(left)):
        # Gimnasia LP is Gimnasia La Plata.
        matched, maximum, left, right = matched + 2 * _ACRONYM, maximum + 2, [], []
    rest = [*left, *right]
    total = maximum + sum(map(weight_of_rest, rest))
    score = matched / total if total else 0.0
    conflict = _conflict(left, right)
    if conflict is not None:
        limit, why = conflict
        return NameScore(score * _CONFLICT, limit, why)
    if left and right:
        return NameScore(score, "possible_match", f"{' '.join(left)} is not {' '.join(right)}", rest=tuple(sorted(rest)))
    if not rest:
        return NameScore(score)
    if maximum >= 1.0 and all(map(is_general, rest)):
        # No contradiction: one name only omits the general part of the other.
        return NameScore(max(score, _ADDS_GENERAL * matched / maximum), rest=tuple(sorted(rest)))
    omits = maximum >= 1.0 and _may_be_omitted(rest)
    score = max(score, _OMITS * matched / maximum) if maximum >= 1.0 else score
    return NameScore(score, "possible_match", f"only one of them is {' '.join(rest)}", omits, tuple(sorted(rest)))


def _may_be_omitted(rest: list[str]) -> bool:
    """Check whether words that only one of two names has are those of its place and its sponsors."""
    return " ".join(word for word in rest if not is_general(word)) in PLACES


def _conflict(left: list[str], right: list[str]) -> tuple[Limit, str] | None:
    """Return what the unpaired words of two names rule out, and why; None if they rule out nothing."""
    distinguishing = [word for word in (*left, *right) if word in DISTINGUISHING]
    if distinguishing:
        return "non_match", f"only one of them is {' '.join(distinguishing)}"
    for kind in (is_initial, MASCOTS.__contains__, GENERIC.__contains__):
        lefts, rights = [word for word in left if kind(word)], [word for word in right if kind(word)]
        if lefts and rights:
            return "non_match", f"{' '.join(lefts)} is not {' '.join(rights)}"
    for initials, words in ((left, right), (right, left)):
        for initial in filter(is_initial, initials):
            if words:
                # Y. Kafelnikov may be Evgeny, but V. is not Serena.
                may_sound = any(word[0] in SOUNDS_LIKE.get(initial, "") for word in words)
                return "possible_match" if may_sound else "non_match", f"{initial}. is not {' '.join(words)}"
    return None
