"""Labelled pairs of events, made from lists of teams and how providers spell them: public facts, collected by hand.

A file has sections `# sport | competition` and lines `team = spelling | spelling`. From these, pairs of events are made that are
the same match, and pairs that are not: of other teams, of teams whose names are alike, of another team of the club, of another
part of the match, of another match of the pair on the day.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rapidfuzz.distance import JaroWinkler

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId

if TYPE_CHECKING:
    from collections.abc import Iterator

KICK_OFF = 1_795_532_400_000
MINUTE = 60_000
#: Suffixes of other teams of a club, or of other events than its match.
MARKS = (" (W)", " Women", " U21", " (R)", " II", " U19", " (Corners)", " (PEN)", " (ET)", " Youth", " (ж)", " SRL")


class Section(NamedTuple):
    """A competition with its teams and their spellings; the first spelling is the team's name here."""

    sport: str
    competition: str
    teams: tuple[tuple[str, ...], ...]


class Pair(NamedTuple):
    """Two events of two feeds, and whether they are the same match."""

    one: Event
    other: Event
    same: bool
    kind: str


def sections() -> list[Section]:
    """Read the lists."""
    found: list[Section] = []
    for file in sorted(Path(__file__).parent.glob("*.txt")):
        for line in file.read_text("utf-8").splitlines():
            if line.startswith("#"):
                sport, competition = (part.strip() for part in line.removeprefix("#").split("|"))
                found.append(Section(sport, competition, ()))
            elif line:
                name, _, others = line.partition("=")
                spellings = [name.strip(), *(other.strip() for other in others.split("|") if other.strip())]
                section = found.pop()
                if section.sport == "tennis":
                    spellings += _of_players(spellings[0])
                found.append(section._replace(teams=(*section.teams, tuple(dict.fromkeys(spellings)))))
    return found


def _of_players(name: str) -> list[str]:
    """Spell a player's name as the tours and the providers do."""
    first, _, last = name.partition(" ")
    if first == "Juan":
        return [f"{last.removeprefix('Manuel ')} J.M.", f"{last.removeprefix('Manuel ')}, {first} Manuel"]
    return [f"{last} {first[0]}.", f"{first[0]}. {last}", f"{last}, {first}", f"{last.upper()} {first}"]


def pairs() -> Iterator[Pair]:
    """Yield all pairs, in the same order each time."""
    for section in sections():
        yield from _same(section)
        yield from _different(section)


def event_of(section: Section, feed: str, home: str, away: str, minutes: int = 0) -> Event:
    """Return a match of a competition as a feed describes it."""
    return Event(
        id=EventId(f"{feed}.1"),
        sport=section.sport,
        competition=Competition("c", section.competition),
        name=f"{home} v {away}",
        participants=(home, away),
        start_ms=KICK_OFF + minutes * MINUTE,
    )


def _same(section: Section) -> Iterator[Pair]:
    """Every two spellings of a team, against opponents whose spellings take turns."""
    teams = section.teams
    count = 0
    for index, team in enumerate(teams):
        spelled = list(combinations(team, 2)) if len(team) < 6 else [(team[0], other) for other in team[1:]]
        for number, (left, right) in enumerate(spelled):
            opponent = teams[(index + 1 + number * 3) % len(teams)]
            if opponent is team:
                opponent = teams[(index + 1) % len(teams)]
            count += 1
            away = opponent[count % len(opponent)]
            other_sides = (away, right) if count % 5 == 0 else (right, away)
            minutes = (0, 0, 5, 15)[count % 4]
            one, other = event_of(section, "a", left, opponent[0]), event_of(section, "b", *other_sides, minutes)
            yield Pair(one, other, same=True, kind="spelling")


def _different(section: Section) -> Iterator[Pair]:
    teams = section.teams
    for index, team in enumerate(teams):
        others = sorted((each for each in teams if each is not team), key=lambda each: -JaroWinkler.similarity(team[0], each[0]))
        opponent = others[-1]
        one = event_of(section, "a", team[0], opponent[0])
        for alike in others[:2]:
            spelled = alike[index % len(alike)]
            yield Pair(one, event_of(section, "b", spelled, opponent[index % len(opponent)]), same=False, kind="alike")
        yield Pair(one, event_of(section, "b", others[0][0], others[1][-1]), same=False, kind="others")
        if section.sport != "tennis":
            mark, spelled = MARKS[index % len(MARKS)], team[index % len(team)]
            away = opponent[(index + 1) % len(opponent)]
            yield Pair(one, event_of(section, "b", spelled + mark, away + mark), same=False, kind="mark")
        yield Pair(one, event_of(section, "b", team[-1], opponent[0], 65 + index), same=False, kind="later")
