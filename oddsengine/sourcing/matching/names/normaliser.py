"""Normalises the names of teams and players, which every provider spells differently, in any script.

`Nott'm Forest` and `NOTTINGHAM FOREST FC` are the same name, and so are `Спартак Москва` and `Spartak Moscow`. Other scripts are
transliterated by `anyascii`, and compared by the sound of their consonants.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz import process
from rapidfuzz.distance import JaroWinkler

from oddsengine.sourcing.matching.names.countries import COUNTRIES, FOREIGN
from oddsengine.sourcing.matching.names.marks import LAST_LETTERS, folded, marked_name
from oddsengine.sourcing.matching.names.nicknames import known_names
from oddsengine.sourcing.matching.names.vocabulary import ABBREVIATIONS, CLUB, GENERIC, PLACEHOLDER_WORDS, SHARED

if TYPE_CHECKING:
    from collections.abc import Mapping

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
_LAST_LETTER: Final = re.compile(r"(?<=[a-z\d)] )([a-z])$")
_COLLEGE_STATE: Final = re.compile(r"(?<=\w )st\.?$")
_LETTER_OF_OTHER_SCRIPT: Final = re.compile("[^\\W\\d_\u0000-\u024f\u1e00-\u1eff\ufb00-\ufb06\uff21-\uff5a]")
#: What numbers one of several placeholders: `Winner SF1`, `Winner Match 49`, `Team A`.
_NUMBERED: Final = re.compile(r"(?:sf|qf|r|m|w|l|g)?\d+|[a-z]|[a-h]\d")
#: Jaro-Winkler similarity from which a word is a misspelt general word, and the shortest word considered.
_MISSPELT: Final = 0.94
_MIN_MISSPELT: Final = 5
#: Sounds that transliterations spell in different ways, in the order in which they are replaced.
_SOUNDS: Final = tuple(
    (re.compile(pattern), sound)
    for pattern, sound in (
        (r"[^a-z]", ""),
        (r"sch|shch|sh|ch|tch|ts|tz|zh|cz|sz", "s"),
        (r"ph", "f"),
        (r"th", "t"),
        (r"ck|kh|x|q|c", "k"),
        (r"dzh|dj|j", "s"),
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

    `words` is empty where the name names nobody. `marks` are those of another team or event (`women`, `youth 21`, `corners`);
    `letter` is a last single letter, a mark or an initial as the other name has it; `place` is a country or state in brackets;
    `known` is the team that it stands for where that is certain; `foreign` says that it was written in another script than Latin.
    """

    words: tuple[str, ...]
    marks: frozenset[str] = frozenset()
    letter: str = ""
    place: str = ""
    known: str = ""
    foreign: bool = False

    def __str__(self) -> str:
        return " ".join((*self.words, *sorted(self.marks)))


class NameNormaliser:
    """Normalises names and caches the results.

    Args:
        aliases: the operator's own aliases: a name -> its other names.
    """

    def __init__(self, aliases: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._cache: dict[str, Name] = {}
        self._aliases: Mapping[str, str] = _built_in()
        if aliases:
            own = {
                key: " ".join(_expanded(_key(name), self._aliases)[0])
                for name, others in aliases.items()
                for other in others
                if (key := _key(other))
            }
            self._aliases = {**self._aliases, **own}

    def normalise(self, text: str) -> Name:
        """Return the normalised form of a name."""
        name = self._cache.get(text)
        if name is None:
            name = self._cache[text] = self._normalise(text)
        return name

    def _normalise(self, text: str) -> Name:
        ascii_text = folded(text)
        foreign = _LETTER_OF_OTHER_SCRIPT.search(text) is not None
        whole = self._aliases.get(_key(ascii_text))
        if whole is not None:
            return Name(tuple(whole.split()), known=whole, foreign=foreign)
        rest, marks, place = marked_name(ascii_text)
        bracketed = self._aliases.get(f"{_key(rest)} {place}") if place else None
        if bracketed is not None:
            return Name(tuple(bracketed.split()), marks, known=bracketed, foreign=foreign)
        rest = _COLLEGE_STATE.sub("state", _RANK.sub("", rest))
        found = _LAST_LETTER.search(rest)
        key = _key(rest)
        letter = found[1] if found is not None and key not in self._aliases else ""
        if letter:
            key = key.removesuffix(f" {letter}")
        words, known = _expanded(key, self._aliases)
        if letter in LAST_LETTERS and any(word.startswith(letter) for word in set(words) - set(key.split())):
            # Wolverhampton W. is the Wanderers, or the women.
            marks, letter = marks | {f"({letter})"}, ""
        if _is_placeholder(words):
            return Name(())
        return Name(tuple(words), marks, letter, place, known, foreign)


def _is_placeholder(words: list[str]) -> bool:
    if not words:
        return True
    if not any(word in PLACEHOLDER_WORDS for word in words):
        return False
    return all(word in PLACEHOLDER_WORDS or _NUMBERED.fullmatch(word) is not None for word in words)


@lru_cache(maxsize=1)
def _built_in() -> Mapping[str, str]:
    """Return the names that are known, by their keys: other name -> name."""
    aliases: dict[str, str] = {country: country for country in COUNTRIES}
    for name, others in known_names().items():
        aliases[name] = name
        aliases.update({_key(other): name for other in others})
    aliases.update({_key(other): country for other, country in FOREIGN.items()})
    return aliases


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
    known = aliases.get(" ".join(bare))
    if known is not None:
        return known.split(), known
    expanded = [part for word in bare for part in ABBREVIATIONS.get(word, _corrected(word)).split("+")]
    joined = " ".join(expanded)
    known = aliases.get(joined, "")
    return (known or joined).split(), known


def _words(ascii_text: str) -> list[str]:
    """Split into words, without punctuation and places."""
    text = _DOTTED.sub(lambda letters: letters.group().replace(".", "") + " ", ascii_text + " ")
    text = _APOSTROPHES.sub("", _CONTRACTED.sub(r"\1~", text))
    words = _NOT_WORDS.sub(" ", _PLACE.sub(" ", text)).split()
    return words or _NOT_WORDS.sub(" ", ascii_text).split()


def _corrected(word: str) -> str:
    """Correct a misspelt general word."""
    if len(word) < _MIN_MISSPELT or word in GENERIC:
        return word
    best = process.extractOne(word, _SORTED_SHARED, scorer=JaroWinkler.similarity, score_cutoff=_MISSPELT)
    return word if best is None else str(best[0])


_SORTED_SHARED: Final = sorted(SHARED)


@lru_cache(maxsize=32_768)
def sound(word: str) -> str:
    """Return the consonants of a word as they sound, so that transliterations from different scripts are alike."""
    for pattern, replacement in _SOUNDS:
        word = pattern.sub(replacement, word)
    return word


def letter_mark(letter: str) -> str:
    """Return the mark that a last single letter is, empty if it can only be an initial."""
    return LAST_LETTERS.get(letter, "")
