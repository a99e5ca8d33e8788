"""Simulated matches: who plays, when the goals fall, and how a match stands at any time. Pure and reproducible.

Time is in seconds since the simulation began. Each of a fixed number of slots plays one match after the other, so that
there are always some to come, some in play and some just ended.
"""

from __future__ import annotations

from math import sin
from random import Random
from typing import Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from feeds.emulators.core.goals import MATCH_MINUTES, Outlook, Score

COMPETITIONS: Final = (
    (
        "northern_league",
        "Northern League",
        ("Ashford Rovers", "Bramley Town", "Calder City", "Dunmore Athletic", "Elmstead United", "Farrow Vale"),
    ),
    (
        "harbour_cup",
        "Harbour Cup",
        ("Gullwick", "Holm Bay", "Inverstrand", "Jettyport", "Keelhaven", "Lantern Point"),
    ),
    (
        "liga_del_sol",
        "Liga del Sol",
        ("Monteluz", "Naranjal", "Olivares", "Puerto Claro", "Quinta Real", "Rio Alto"),
    ),
)

Phase = Literal["before", "turning", "playing", "goal", "ended", "gone"]


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How fast simulated time runs.

    `minutes_per_s` is match minutes per second; the others are seconds of real time: before kick-off, suspended at
    kick-off and after a goal, and after the end until the match is taken off.
    """

    minutes_per_s: Annotated[float, Meta(gt=0)] = 0.5
    before_s: Annotated[float, Meta(ge=0)] = 60.0
    turning_s: Annotated[float, Meta(ge=0)] = 2.0
    goal_s: Annotated[float, Meta(ge=0)] = 6.0
    after_s: Annotated[float, Meta(ge=0)] = 20.0

    @property
    def playing_s(self) -> float:
        """Seconds from kick-off to the end."""
        return MATCH_MINUTES / self.minutes_per_s

    @property
    def life_s(self) -> float:
        """Seconds from the first sight of a match to the last."""
        return self.before_s + self.playing_s + self.after_s


class Standing(NamedTuple):
    """A match at one moment."""

    phase: Phase
    minute: int
    score: Score


class Match:
    """One match.

    Args:
        seed: of the simulation.
        slot: which slot it is played in.
        number: its number in the slot, from 0.
        begins_s: when it is first seen.
        pace: how fast it runs.
    """

    def __init__(self, seed: int, slot: int, number: int, begins_s: float, pace: Pace) -> None:
        random = Random(f"{seed}/{slot}/{number}")  # noqa: S311 - a simulation, and reproducible
        self.event_id = str(30_000_000 + slot * 10_000 + number)
        self.competition_id, self.competition, teams = COMPETITIONS[slot % len(COMPETITIONS)]
        self.home, self.away = random.sample(teams, 2)
        self.kick_off_s = begins_s + pace.before_s
        self._pace = pace
        self._home_goals = random.uniform(0.8, 2.4)
        self._away_goals = random.uniform(0.6, 1.9)
        self._phases = (random.uniform(0, 6), random.uniform(0, 6))
        self.goals = sorted(
            [(minute, "home") for minute in _goal_minutes(random, self._home_goals)]
            + [(minute, "away") for minute in _goal_minutes(random, self._away_goals)]
        )

    @property
    def name(self) -> str:
        """The event's name, home first."""
        return f"{self.home} v {self.away}"

    def standing(self, now_s: float) -> Standing:
        """Tell how the match stands."""
        since_s = now_s - self.kick_off_s
        if since_s < 0:
            return Standing("before", 0, Score(0, 0))
        minute = min(since_s * self._pace.minutes_per_s, MATCH_MINUTES)
        fallen = [(when, side) for when, side in self.goals if when <= minute]
        score = Score(sum(side == "home" for _, side in fallen), sum(side == "away" for _, side in fallen))
        if since_s >= self._pace.playing_s + self._pace.after_s:
            return Standing("gone", int(MATCH_MINUTES), score)
        if since_s >= self._pace.playing_s:
            return Standing("ended", int(MATCH_MINUTES), score)
        if since_s < self._pace.turning_s:
            return Standing("turning", 0, score)
        if fallen and minute - fallen[-1][0] < self._pace.goal_s * self._pace.minutes_per_s:
            return Standing("goal", int(minute), score)
        return Standing("playing", int(minute), score)

    def outlook(self, now_s: float) -> Outlook:
        """Give the distribution of the final score as the market sees it; the market's opinion wavers a little."""
        standing = self.standing(now_s)
        played = min(max((now_s - self.kick_off_s) * self._pace.minutes_per_s, 0.0), MATCH_MINUTES)
        left = 0.0 if standing.phase in {"ended", "gone"} else 1.0 - played / MATCH_MINUTES
        first, second = self._phases
        mood = 0.03 * sin(now_s / 7.3 + first) + 0.02 * sin(now_s / 2.9 + second)
        return Outlook(standing.score, self._home_goals * left * (1 + mood), self._away_goals * left * (1 - mood))


def _goal_minutes(random: Random, expected: float) -> list[float]:
    minutes: list[float] = []
    minute = random.expovariate(expected / MATCH_MINUTES)
    while minute < MATCH_MINUTES:
        minutes.append(minute)
        minute += random.expovariate(expected / MATCH_MINUTES)
    return minutes


class Schedule:
    """Which match each slot plays at any time; slots are spread over a match's life, so that they do not move as one.

    Args:
        seed: of the simulation.
        slots: matches at a time.
        pace: how fast they run.
    """

    def __init__(self, seed: int, slots: int, pace: Pace) -> None:
        self._seed = seed
        self._slots = slots
        self._pace = pace
        self._matches: dict[tuple[int, int], Match] = {}

    def matches(self, now_s: float) -> list[Match]:
        """Give the matches to be seen now, one a slot."""
        life_s = self._pace.life_s
        current: dict[tuple[int, int], Match] = {}
        for slot in range(self._slots):
            offset_s = life_s * slot / self._slots
            number = int((now_s + offset_s) // life_s)
            key = (slot, number)
            match = self._matches.get(key)
            if match is None:
                match = Match(self._seed, slot, number, number * life_s - offset_s, self._pace)
            current[key] = match
        self._matches = current
        return list(current.values())
