"""The simulated provider's matches and markets."""

from __future__ import annotations

from itertools import pairwise

import pytest

from feeds.emulators.simulator import SimulatorConfig, simulated_exchange
from feeds.emulators.simulator.clubs import COMPETITIONS, clubs_of
from feeds.emulators.simulator.fixtures import Pace, Schedule
from tests.support.providers.simulated import QUICK, START_MS


def test_the_same_seed_gives_the_same_changes_tick_for_tick() -> None:
    def changes(seed: int) -> list[object]:
        exchange = simulated_exchange(SimulatorConfig(seed=seed, matches=4, pace=QUICK), START_MS)
        return [exchange.tick() for _ in range(50)]

    assert changes(3) == changes(3)
    assert changes(3) != changes(4)


def test_a_match_runs_from_before_kick_off_to_the_end() -> None:
    phases: list[str] = []
    schedule = Schedule(1, 1, QUICK)
    for tick in range(round(QUICK.life_s * 10)):
        (match,) = schedule.matches(tick / 10)
        phase = match.state(tick / 10).phase
        if not phases or phases[-1] != phase:
            phases.append(phase)
    assert ["before", "turning"] == phases[:2]
    assert "ended" == phases[-1]


def test_a_goal_suspends_every_open_market_of_its_match() -> None:
    exchange = simulated_exchange(SimulatorConfig(seed=2, matches=3, pace=QUICK), START_MS)
    seen = 0
    for _ in range(150):
        exchange.tick()
        now_s = exchange.ticks * 0.2
        for market in exchange.markets:
            if market.match.state(now_s).phase == "goal" and not market.closed:
                seen += 1
                assert "SUSPENDED" == market.definition["status"]
    assert seen


def test_settled_markets_have_their_winners() -> None:
    exchange = simulated_exchange(SimulatorConfig(seed=2, matches=3, pace=QUICK), START_MS)
    settled = 0
    for _ in range(200):
        exchange.tick()
        for market in exchange.markets:
            if market.closed and market.type == "MATCH_ODDS":
                settled += 1
                score = market.match.state(exchange.ticks * 0.2).score
                statuses = [runner["status"] for runner in market.definition["runners"]]
                place = 0 if score.home > score.away else 1 if score.home < score.away else 2
                assert ["WINNER" if number == place else "LOSER" for number in range(3)] == statuses
    assert settled


def test_an_asian_handicap_counts_all_goals_of_the_match() -> None:
    exchange = simulated_exchange(SimulatorConfig(seed=2, matches=3, pace=QUICK), START_MS)
    leads: set[int] = set()
    for _ in range(200):
        exchange.tick()
        for market in exchange.markets:
            if market.closed and market.type == "ASIAN_HANDICAP":
                score = market.match.state(exchange.ticks * 0.2).score
                leads.add(score.home - score.away)
                home = [runner for runner in market.definition["runners"] if runner["id"] == int(market.match.event_id) * 2]
                won = {runner["hc"] for runner in home if runner["status"] == "WINNER"}
                assert {line for line in (-0.75, -0.25, 0.5) if score.home + line > score.away} == won
    assert leads - {0}


_DAY_S = 86_400.0


@pytest.mark.parametrize(("slots", "rest_s"), [(1, _DAY_S), (12, _DAY_S), (150, 3600.0)])
def test_no_club_plays_again_within_a_day_of_the_demo(slots: int, rest_s: float) -> None:
    """With so many more matches that the clubs are too few for that, no club plays within an hour of its last match."""
    pace = Pace()
    schedule = Schedule(7, slots, pace)
    last: dict[str, tuple[str, float]] = {}
    for step in range(int(1.1 * rest_s / pace.life_s * 2)):
        for match in schedule.matches(step * pace.life_s / 2):
            for club in (match.home, match.away):
                event, kick_off_s = last.get(club, (match.event_id, 0.0))
                assert event == match.event_id or match.kick_off_s - kick_off_s >= rest_s, club
                last[club] = (match.event_id, match.kick_off_s)


def test_no_club_is_in_two_of_the_most_matches_that_there_can_be() -> None:
    schedule = Schedule(1, 2000, Pace())
    for step in range(3):
        matches = schedule.matches(step * 100.0)
        assert 4000 == len({club for match in matches for club in (match.home, match.away)})


def test_clubs_are_all_different_and_those_of_one_place_do_not_meet() -> None:
    everybody = [club for competition in COMPETITIONS for club in clubs_of(competition, 3)]
    assert len(everybody) == len(set(everybody))
    for competition in COMPETITIONS:
        clubs = clubs_of(competition, 3)
        assert clubs != clubs_of(competition, 4)
        places = len(competition.beginnings) * len(competition.endings)
        first = [club.split()[0] for club in clubs[:places]] if competition.id == "northern_league" else clubs[:places]
        assert places == len(set(first))
        assert all(home != away for home, away in pairwise(clubs))
