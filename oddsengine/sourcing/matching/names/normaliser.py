"""Normalises the names of teams and players, which every provider spells differently, in any script.

`Nott'm Forest` and `NOTTINGHAM FOREST FC` are the same name, and so are `Спартак Москва` and `Spartak Moscow`. Other scripts are
transliterated by `anyascii`, and compared by the sound of their consonants.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import OSA

from oddsengine.sourcing.matching.names.countries import CODES, COUNTRIES, FOREIGN
from oddsengine.sourcing.matching.names.marks import LAST_LETTERS, folded, marked_name
from oddsengine.sourcing.matching.names.nicknames import Family, family_of, known_names
from oddsengine.sourcing.matching.names.places import PLACES, SPONSORS, is_shared_name, is_shared_town
from oddsengine.sourcing.matching.names.vocabulary import (
    ABBREVIATIONS,
    CLUB,
    DISTINCT_CLUB,
    DISTINGUISHING,
    GENERIC,
    PLACEHOLDER_WORDS,
    SHARED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NOT_WORDS: Final = re.compile(r"[^a-z0-9~ ]+")
_APOSTROPHES: Final = re.compile("['`\u2019\u00b4]")
#: Contractions such as `B'ham` and `L'pool`, kept as `b~ham`; `Queen's` is not one.
_CONTRACTED: Final = re.compile("\\b([a-z])['`\u2019\u00b4~](?=[a-z]{3})")
#: Dotted abbreviations such as `F.C.` and `Q.P.R.`, which are one word.
_DOTTED: Final = re.compile(r"\b(?:[a-z]\.){2,}(?:[a-z]\b)?")
#: Suffixes of places such as `upon Tyne` and `on Trent`.
_PLACE: Final = re.compile(r"\b(?:upon|on)[ -]\w+")
#: Ranks and seeds in front: `#5 Duke`, `(3) Gonzaga`; the brackets are gone by then.
_RANK: Final = re.compile(r"^#\s*\d+\s+")
#: A single letter at the end that no dot makes an abbreviation: `Flamengo R`, but not `Blackburn R.`.
_LAST_LETTER: Final = re.compile(r"(?<=[a-z\d)][ -])([a-z])$")
_COLLEGE_STATE: Final = re.compile(r"(?<=\w )st\.?$")
_LETTER_OF_OTHER_SCRIPT: Final = re.compile("[^\\W\\d_\u0000-\u024f\u1e00-\u1eff\ufb00-\ufb06\uff21-\uff5a]")
#: Letters that are one word: `A&M`, `A & T`.
_JOINED_LETTERS: Final = re.compile(r"\b([a-z])\s?&\s?([a-z])\b")
#: What stands between the players of a pair.
_PARTNERS: Final = re.compile(r"\s*[/&+]\s*|\s+and\s+")
#: What numbers one of several placeholders: `Winner SF1`, `Winner Match 49`, `Team A`.
_DRAWN: Final = re.compile(r"(?:w|l|sf|qf)\d+|[1-4][a-l]")
_NUMBERED: Final = re.compile(r"(?:sf|qf|r|m|w|l|g)?\d+|[a-z]|[a-h]\d")
#: Shortest word that may be a misspelt general word: one with another letter, or a letter more or less.
_MIN_MISSPELT: Final = 5
_LETTERS_OF_A_STATE: Final = 2
#: Sounds that transliterations spell in different ways, in the order in which they are replaced.
_SOUNDS: Final = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[^a-z]", ""),
        (r"dzh|dj|j", "s"),
        (r"ic$", "is"),
        (r"sch|shch|sh|ch|tch|ts|tz|zh|cz|sz", "s"),
        (r"ph", "f"),
        (r"th", "t"),
        (r"kh", "h"),
        (r"x", "ks"),
        (r"ck|q|c", "k"),
        (r"(?<=.)[aeiouyhw]", ""),
        (r"[bp]", "b"),
        (r"[vfw]", "f"),
        (r"[dt]", "t"),
        (r"[gk]", "k"),
        (r"[zs]", "s"),
        (r"[lr]", "r"),
        (r"[mn]", "n"),
        (r"^[aeiouyhw]+", "a"),
        (r"(.)\1+", r"\1"),
    )
)


class Name(NamedTuple):
    """A normalised name.

    `words` is empty where the name is a placeholder. `marks` are those of another team or event (`women`, `youth 21`, `corners`);
    `letter` is a last single letter, a mark or an initial as the other name has it; `place` is a country or state in brackets;
    `known` is the team that it stands for where that is certain; `foreign` says that it was written in another script than Latin;
    `club` are abbreviations that distinguish clubs of a town (UD and SD Logrones).
    """

    words: tuple[str, ...]
    marks: frozenset[str] = frozenset()
    letter: str = ""
    place: str = ""
    known: str = ""
    foreign: bool = False
    club: frozenset[str] = frozenset()
    #: whether it names a player; the players of a pair
    is_person: bool = False
    players: tuple[Name, ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.words, *sorted(self.marks)))


class NameNormaliser:
    """Normalises names and caches the results.

    Args:
        aliases: the operator's own aliases: a name -> its other names.
    """

    def __init__(self, aliases: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._cache: dict[tuple[str, Family], Name] = {}
        self._own = dict(aliases or {})
        self._aliases: dict[Family, Mapping[str, str]] = {}

    def normalise(self, text: str, sport: str = "") -> Name:
        """Return the normalised form of a name, as it is understood in a sport."""
        key = text, family_of(sport)
        name = self._cache.get(key)
        if name is None:
            normalise = self._normalise_players if key[1] == "individual" else self._normalise
            name = self._cache[key] = normalise(text, key[1], self._aliases_of(key[1]))
        return name

    def _aliases_of(self, family: Family) -> Mapping[str, str]:
        aliases = self._aliases.get(family)
        if aliases is None:
            built_in = _built_in(family)
            own = {
                key: " ".join(_expanded(_key(name), built_in)[0])
                for name, others in self._own.items()
                for other in others
                if (key := _key(other))
            }
            aliases = self._aliases[family] = {**built_in, **own} if own else built_in
        return aliases

    @classmethod
    def _normalise_players(cls, text: str, family: Family, aliases: Mapping[str, str]) -> Name:
        name = cls._normalise(text, family, aliases)._replace(is_person=True)
        parts = [part for part in _PARTNERS.split(text) if part.strip()]
        if len(parts) <= 1:
            return name
        players = [cls._normalise(part, family, aliases)._replace(is_person=True) for part in parts]
        return name._replace(players=tuple(players))

    @staticmethod
    def _normalise(text: str, family: Family, aliases: Mapping[str, str]) -> Name:
        ascii_text = folded(text)
        foreign = _LETTER_OF_OTHER_SCRIPT.search(text) is not None
        whole = aliases.get(_key(ascii_text))
        if whole is not None:
            return Name(tuple(whole.split()), known=whole, foreign=foreign)
        rest, marks, place = marked_name(ascii_text, family)
        bracketed = aliases.get(f"{_key(rest)} {place}") if place else None
        if bracketed is not None:
            return Name(tuple(bracketed.split()), marks, place=place, known=bracketed, foreign=foreign)
        rest = _COLLEGE_STATE.sub("state", _RANK.sub("", rest))
        found = _LAST_LETTER.search(rest) if family != "individual" else None
        key = _key(rest)
        letter = found[1] if found is not None and key not in aliases else ""
        if letter:
            key = key.removesuffix(f" {letter}")
        words, known = _expanded(key, aliases)
        if letter and any(word.startswith(letter) for word in set(words) - set(key.split())):
            # Wolverhampton W. is the Wanderers, or the women.
            marks, letter = (marks | {f"({letter})"} if letter in LAST_LETTERS else marks), ""
        if _is_placeholder(words):
            return Name(())
        club = _club_of(key) if not known else frozenset()
        return Name(tuple(words), marks, letter, place, known, foreign, club)


@lru_cache(maxsize=4096)
def _club_of(key: str) -> frozenset[str]:
    """Return the abbreviations of a name by which clubs of a town are distinguished."""
    return frozenset(word for word in key.split() if word in DISTINCT_CLUB)


def _is_placeholder(words: list[str]) -> bool:
    if all(len(word) == 1 for word in words):
        # No name, `N/A`, or letters and digits of a draw.
        return True
    if not any(word in PLACEHOLDER_WORDS for word in words):
        return all(_DRAWN.fullmatch(word) is not None for word in words)
    return all(word in PLACEHOLDER_WORDS or _NUMBERED.fullmatch(word) is not None for word in words)


@lru_cache(maxsize=4)
def _built_in(family: Family) -> Mapping[str, str]:
    """Return the names that are known in a family of sports, by their keys: other name -> name."""
    aliases: dict[str, str] = {code: country for code, country in CODES.items() if len(code) > _LETTERS_OF_A_STATE}
    without_club: dict[str, str] = {}
    for name, others in known_names(family).items():
        known = " ".join(_abbreviations(name.split()))
        for other in (name, *others):
            words = _key(other).split()
            if words[-1] in CODES and other.endswith(")"):
                aliases[" ".join((*words[:-1], CODES[words[-1]]))] = known
                continue
            aliases[" ".join(words)] = known
            bare = " ".join(_abbreviations([word for word in words if word not in CLUB] or words))
            if len(words) > 1 and bare not in PLACES and not is_shared_name(bare) and not is_shared_town(bare, "football"):
                without_club[bare] = known
    # Barcelona SC is known as another club than Barcelona.
    aliases = {**without_club, **aliases}
    aliases.update({country: country for country in COUNTRIES})
    aliases.update({_key(other): country for other, country in FOREIGN.items()})
    return aliases


def _abbreviations(words: Iterable[str]) -> list[str]:
    return [part for word in words for part in ABBREVIATIONS.get(word, word).split("+")]


def _key(text: str) -> str:
    """Return the words of a name, as aliases are looked up."""
    return " ".join(_words(folded(text)))


def _expanded(text: str, aliases: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the words that a name means, and the team that it stands for if that is certain."""
    known = aliases.get(text)
    if known is not None:
        return known.split(), known
    words = text.split()
    bare = [word for word in words if word not in CLUB] or words
    known = aliases.get(" ".join(bare)) or aliases.get(" ".join(word for word in bare if word not in SPONSORS))
    if known is not None:
        return known.split(), known
    expanded = [part for word in bare for part in ABBREVIATIONS.get(word, _corrected(word)).split("+")]
    joined = " ".join(expanded)
    known = aliases.get(joined, "")
    return (known or joined).split(), known


def _words(ascii_text: str) -> list[str]:
    """Split into words, without punctuation and places."""
    text = _DOTTED.sub(lambda letters: letters.group().replace(".", "") + " ", ascii_text + " ")
    text = _JOINED_LETTERS.sub(r"\1\2", _APOSTROPHES.sub("", _CONTRACTED.sub(r"\1~", text)))
    words = _NOT_WORDS.sub(" ", _PLACE.sub(" ", text)).split()
    return words or _NOT_WORDS.sub(" ", ascii_text).split()


def _corrected(word: str) -> str:
    """Correct a misspelt general word."""
    if len(word) < _MIN_MISSPELT or word in GENERIC or word in DISTINGUISHING:
        return word
    best = process.extractOne(word, _SORTED_SHARED, scorer=OSA.distance, score_cutoff=1)
    return str(best[0]) if best is not None and best[0][0] == word[0] else word


_SORTED_SHARED: Final = sorted(SHARED)


#: The same with the vowels kept.
_SPELLINGS: Final = tuple(
    (re.compile(pattern), spelling)
    for pattern, spelling in (
        (r"[^a-z]", ""),
        (r"(?<=[aou])e", ""),
        (r"kh", "h"),
        (r"x", "ks"),
        (r"tz|ts|cz", "ts"),
        (r"ck|q|c(?!h)", "k"),
        (r"ph", "f"),
        (r"th", "t"),
        (r"w", "v"),
        (r"[yj]", "i"),
        (r"(?<=.)h", ""),
        (r"(.)\1+", r"\1"),
    )
)


@lru_cache(maxsize=32_768)
def spelling(word: str) -> str:
    """Return a word as it is spelled where all transliterations agree."""
    for pattern, replacement in _SPELLINGS:
        word = pattern.sub(replacement, word)
    return word


@lru_cache(maxsize=32_768)
def sound(word: str) -> str:
    """Return the consonants of a word as they sound, so that transliterations from different scripts are alike."""
    for pattern, replacement in _SOUNDS:
        word = pattern.sub(replacement, word)
    return word


def letter_mark(letter: str) -> str:
    """Return the mark that a last single letter is: in brackets where it may be several."""
    return LAST_LETTERS.get(letter) or f"({letter})"
