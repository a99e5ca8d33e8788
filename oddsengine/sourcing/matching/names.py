"""Normalises the names of teams and players, which every provider spells differently.

`Nott'm Forest` and `NOTTINGHAM FOREST FC` are the same name.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final, NamedTuple

from rapidfuzz.distance import JaroWinkler

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Letters that Unicode does not decompose.
_LETTERS: Final = str.maketrans(
    {"ø": "o", "ł": "l", "ß": "ss", "æ": "ae", "œ": "oe", "đ": "d", "ð": "d", "þ": "th", "\u0131": "i"}
)
#: Words that mean only that it is a club, and particles.
_CLUB: Final = frozenset(
    {
        "fc",
        "football",
        "futbol",
        "calcio",
        "cf",
        "afc",
        "sc",
        "ac",
        "cd",
        "ud",
        "sd",
        "ad",
        "rc",
        "as",
        "ss",
        "us",
        "bk",
        "if",
        "fk",
        "sk",
        "nk",
        "hc",
        "bc",
        "kk",
        "ca",
        "cs",
        "sv",
        "vfb",
        "vfl",
        "tsv",
        "fsv",
        "rb",
        "club",
        "de",
        "the",
        "of",
        "and",
        "cp",
        "jk",
        "ff",
    }
)
#: Words that many clubs share: they distinguish two clubs of a town, but identify none by themselves.
GENERIC: Final = frozenset(
    {
        "united",
        "wednesday",
        "city",
        "town",
        "rovers",
        "wanderers",
        "athletic",
        "albion",
        "county",
        "hotspur",
        "rangers",
        "real",
        "sporting",
        "racing",
        "olympique",
        "dynamo",
        "dinamo",
        "lokomotiv",
        "spartak",
        "zenit",
        "atletico",
        "deportivo",
        "national",
        "nacional",
        "university",
        "state",
        "college",
        "hove",
        "palace",
        "villa",
        "forest",
    }
)
#: Common abbreviations of words.
_ABBREVIATIONS: Final = {
    "utd": "united",
    "untd": "united",
    "pk": "park",
    "ut": "united",
    "man": "manchester",
    "manch": "manchester",
    "mun": "manchester united",
    "mcfc": "manchester city",
    "mufc": "manchester united",
    "nott": "nottingham",
    "nottm": "nottingham",
    "notts": "nottingham",
    "shef": "sheffield",
    "sheff": "sheffield",
    "wed": "wednesday",
    "weds": "wednesday",
    "ath": "athletic",
    "atl": "atletico",
    "atletico": "atletico",
    "st": "saint",
    "utah": "utah",
    "nth": "north",
    "sth": "south",
    "bor": "borussia",
    "mgladbach": "monchengladbach",
    "wan": "wanderers",
    "wand": "wanderers",
    "wndrs": "wanderers",
    "rov": "rovers",
    "rvrs": "rovers",
    "rgrs": "rangers",
    "cty": "city",
    "twn": "town",
    "pal": "palace",
    "vil": "villa",
    "univ": "university",
    "intl": "international",
    "int": "international",
}
#: Nicknames and abbreviations of whole names; only those with one meaning.
_NICKNAMES: Final = {
    "spurs": "tottenham hotspur",
    "wolves": "wolverhampton wanderers",
    "gunners": "arsenal",
    "psg": "paris saint germain",
    "barca": "barcelona",
    "internazionale": "inter milan",
    "inter": "inter milan",
    "bayern": "bayern munich",
    "bayern munchen": "bayern munich",
    "gladbach": "borussia monchengladbach",
    "bvb": "borussia dortmund",
    "west brom": "west bromwich albion",
    "wba": "west bromwich albion",
    "qpr": "queens park rangers",
    "brighton": "brighton hove albion",
    "saints": "southampton",
    "villa": "aston villa",
    "palace": "crystal palace",
    "forest": "nottingham forest",
    "hammers": "west ham united",
    "toon": "newcastle united",
    "boro": "middlesbrough",
    "pompey": "portsmouth",
    "mancity": "manchester city",
    "manutd": "manchester united",
    "manunited": "manchester united",
    "brighton ha": "brighton hove albion",
    "man u": "manchester united",
    "man c": "manchester city",
}
#: Qualifiers of another team of the same club; two names match only if they have the same ones. A single letter counts only in
#: brackets or at the end: `Bolton W.` is Wanderers.
_QUALIFIERS: Final[tuple[tuple[str, re.Pattern[str]], ...]] = (
    ("women", re.compile(r"\b(women|womens|ladies|lady|fem|femenino|feminin|frauen|wfc)\b|\(w\)| w$")),
    ("youth", re.compile(r"\bu\s?-?(\d\d)\b|\bunder\s?-?(\d\d)\b|\b(youth|juniors?|academy)\b")),
    ("reserves", re.compile(r"\b(reserves?|res|ii)\b|\(b\)| b$| 2$")),
)
_NOT_WORDS: Final = re.compile(r"[^a-z0-9~ ]+")
_APOSTROPHES: Final = re.compile("['`\u2019\u00b4]")
#: Contractions such as `B'ham` and `L'pool`, kept as `b~ham`; `Queen's` is not one.
_CONTRACTED: Final = re.compile("\\b([a-z])['`\u2019\u00b4](?=[a-z]{3})")
#: Dotted abbreviations such as `F.C.` and `Q.P.R.`, which are one word.
_DOTTED: Final = re.compile(r"\b(?:[a-z]\.){2,}")
#: Country codes such as `(ENG)` and `[BRA]`.
_COUNTRY: Final = re.compile(r"[(\[][a-z]{2,3}[)\]]")
#: Suffixes of places such as `upon Tyne` and `on Trent`.
_PLACE: Final = re.compile(r"\b(?:upon|on)[ -]\w+")
#: Jaro-Winkler similarity from which a word is a misspelt general word, and the shortest word considered.
_MISSPELT: Final = 0.94
_MIN_MISSPELT: Final = 5


class Name(NamedTuple):
    """A normalised name: its words, and the qualifiers of the team (`women`, `youth 21`, `reserves`)."""

    words: tuple[str, ...]
    qualifiers: frozenset[str]

    def __str__(self) -> str:
        return " ".join((*self.words, *sorted(self.qualifiers)))


class NameNormaliser:
    """Normalises names and caches the results.

    Args:
        aliases: the operator's own aliases: a name -> its other names.
    """

    def __init__(self, aliases: Mapping[str, tuple[str, ...]] | None = None) -> None:
        self._cache: dict[str, Name] = {}
        self._aliases = dict(_NICKNAMES)
        for name, others in (aliases or {}).items():
            for other in others:
                self._aliases[" ".join(_words(_folded(other)))] = " ".join(_words(_folded(name)))

    def normalise(self, text: str) -> Name:
        """Return the normalised form of a name."""
        name = self._cache.get(text)
        if name is None:
            name = self._cache[text] = self._normalise(text)
        return name

    def _normalise(self, text: str) -> Name:
        rest = _folded(text)
        qualifiers: set[str] = set()
        for qualifier, pattern in _QUALIFIERS:
            found = pattern.search(rest)
            # A name that is only the qualifier is a name.
            if found is not None and found.group().strip() != rest:
                age = next((group for group in found.groups() if group and group.isdigit()), "")
                qualifiers.add(f"{qualifier} {age}".strip())
                rest = pattern.sub(" ", rest).strip()
        return Name(tuple(self._expanded(" ".join(_words(rest)))), frozenset(qualifiers))

    def _expanded(self, text: str) -> list[str]:
        text = self._aliases.get(text, text)
        words = text.split()
        bare = [word for word in words if word not in _CLUB] or words
        joined = self._aliases.get(" ".join(bare))
        if joined is not None:
            return joined.split()
        expanded = [part for word in bare for part in _ABBREVIATIONS.get(word, _corrected(word)).split()]
        return self._aliases.get(" ".join(expanded), " ".join(expanded)).split()


def _folded(text: str) -> str:
    """Remove accents and case."""
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return " ".join("".join(letter for letter in decomposed if not unicodedata.combining(letter)).split())


def _words(folded: str) -> list[str]:
    """Split into words, without punctuation, countries and places."""
    text = _DOTTED.sub(lambda letters: letters.group().replace(".", "") + " ", _COUNTRY.sub(" ", folded) + " ")
    text = _APOSTROPHES.sub("", _CONTRACTED.sub(r"\1~", text))
    words = _NOT_WORDS.sub(" ", _PLACE.sub(" ", text)).split()
    return words or _NOT_WORDS.sub(" ", folded).split()


def _corrected(word: str) -> str:
    """Correct a misspelt general word."""
    if len(word) < _MIN_MISSPELT or word in GENERIC:
        return word
    best = max(sorted(GENERIC), key=lambda general: JaroWinkler.similarity(word, general))
    return best if JaroWinkler.similarity(word, best) >= _MISSPELT else word
