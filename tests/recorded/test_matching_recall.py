"""Precision and recall of matching on nine recorded seasons, with the providers' spellings of the clubs."""

from __future__ import annotations

import csv
import lzma
from datetime import UTC, datetime
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings
from tests.recorded.spellings import SPELLINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.recorded


class Fixture:
    def __init__(self, season: str, number: int, row: dict[str, str]) -> None:
        self.key = f"{season}-{number}"
        day, month, year = map(int, row["Date"].split("/"))
        # All matches of a day start at the same time, so that only names distinguish them.
        self.start_ms = round(datetime(2000 + year % 100, month, day, 15, tzinfo=UTC).timestamp() * 1000)
        self.home, self.away = row["HomeTeam"], row["AwayTeam"]


def seasons(folder: Path) -> Iterator[Fixture]:
    for file in sorted((folder / "football_data").glob("*.csv.xz")):
        with lzma.open(file, "rt", encoding="utf-8-sig", errors="replace") as lines:
            for number, row in enumerate(csv.DictReader(lines)):
                yield Fixture(file.stem, number, row)


def an_event(feed: str, fixture: Fixture, home: str, away: str, mark: str = "") -> Event:
    return Event(
        id=EventId(f"{feed}.{fixture.key}{mark}"),
        sport="football",
        competition=Competition("epl", "EPL"),
        name=f"{home} v {away}",
        participants=(home, away),
        start_ms=fixture.start_ms,
    )


def test_precision_and_recall_on_recorded_fixtures(data: Path, record_property: Callable[[str, object], None]) -> None:
    """Every third fixture is missing from the first feed, and women's and youth teams play on the same day: no false merge."""
    assert sum(map(len, SPELLINGS.values())) >= 300
    spelled = {club: cycle(names) for club, names in SPELLINGS.items()}
    matcher = Matcher(MatchingSettings())
    fixtures = list(seasons(data))
    matchable: set[str] = set()
    for number, fixture in enumerate(fixtures):
        if number % 3:
            matcher.place(an_event("first", fixture, fixture.home, fixture.away))
            matchable.add(fixture.key)
    merged = right = swapped = 0
    for number, fixture in enumerate(fixtures):
        home, away = next(spelled[fixture.home]), next(spelled[fixture.away])
        is_reversed = number % 7 == 0
        sides = (away, home) if is_reversed else (home, away)
        placement = matcher.place(an_event("second", fixture, *sides))
        if placement.event.startswith("first."):
            merged += 1
            right += placement.event == f"first.{fixture.key}"
            swapped += placement.swapped == is_reversed
        for mark in (" Women", " U21"):
            decoy = matcher.place(an_event("third", fixture, home + mark, away + mark, mark.strip()))
            assert not decoy.event.startswith("first."), decoy
    listed = sum(pair.event.id.startswith("second.") for pair in matcher.review_candidates)
    precision, recall = right / merged, right / len(matchable)
    record_property("precision", precision)
    record_property("recall", recall)
    record_property("listed_for_review", listed)
    assert precision == 1.0
    assert swapped == merged, "reversed participants are detected"
    assert recall >= 0.98
    missed = len(matchable) - right
    assert listed >= 0.8 * missed, "events that are not merged are listed for review"


def test_every_spelling_is_most_similar_to_its_own_club(data: Path) -> None:
    """Compared with every club of the seasons."""
    from oddsengine.sourcing.matching.names import NameNormaliser
    from oddsengine.sourcing.matching.names.score import name_score

    names = NameNormaliser()
    clubs = sorted({fixture.home for fixture in seasons(data)})
    assert set(clubs) == set(SPELLINGS)
    missed = []
    for club, spellings in SPELLINGS.items():
        for spelling in spellings:
            scores = {other: name_score(names.normalise(spelling), names.normalise(other)).score for other in clubs}
            best = max(scores, key=scores.__getitem__)
            if best != club or sorted(scores.values())[-2] >= scores[club]:
                missed.append((spelling, club, best, round(scores[club], 2), round(scores[best], 2)))
    total = sum(map(len, SPELLINGS.values()))
    assert len(missed) <= total * 0.01, missed
