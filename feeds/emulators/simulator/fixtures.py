"""Simulated matches: the teams, the minutes of the goals, and the state of a match at any time. Pure and reproducible.

Time is in seconds since the simulation began. Each of a fixed number of slots plays one match after another, so that at any
time some matches are upcoming, some in play and some just ended.
"""

from __future__ import annotations

from math import sin
from random import Random
from typing import Annotated, Literal, NamedTuple

import msgspec
from msgspec import Meta

from feeds.emulators.core.goals import MATCH_MINUTES, Outlook, Score
from feeds.emulators.simulator.clubs import COMPETITIONS, pairing

#: `turning`: suspended at kick-off; `goal`: suspended after a goal; `gone`: taken off.
Phase = Literal["before", "turning", "playing", "goal", "ended", "gone"]


class Pace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The speed of simulated time.

    `minutes_per_s` is match minutes per second. The others are seconds of real time: before kick-off, suspended at kick-off,
    suspended after a goal, and from the final whistle until the match is taken off.
    """

    minutes_per_s: Annotated[float, Meta(gt=0)] = 0.5
    before_s: Annotated[float, Meta(ge=0)] = 60.0
    turning_s: Annotated[float, Meta(ge=0)] = 2.0
    goal_s: Annotated[float, Meta(ge=0)] = 6.0
    after_s: Annotated[float, Meta(ge=0)] = 20.0

    @property
    def playing_s(self) -> float:
        """Seconds from kick-off to the final whistle."""
        return MATCH_MINUTES / self.minutes_per_s

    @property
    def life_s(self) -> float:
        """Seconds from the first appearance of a match to its removal."""
        return self.before_s + self.playing_s + self.after_s


class MatchState(NamedTuple):
    """A match at one moment."""

    phase: Phase
    minute: int
    score: Score


class Match:
    """One match.

    Args:
        seed: of the simulation.
        slot: the slot it is played in.
        slots: how many slots there are.
        number: its number in the slot, from 0.
        appears_s: when it is first listed.
        pace: how fast it runs.
    """

    def __init__(self, seed: int, slot: int, slots: int, number: int, appears_s: float, pace: Pace) -> None:
        random = Random(f"{seed}/{slot}/{number}")  # noqa: S311 - a simulation, and reproducible
        self.event_id = str(30_000_000 + slot * 10_000 + number)
        rank, place = divmod(slot, len(COMPETITIONS))
        competition = COMPETITIONS[place]
        self.competition_id, self.competition = competition.id, competition.name
        of_competition = len(range(place, slots, len(COMPETITIONS)))
        self.home, self.away = pairing(competition, seed, rank, of_competition, number)
        self.kick_off_s = appears_s + pace.before_s
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

    def state(self, now_s: float) -> MatchState:
        """Return the state of the match at a time."""
        since_s = now_s - self.kick_off_s
        if since_s < 0:
            return MatchState("before", 0, Score(0, 0))
        minute = min(since_s * self._pace.minutes_per_s, MATCH_MINUTES)
        scored = [(when, side) for when, side in self.goals if when <= minute]
        score = Score(sum(side == "home" for _, side in scored), sum(side == "away" for _, side in scored))
        if since_s >= self._pace.playing_s + self._pace.after_s:
            return MatchState("gone", int(MATCH_MINUTES), score)
        if since_s >= self._pace.playing_s:
            return MatchState("ended", int(MATCH_MINUTES), score)
        if since_s < self._pace.turning_s:
            return MatchState("turning", 0, score)
        if scored and minute - scored[-1][0] < self._pace.goal_s * self._pace.minutes_per_s:
            return MatchState("goal", int(minute), score)
        return MatchState("playing", int(minute), score)

    def outlook(self, now_s: float) -> Outlook:
        """Return the distribution of the final score in the market's opinion, which drifts a little around the model."""
        state = self.state(now_s)
        played = min(max((now_s - self.kick_off_s) * self._pace.minutes_per_s, 0.0), MATCH_MINUTES)
        left = 0.0 if state.phase in {"ended", "gone"} else 1.0 - played / MATCH_MINUTES
        first, second = self._phases
        drift = 0.03 * sin(now_s / 7.3 + first) + 0.02 * sin(now_s / 2.9 + second)
        return Outlook(state.score, self._home_goals * left * (1 + drift), self._away_goals * left * (1 - drift))


def _goal_minutes(random: Random, expected: float) -> list[float]:
    minutes: list[float] = []
    minute = random.expovariate(expected / MATCH_MINUTES)
    while minute < MATCH_MINUTES:
        minutes.append(minute)
        minute += random.expovariate(expected / MATCH_MINUTES)
    return minutes


class Schedule:
    """The match that each slot plays at any time. Slots are offset over the life of a match, so that they are not in step.

    Args:
        seed: of the simulation.
        slots: the number of matches at a time.
        pace: how fast they run.
    """

    def __init__(self, seed: int, slots: int, pace: Pace) -> None:
        self._seed = seed
        self._slots = slots
        self._pace = pace
        self._matches: dict[tuple[int, int], Match] = {}

    def matches(self, now_s: float) -> list[Match]:
        """Return the current matches, one per slot."""
        life_s = self._pace.life_s
        current: dict[tuple[int, int], Match] = {}
        for slot in range(self._slots):
            offset_s = life_s * slot / self._slots
            number = int((now_s + offset_s) // life_s)
            key = (slot, number)
            match = self._matches.get(key)
            if match is None:
                match = Match(self._seed, slot, self._slots, number, number * life_s - offset_s, self._pace)
            current[key] = match
        self._matches = current
        return list(current.values())
