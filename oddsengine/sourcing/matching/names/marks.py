"""Marks of another team or another event: women's, youth and reserve sides, corners, penalties, simulated matches.

They are read from names, where they stand in brackets, as a last single letter or as a word of their own, and from competitions.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final, NamedTuple, TypeAlias

from anyascii import anyascii

from oddsengine.sourcing.matching.names.countries import CODES, COUNTRIES

#: Names with the pattern that finds each, in order of precedence.
Patterns: TypeAlias = "tuple[tuple[str, re.Pattern[str]], ...]"


def compiled(*patterns: tuple[str, str]) -> Patterns:
    """Compile patterns."""
    return tuple((name, re.compile(pattern)) for name, pattern in patterns)


#: In scripts other than Latin, before transliteration: what a mark is called there, and how it is spelled here.
_NATIVE: Final = re.compile(
    "(?P<women>\u0436\u0435\u043d\\w*|\\(\u0436\\)|\u0436\u0456\u043d\\w*|\u5973\u5b50|\u5973\u8db3|\u5973\u7bee|\u5973\u7c43"
    "|\u5973\u7cfb|\uc5ec\uc790|\u03b3\u03c5\u03bd\u03b1\u03b9\u03ba\\w*|\u0633\u064a\u062f\u0627\u062a"
    "|\u0627\u0644\u0633\u064a\u062f\u0627\u062a|\u0644\u0644\u0633\u064a\u062f\u0627\u062a|\u05e0\u05e9\u05d9\u05dd"
    "|\\(\u05e0\\)|\u30ec\u30c7\u30a3\u30fc\u30b9|\u306a\u3067\u3057\u3053|\uc5ec\uc131|(?<!\\w)\u03b3\u03c5\u03bd\\b\\.?)"
    "|(?P<youth>\\(\u043c\u043e\u043b\\.?\\)|\u043c\u043e\u043b\u043e\u0434[\u0435\u0451]\\w*|\u044e\u043d\u043e\u0448\\w*"
    "|\u044e\u043d\u0438\u043e\u0440\\w*|\u9752\u5e74|\u30e6\u30fc\u30b9"
    "|\uc720\uc18c\ub144|\uc720\uc2a4|\u0634\u0628\u0627\u0628|\u05e0\u05d5\u05e2\u05e8)"
    "|(?P<reserves>\u0434\u0443\u0431\u043b\\w*|\u4e8c\u961f|\u9884\u5907\u961f|\u0440\u0435\u0437\u0435\u0440\u0432\\w*"
    "|\u0631\u062f\u064a\u0641|b(?=\u961f)|(?<!\\w)\u03b2(?!\\w)'?)"
    "|(?P<corners>\u0443\u0433\u043b\u043e\u0432\\w*|\u0443\u0433\u043b\\b)"
    "|(?P<cards>\u0436\u0435\u043b\u0442\\w* \u043a\u0430\u0440\u0442\\w*|\\(\u0436\u043a\\))"
    "|(?P<olympic>\u043e\u043b\u0438\u043c\u043f\u0438\u0439\u0441\u043a\\w*|\u0627\u0644\u0623\u0648\u0644\u0645\u0628\u064a)"
    "|(?P<age>\u0434\u043e|\u062a\u062d\u062a|(?<!\\w)\u03ba|(?<!\\w)\u05e2\u05d3 \u05d2\u05d9\u05dc)"
    "[\\s-]*(?P<years>\\d\\d)(?!\\d)"
)
#: What a national team is called beside its country's name.
_NATIONAL: Final = re.compile(
    "\u4ee3\u8868|\u56fd\u5bb6\u961f|\uad6d\uac00\ub300\ud45c|\u0e17\u0e35\u0e21\u0e0a\u0e32\u0e15\u0e34"
)
#: Where a word of an Asian script and Latin letters or digits touch.
_TOUCHING: Final = re.compile(
    "(?<=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])(?=[a-z0-9])|(?<=[a-z0-9])(?=[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af])"
)
#: The Arabic article, which is part of its word.
_ARTICLE: Final = re.compile("(?<![\u0621-\u064a])\u0627\u0644(?=[\u0621-\u064a]{2})")
#: (mark, its words in a name or a competition); a group that is found is added to the mark.
_WORDS: Final = compiled(
    ("women", r"\b(?:women'?s?|womans?|ladies|lady(?!\s+vol)|fem|fem[ei]n\w*|femm\w*|frauen|damen?|damer|dam(?=\s*$))\b"),
    ("women", r"\b(?:kvinn?e\w*|kvinder|vrouwen|dames|kadin\w*|zen[yi]|zene|zensk[ie]|naiset|kobiet\w*)\b"),
    ("women", r"\b(?:wfc|fcw|afcw)\b|(?<=\w )lfc\b"),
    ("youth", r"\b[uj]\s?-?\s?(1[4-9]|2[0-3])s?\b|\b(?:under|sub|below|s)[\s-]*(1[4-9]|2[0-3])s?\b|\b(1[4-9]|2[0-3])s\b"),
    (
        "youth",
        r"\b(?:youths?|academy|primavera|juvenil\w*|junioren|juvenis|espoirs|copinha|professional development)\b",
    ),
    (
        "reserves",
        r"\b(?:reserves?|reservas?|ii|aspirantes|promesas|amateure|jong|castilla|futures)\b|\bres\.?(?=\s*$)|(?<=\S)[\s-]+2(?=\s*$)",
    ),
    ("reserves", r"(?<=barcelona )atletic\b|\bbilbao athletic\b"),
    ("youth 23", r"\b(?:next ?gen|futuro)(?=\s*$)"),
    ("olympic", r"(?<=\w )olympic(?=\s*$)|\bamputee\w*\b"),
    ("third", r"\biii\b|(?<=\S)[\s-]+3(?=\s*$)"),
    ("selection", r"(?<=\w )xi(?=\s*$)|\binvitational\b"),
    ("corners", r"\bcorners?\b"),
    ("cards", r"\b(?:bookings?|yellow cards?|cards)\b"),
    ("penalties", r"\b(?:penalties|penalty shoot-?out|shoot-?out|pens)\b"),
    ("extra time", r"\b(?:extra[ -]time|aet|overtime)\b"),
    ("half", r"\b(1st|2nd|first|second)[ -]half\b"),
    ("statistics", r"\b(?:shots|offsides|fouls|throw-?ins|tackles|goal kicks|double faults|kills|total games)\b"),
    (
        "simulated",
        r"\b(?:srl|e-?soccer|e-?football|e-?basketball|e-?hockey|e-?cricket|cyber|virtual|simulated|fifa \d\d|2k\d\d)\b",
    ),
    ("simulated", r"\be-?(?:world|euro|nations|champions|premier|la ?liga|serie|copa)\w*\b"),
    ("small sided", r"\b(3\s?x\s?3|3 ?on ?3|futsal|beach|indoor|sevens|7s|6 red|all[ -]?stars?)\b"),
    ("legends", r"(?<!of )(?<!mobile )(?<!apex )\blegends\b"),
    ("game", r"\b(?:game|gm|g)\s?([1-9])(?=\s*$)"),
)
#: Marks in brackets only: elsewhere these letters may be an initial or a word.
_BRACKETED: Final[dict[str, str]] = {
    **dict.fromkeys(("w", "f", "fem", "women", "wom", "k", "l", "v", "d", "ladies", "zh", "zhen"), "women"),
    **dict.fromkeys(("r", "res", "reserve", "reserves", "b", "2", "ii", "am", "amateur"), "reserves"),
    **dict.fromkeys(("c", "iii", "3"), "third"),
    **dict.fromkeys(("y", "yth", "youth", "jun", "jrs", "juniors", "junior", "mol"), "youth"),
    **dict.fromkeys(("pen", "pens", "p", "pso"), "penalties"),
    **dict.fromkeys(("et", "aet", "ot"), "extra time"),
    **dict.fromkeys(("corners", "corner", "crn"), "corners"),
    **dict.fromkeys(("bookings", "cards"), "cards"),
    **dict.fromkeys(("e", "esports", "esport", "sim", "srl"), "simulated"),
}
#: Brackets that do not name the team: neutral ground, entries and seeds of a draw.
_IGNORED: Final = frozenset({"n", "h", "q", "wc", "ll", "pr", "alt", "se", "neutral", "host", "hosts", "draw", "fc", "sc", "1"})
#: Single letters that are a mark at the end of a name, unless the other name has a word that they begin.
LAST_LETTERS: Final = {"w": "women", "f": "women", "b": "reserves", "r": "reserves", "c": "third", "a": "first reserves"}
#: `WU19` and `U19W`.
_WOMEN_AND_AGE: Final = re.compile(r"\bwu-?(1[4-9]|2[0-3])\b|\bu-?(1[4-9]|2[0-3])w\b")
#: Marks that are no name by themselves.
_ALONE: Final = frozenset({"women", "youth", "reserves", "corners", "penalties", "extra time"})
#: Ages of youth teams, where they stand alone in round brackets.
_AGES: Final = range(15, 24)
#: Words that name another team of an esports organisation.
_ESPORTS_WORDS: Final = {
    **dict.fromkeys(("junior", "juniors", "jr", "challengers", "talent", "rising", "prodigy", "youngsters", "next"), "youth"),
    **dict.fromkeys(("female", "fe", "gc", "hel", "ladies", "girls"), "women"),
    **{colour: f"({colour})" for colour in ("blue", "black", "white", "red", "gold", "yellow", "green", "purple")},
}
_BRACKETS: Final = re.compile(r"[(\[{]([^)\]}]*)[)\]}]")


class MarkedName(NamedTuple):
    """A name without its marks; `place` is a country or a state named in brackets."""

    rest: str
    marks: frozenset[str]
    place: str = ""


def folded(text: str) -> str:
    """Return a text in lower-case ASCII: transliterated from any script, without accents, its marks in English."""
    text = unicodedata.normalize("NFKC", text).casefold()
    if not text.isascii():
        text = _TOUCHING.sub(" ", _NATIVE.sub(_in_english, _NATIONAL.sub("", text)))
        text = text.replace("\u044c", "").replace("\u044a", "")
        text = anyascii(_ARTICLE.sub("al ", text.replace("\u0446\u0441\u043a\u0430", "cska"))).casefold()
    return " ".join(text.split())


def _in_english(found: re.Match[str]) -> str:
    if found["age"]:
        return f" u{found['years']} "
    return f" {found.lastgroup} "


def marked_name(text: str, family: str = "") -> MarkedName:
    """Split a folded name into what names the team and its marks, as they are understood in a family of sports."""
    marks: set[str] = set()
    places: list[str] = []

    def bracket(found: re.Match[str]) -> str:
        inside = " ".join(found[1].replace(".", "").split())
        if inside in _BRACKETED:
            marks.add(_BRACKETED[inside])
        elif inside in CODES or inside in COUNTRIES:
            places.append(CODES.get(inside, inside))
        elif inside.isdigit():
            if family != "individual" and found[0][0] == "(" and int(inside) in _AGES:
                marks.add(f"({inside})")
        elif inside and inside not in _IGNORED:
            found_marks = _marks_in(inside, is_bracket=True)
            if found_marks.marks:
                marks.update(found_marks.marks)
            elif len(inside) == 1:
                marks.add(f"({inside})")
            elif len(inside) == 2:  # noqa: PLR2004 - a state
                places.append(inside)
            else:
                marks.add(f"({inside})")
        return " "

    outside = " ".join(_BRACKETS.sub(bracket, text).split())
    if not outside:
        return MarkedName(" ".join(re.sub(r"[()\[\]{}]", " ", text).split()), frozenset())
    plain = _marks_in(outside)
    if family == "esports":
        plain = _esports_marks(plain)
    return MarkedName(plain.rest, plain.marks | marks, places[0] if places else "")


def _esports_marks(name: MarkedName) -> MarkedName:
    """Take the marks out of a name that only another team of an organisation has."""
    words = name.rest.split()
    first, others = words[:1], words[1:]
    found = {_ESPORTS_WORDS[word] for word in others if word in _ESPORTS_WORDS}
    return MarkedName(" ".join(first + [word for word in others if word not in _ESPORTS_WORDS]), name.marks | found)


def _marks_in(text: str, *, is_bracket: bool = False) -> MarkedName:
    marks: set[str] = set()
    rest = text = _WOMEN_AND_AGE.sub(r"women u\1\2", text)
    for mark, pattern in _WORDS:
        found = pattern.search(rest)
        if found is None:
            continue
        left = " ".join(pattern.sub(" ", rest).split()).strip(" -")
        if not is_bracket and not left and text is rest and mark not in _ALONE:
            # A name that is only the mark is a name.
            continue
        detail = next((group for group in found.groups() if group), "")
        marks.add(f"{mark} {detail}".strip())
        rest = left
    if "youth" in marks and any(each.startswith("youth ") for each in marks):
        marks.discard("youth")
    return MarkedName(rest or text, frozenset(marks))
