"""Laws of the guard across markets, held against an oracle that settles every bet by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.events import Score
from oddsengine.pricing.guards.score_grid import ScoreGuard
from oddsengine.pricing.guards.score_grid.conditions import conditions_of
from oddsengine.pricing.guards.score_grid.program import TOLERANCE, grid, moved, never_loses, shares
from tests.oracles.score_bets import KINDS, SCORES, Kind, best_free_roll, best_profit, definition, fair_odds, paid
from tests.support.builders import a_definition, an_event
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.guards.score_grid.conditions import Condition

EVENT = an_event()


def _distribution(weights: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """Make weights sum to 1, after a little for every other score: none is impossible."""
    whole = {score: 0.01 * 0.6 ** sum(score) for score in SCORES} | weights
    total = sum(whole.values())
    return {score: weight / total for score, weight in whole.items()}


DISTRIBUTIONS = st.dictionaries(
    st.tuples(st.integers(0, 5), st.integers(0, 5)), st.floats(0.01, 1.0), min_size=1, max_size=12
).map(_distribution)
OFFERS = st.lists(st.sampled_from(KINDS), min_size=2, max_size=8, unique=True)


class Board:
    """A market with given prices."""

    def __init__(self, kind: Kind, odds: dict[str, float | None]) -> None:
        self.kind = kind
        self.definition = definition(kind)
        self.is_open = False
        self.odds = odds

    def prices(self, key: str) -> tuple[int | None, ...]:
        odds = self.odds.get(key)
        return (None if odds is None else int(odds * 1000 + 1e-6),)


class Offer:
    """The markets of one event, as a pipeline prices and checks them."""

    def __init__(self, solves_per_s: float = 1000.0) -> None:
        self.guard = ScoreGuard(solves_per_s)
        self.event = EVENT
        self.boards: dict[MarketId, Board] = {}

    def price(self, kind: Kind, odds: dict[str, float | None]) -> None:
        board = self.boards.setdefault(definition(kind).id, Board(kind, {}))
        changed = [key for key in kind.keys if board.odds.get(key) != odds.get(key)]
        board.odds = odds
        if changed or not board.is_open:
            self.guard.review(board, self.event, changed)
        board.is_open = board.definition.id not in self.guard.refused

    def score(self, home: int, away: int) -> None:
        self.event = an_event(in_play=True, score=f"{home}-{away}")
        for market in self.guard.update_event(self.event):
            board = self.boards[market]
            self.guard.review(board, self.event, [])
            board.is_open = market not in self.guard.refused

    def check(self, now_ms: int = 0) -> None:
        for market in self.guard.check(now_ms):
            board = self.boards[market]
            if not board.is_open:
                self.guard.review(board, self.event, [])
            board.is_open = market not in self.guard.refused

    def open_bets(self) -> dict[tuple[Kind, str], float]:
        return self._bets([board for board in self.boards.values() if board.is_open])

    def all_bets(self) -> dict[tuple[Kind, str], float]:
        return self._bets(self.boards.values())

    def _bets(self, boards: object) -> dict[tuple[Kind, str], float]:
        return {
            (board.kind, key): price / 1000
            for board in boards  # type: ignore[attr-defined]
            for key in board.kind.keys
            if (price := board.prices(key)[0]) is not None
        }


def priced(kind: Kind, chances: dict[tuple[int, int], float], margin: float) -> dict[str, float | None]:
    odds = {key: fair_odds(kind, key, chances) for key in kind.keys}
    return {key: None if fair is None or fair * (1 - margin) < 1.001 else fair * (1 - margin) for key, fair in odds.items()}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_condition_pays_as_the_bet_is_settled(kind: Kind) -> None:
    conditions = conditions_of(definition(kind), "football")
    assert list(kind.keys) == list(conditions)
    scores = grid(tuple(conditions.values()))
    for row, key in enumerate(kind.keys):
        on_grid = {
            (int(home), int(away)): 3.0 * won + returned
            for home, away, won, returned in zip(scores.homes, scores.aways, scores.won[row], scores.returned[row], strict=True)
        }
        assert {score: paid(kind, key, 3.0, score) for score in on_grid} == on_grid


MIN_SCORES = st.builds(Score, st.integers(0, 4), st.integers(0, 4))


@given(OFFERS, MIN_SCORES)
def test_every_score_pays_on_all_conditions_as_some_score_of_the_grid_does(kinds: list[Kind], least: Score) -> None:
    conditions = tuple({condition: None for kind in kinds for condition in conditions_of(definition(kind), "football").values()})
    scores = grid(conditions, least)
    bets = [(kind, key) for kind in kinds for key in kind.keys]
    inside = {
        tuple(paid(*bet, 3.0, score) for bet in bets) for score in zip(scores.homes.tolist(), scores.aways.tolist(), strict=True)
    }
    assert (min(scores.homes), min(scores.aways)) == least
    possible = [score for score in SCORES if score[0] >= least[0] and score[1] >= least[1]]
    assert {tuple(paid(*bet, 3.0, score) for bet in bets) for score in possible} <= inside


@examples(25)
@given(DISTRIBUTIONS, OFFERS, st.floats(0.0, 0.2))
def test_prices_of_one_distribution_with_a_margin_are_open(
    chances: dict[tuple[int, int], float], kinds: list[Kind], margin: float
) -> None:
    offer = Offer()
    for kind in kinds:
        offer.price(kind, priced(kind, chances, margin))
        offer.check()
        assert not offer.guard.refused


@examples(25)
@given(DISTRIBUTIONS, OFFERS, st.floats(0.0, 0.2), MIN_SCORES)
def test_prices_of_a_distribution_beyond_the_current_score_are_open(
    chances: dict[tuple[int, int], float], kinds: list[Kind], margin: float, least: tuple[int, int]
) -> None:
    possible = {score: chance for score, chance in chances.items() if score[0] >= least[0] and score[1] >= least[1]}
    offer = Offer()
    offer.score(*least)
    for kind in kinds:
        offer.price(kind, priced(kind, {score: chance / sum(possible.values()) for score, chance in possible.items()}, margin))
        offer.check()
        assert not offer.guard.refused


def test_bets_that_lose_by_less_than_the_solver_can_tell_are_open() -> None:
    """All lose by 0.6 millionths: the program that looks for a free roll gives up there."""
    chances = {score: chance for score, chance in _distribution({(0, 4): 1.0, (0, 5): 0.5}).items() if score[1] >= 3}
    whole = sum(chances.values())
    offer = Offer()
    offer.score(0, 3)
    by_name = {kind.name: kind for kind in KINDS}
    for name in ("odd_even", "away_no_bet", "asian_handicap/ft/-0.25", "match_odds"):
        offer.price(by_name[name], priced(by_name[name], {score: each / whole for score, each in chances.items()}, 0.0))
        offer.check()
    assert not offer.guard.refused


SOME_KINDS = (*KINDS[:12], *KINDS[-9:])
MOVES = st.lists(
    st.tuples(st.sampled_from(SOME_KINDS), DISTRIBUTIONS, st.sampled_from([0.0, 0.02, 0.05, 0.3]), st.booleans()),
    min_size=2,
    max_size=12,
)


@examples(25)
@given(MOVES, st.sampled_from([1.0, 1000.0]), st.lists(st.one_of(st.none(), MIN_SCORES), min_size=12, max_size=12))
def test_what_is_open_can_never_be_beaten_and_what_can_is_suspended(
    moves: list[tuple[Kind, dict[tuple[int, int], float], float, bool]], solves_per_s: float, goals: list[Score | None]
) -> None:
    offer = Offer(solves_per_s)
    least = Score(0, 0)
    for now_ms, (kind, chances, margin, is_last) in enumerate(moves):
        if (score := goals[now_ms]) is not None:
            least = score
            offer.score(*least)
        offer.price(kind, priced(kind, chances, margin))
        if not is_last:
            continue  # several in one flush
        offer.check(now_ms * 50)
        bets = offer.open_bets()
        if len({each.type for each, _ in bets}) > (1 if least == (0, 0) else 0):
            assert best_profit(bets, least) <= 3 * TOLERANCE
            assert best_free_roll(bets, least) <= len(SCORES) * 3 * TOLERANCE
        if solves_per_s == 1000.0 and offer.guard.refused:
            assert max(best_profit(offer.all_bets(), least), best_free_roll(offer.all_bets(), least)) > 0
            for market in offer.guard.refused:
                arbitrage = offer.guard.arbitrage_of(market)
                assert arbitrage is not None
                assert market in {leg.market for leg in arbitrage.legs}


@examples(15)
@given(MOVES)
def test_a_withdrawn_market_frees_the_others(moves: list[tuple[Kind, dict[tuple[int, int], float], float, bool]]) -> None:
    offer = Offer()
    for kind, chances, margin, _ in moves:
        offer.price(kind, priced(kind, chances, margin))
    offer.check()
    first, *others = offer.boards
    for market in others:
        offer.guard.withdraw(market)
        del offer.boards[market]
        offer.check()
    assert not offer.guard.refused
    assert offer.boards[first].is_open


PLANTED = [
    (("match_odds", None, "home", 2.578), ("asian_handicap", -0.5, "away", 1.904)),
    (("both_to_score", None, "no", 3.4), ("total", 1.5, "over", 3.95)),
    (("double_chance", None, "home_draw", 1.5), ("match_odds", None, "away", 3.2)),
    (("draw_no_bet", None, "home", 2.1), ("asian_handicap", 0.0, "away", 2.0)),
    (("handicap", -1.0, "home", 4.0), ("asian_handicap", -1.5, "away", 1.4)),
    (("odd_even", None, "odd", 2.05), ("odd_even", None, "even", 2.05), ("total", 2.5, "over", 1.9)),
]


@pytest.mark.parametrize("bets", PLANTED)
@pytest.mark.parametrize("reverse", [False, True])
def test_a_planted_arbitrage_is_found(bets: tuple[tuple[str, float | None, str, float], ...], reverse: bool) -> None:
    offer = Offer()
    odds: dict[Kind, dict[str, float | None]] = {}
    for type_, line, key, price in bets:
        kind = next(each for each in KINDS if (each.type, each.line) == (type_, line))
        odds.setdefault(kind, {})[key] = price
    for kind in sorted(odds, reverse=reverse):
        offer.price(kind, odds[kind])
    offer.check()
    legs = {definition(kind).id for kind in odds if kind.type != "total" or len(bets) == 2}
    assert legs <= offer.guard.refused
    arbitrage = offer.guard.arbitrage_of(next(iter(legs)))
    assert arbitrage is not None
    assert arbitrage.profit == pytest.approx(best_profit(offer.all_bets()), abs=1e-6)


def test_the_certificate_survives_small_moves() -> None:
    offer = Offer()
    chances = {(home, away): 0.5 ** (home + away + 2) for home in range(12) for away in range(12)}
    for kind in KINDS[:9]:
        offer.price(kind, priced(kind, chances, 0.04))
    offer.check()
    assert 1 == offer.guard.solves
    for margin in (0.035, 0.03, 0.05, 0.04):
        for kind in KINDS[:9]:
            offer.price(kind, priced(kind, chances, margin))
            offer.check()
    assert 1 == offer.guard.solves


def test_a_certificate_is_repaired_without_a_program() -> None:
    offer = Offer()
    for step in range(20):
        fade = 0.5 + step / 100
        weights = {(home, away): fade**home * 0.5**away for home in range(10) for away in range(10)}
        chances = {score: weight / sum(weights.values()) for score, weight in weights.items()}
        for kind in KINDS[:9]:
            offer.price(kind, priced(kind, chances, 0.04))
        offer.check()
        assert not offer.guard.refused
    assert offer.guard.solves < 4


def test_a_goal_and_a_further_market_take_no_program() -> None:
    """The last certificate, with the goal added, is close to the next one."""
    offer = Offer()
    chances = {(home, away): 0.5 ** (home + away + 2) for home in range(12) for away in range(12)}
    for kind in KINDS[:9]:
        offer.price(kind, priced(kind, chances, 0.04))
    offer.check()
    offer.score(1, 0)
    for kind in KINDS[:10]:
        offer.price(kind, priced(kind, {(home + 1, away): chance for (home, away), chance in chances.items()}, 0.04))
    offer.check()
    assert not offer.guard.refused
    assert 1 == offer.guard.solves


@given(DISTRIBUTIONS, OFFERS, OFFERS, st.builds(Score, st.integers(-1, 2), st.integers(-1, 2)))
def test_a_distribution_moved_to_other_markets_pays_as_each_of_its_scores(
    chances: dict[tuple[int, int], float], kinds: list[Kind], others: list[Kind], goals: Score
) -> None:
    def conditions(of: list[Kind]) -> tuple[Condition, ...]:
        return tuple(
            dict.fromkeys(condition for kind in of for condition in conditions_of(definition(kind), "football").values())
        )

    start, now = Score(1, 1), Score(1 + goals.home, 1 + goals.away)
    before, after = grid(conditions(kinds), start), grid(conditions(others), now)
    probabilities = np.array([chances.get((home, away), 0.01) for home, away in zip(before.homes, before.aways, strict=True)])
    found = moved(before, probabilities, after, conditions(others), goals)
    assert found is not None
    for row, condition in enumerate(conditions(others)):
        won, returned = shares(condition, before.homes + goals.home, before.aways + goals.away)
        assert (won @ probabilities, returned @ probabilities) == pytest.approx(
            (after.won[row] @ found, after.returned[row] @ found)
        )


def test_while_an_arbitrage_wins_others_are_decided_without_a_program() -> None:
    offer = Offer()
    chances = {(home, away): 0.5 ** (home + away + 2) for home in range(12) for away in range(12)}
    for kind in KINDS[:9]:
        offer.price(kind, priced(kind, chances, 0.04))
    offer.check()
    wrong = KINDS[0]
    offer.price(wrong, dict.fromkeys(wrong.keys, 4.0))
    offer.check()
    refused, solves = set(offer.guard.refused), offer.guard.solves
    assert definition(wrong).id in refused
    for kind in KINDS[1:9]:
        offer.price(kind, priced(kind, chances, 0.03))
        offer.check()
    assert (refused, solves) == (offer.guard.refused, offer.guard.solves)


def test_without_budget_only_what_the_certificate_does_not_allow_is_suspended() -> None:
    offer = Offer(solves_per_s=1.0)
    chances = {(home, away): 0.5 ** (home + away + 2) for home in range(12) for away in range(12)}
    kinds = [KINDS[0], KINDS[3], KINDS[8]]
    for kind in kinds:
        offer.price(kind, priced(kind, chances, 0.04))
    offer.check(1)
    assert not offer.guard.refused
    offer.price(kinds[1], {"yes": 1.5, "no": 2.3})
    offer.check(2)
    assert {definition(kinds[1]).id} == offer.guard.refused
    assert offer.guard.arbitrage_of(definition(kinds[1]).id) is None
    assert [definition(kinds[1]).id] == offer.guard.due()
    offer.check(6000)
    assert [] == offer.guard.due()
    assert {definition(kind).id for kind in kinds[1:]} == offer.guard.refused


def test_stakes_that_lose_at_some_score_are_no_arbitrage() -> None:
    conditions = list(conditions_of(definition(KINDS[0]), "football").values())
    thirds = [1 / 3] * 3
    assert [True, False, False] == [never_loses(conditions, [odds] * 3, thirds) for odds in (3.01, 3.0, 2.99)]
    assert not never_loses(conditions, [9.0, 9.0, 2.9], thirds)


def test_half_a_point_changes_nothing_where_no_match_ends_level() -> None:
    """In basketball, a head start of half a point is a bet on the winner; a quarter may end level."""
    winner = a_definition("e1/moneyline", type="moneyline", period="ft")
    for line in (-0.5, 0.0, 0.5):
        handicap = a_definition(f"e1/asian_handicap/ft/{line:g}", type="asian_handicap", line=line, period="ft")
        assert conditions_of(winner, "basketball") == conditions_of(handicap, "basketball")
        assert (line == 0.0) == (conditions_of(winner, "baseball") == conditions_of(handicap, "baseball"))
    quarter = a_definition("e1/asian_handicap/q1/-0.5", type="asian_handicap", line=-0.5, period="q1")
    assert -0.5 == conditions_of(quarter, "basketball")["home"].line
