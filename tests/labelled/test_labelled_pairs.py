"""Precision and recall of matching on the labelled pairs."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.compare import compare, profile
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings
from oddsengine.sourcing.matching.names import NameNormaliser
from tests.labelled.pairs import KICK_OFF, event_of, pairs, sections

if TYPE_CHECKING:
    from collections.abc import Callable


def test_no_wrong_merge_and_nearly_every_match_found(record_property: Callable[[str, object], None]) -> None:
    names, settings = NameNormaliser(), MatchingSettings()
    counts: Counter[tuple[bool, str]] = Counter()
    wrong = []
    for pair in pairs():
        decision = compare(profile(pair.one, names), profile(pair.other, names), settings).decision
        counts[pair.same, decision] += 1
        if decision == "match" and not pair.same:
            wrong.append((pair.one.name, pair.other.name))
    same = sum(count for (is_same, _), count in counts.items() if is_same)
    recall = counts[True, "match"] / same
    record_property("pairs", counts.total())
    record_property("recall", recall)
    record_property("possible_matches", counts[True, "possible_match"])
    assert [] == wrong
    assert recall >= 0.97
    assert counts[True, "non_match"] <= 0.002 * same, "a match that is not found should be possible"


def test_the_set_is_large_and_wide() -> None:
    found = sections()
    scripts = {
        unicodedata.name(letter).partition(" ")[0]
        for section in found
        for team in section.teams
        for spelling in team
        for letter in spelling
        if letter.isalpha()
    }
    assert sum(1 for _ in pairs()) >= 5_000
    assert len({section.sport for section in found}) >= 6
    assert {"LATIN", "CYRILLIC", "GREEK", "ARABIC", "HEBREW", "KATAKANA", "CJK", "HANGUL"} <= scripts


def test_a_whole_round_of_every_competition_finds_its_own() -> None:
    """All teams play at the same time; the second feed spells each in another way, and lists women's and youth teams too."""
    placed = wrong = 0
    for section in sections():
        matcher = Matcher(MatchingSettings())
        rounds = list(zip(section.teams[::2], section.teams[1::2], strict=False))
        for number, (home, away) in enumerate(rounds):
            event = event_of(section, f"a{number}", home[0], away[0])
            matcher.place(msgspec.structs.replace(event, id=EventId(f"a.{number}")))
        for number, (home, away) in enumerate(rounds):
            for feed, suffix in (("b", ""), ("c", " U19"), ("d", " Women")):
                event = event_of(section, feed, home[-1] + suffix, away[-1 if number % 2 else 0] + suffix)
                first = matcher.place(msgspec.structs.replace(event, id=EventId(f"{feed}.{number}"), start_ms=KICK_OFF)).event
                if first.startswith("a."):
                    placed += not suffix
                    wrong += bool(suffix) and section.sport != "tennis"
                    assert f"a.{number}" == first, event.name
    assert 0 == wrong
    assert placed >= 0.9 * sum(len(section.teams) // 2 for section in sections())
