"""Markets of one event speak of one score: what can be beaten together is suspended, and nothing else."""

from __future__ import annotations

import pytest

from oddsengine.domain.feed_updates import BookChange, MarketUpdate
from oddsengine.pricing.guards.score_grid import program, settling
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_command, a_definition
from tests.support.pricing.scored_match import Match


def test_home_win_beside_the_away_side_with_half_a_goal() -> None:
    match = Match()
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    assert {"match_odds": "arbitrage", "asian_handicap/ft/-0.5": "arbitrage"} == match.flush()
    assert {("match_odds", "home"), ("asian_handicap/ft/-0.5", "away")} <= match.legs("match_odds")
    assert match.legs("match_odds") == match.legs("asian_handicap/ft/-0.5")
    assert 0.913 == pytest.approx(match.guard("match_odds")["value"], abs=0.001)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1 / (1 - 1 / 2.578))
    assert {"match_odds": None, "asian_handicap/ft/-0.5": None} == match.flush(2)
    assert "legs" not in match.guard("match_odds")


def test_both_to_score_no_beside_over_one_and_a_half() -> None:
    match = Match()
    match.quote("both_to_score", yes=0, no=3.4)
    match.quote("total/ft/1.5", under=0, over=3.95)
    assert {"both_to_score": "arbitrage", "total/ft/1.5": "arbitrage"} == match.flush()
    assert {("both_to_score", "no"), ("total/ft/1.5", "over")} == match.legs("total/ft/1.5")
    assert 0.547 == pytest.approx(match.guard("both_to_score")["value"], abs=0.001)


@pytest.mark.parametrize("market", ["draw_no_bet", "asian_handicap/ft/0"])
def test_draw_no_bet_beside_the_result(market: str) -> None:
    match = Match()
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote(market, home=2.2, away=0)
    assert {"match_odds": "arbitrage", market: "arbitrage"} == match.flush()
    assert (market, "home") in match.legs("match_odds")
    match.quote(market, home=1.5, away=0)
    assert {"match_odds": None, market: None} == match.flush(2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            ("double_chance", {"home_draw": 1.6, "draw_away": 1.3, "home_away": 1.4}),
            ("match_odds", {"home": 2, "draw": 4, "away": 4}),
        ),
        (("correct_score", {"0-0": 12.0, "1-0": 9.0, "any_other": 0}), ("total/ft/0.5", {"under": 8.0, "over": 0})),
        (("correct_score", {"0-0": 12.0, "1-0": 9.0, "any_other": 0}), ("match_odds", {"home": 12.0, "draw": 5.0, "away": 0})),
        (("handicap/ft/-1", {"home": 4.0, "draw": 4.0, "away": 0}), ("asian_handicap/ft/-1.5", {"home": 0, "away": 1.5})),
        (("asian_handicap/ft/-0.75", {"home": 2.0, "away": 0}), ("match_odds", {"home": 3.0, "draw": 3.0, "away": 3.0})),
        (("total/ft/1.5", {"under": 1.2, "over": 0}), ("both_to_score", {"yes": 1.2, "no": 0})),
    ],
)
def test_other_markets_that_contradict_each_other(one: tuple[str, dict[str, float]], other: tuple[str, dict[str, float]]) -> None:
    match = Match()
    for market, odds in (one, other):
        match.quote(market, _status="open", _in_play=False, **odds)
    assert {one[0]: "arbitrage", other[0]: "arbitrage"} == match.flush()


def test_markets_that_agree_stay_open_beside_one_that_does_not() -> None:
    match = Match(profiles={"default": Profile(book_sum=1.05, ladder="decimal_3", devig="multiplicative")})
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("total/ft/2.5", under=2.0, over=2.0)
    match.quote("asian_handicap/ft/-0.5", home=2.0, away=2.0)
    match.quote("both_to_score", yes=1.8, no=0)
    assert {None} == set(match.flush().values())
    match.quote("draw_no_bet", home=2.2, away=0)
    reasons = match.flush(2)
    assert "arbitrage" == reasons["draw_no_bet"]
    assert (None, None) == (reasons["total/ft/2.5"], reasons["both_to_score"])
    match.quote("draw_no_bet", _status="suspended", home=2.2, away=0)
    reasons = match.flush(3)
    assert "provider" == reasons.pop("draw_no_bet")
    assert {None} == set(reasons.values())


def test_the_best_price_of_any_profile_counts() -> None:
    tilted = {
        "one": Profile(book_sum=1.02, ladder="decimal_3", devig="multiplicative", shift={"home": -0.1}),
        "other": Profile(book_sum=1.02, ladder="decimal_3", devig="multiplicative", shift={"under": -0.1}),
    }
    match = Match(profiles=tilted)
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("asian_handicap/ft/-0.5", home=2.0, away=2.0)
    assert {"arbitrage"} == set(match.flush().values())


def test_periods_are_not_compared() -> None:
    match = Match()
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("asian_handicap/h1/-0.5", home=3.5, away=0)
    assert {None} == set(match.flush().values())


@pytest.mark.parametrize("sport", ["basketball", "tennis"])
def test_sports_without_draws_are_not_compared(sport: str) -> None:
    match = Match(sport)
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    assert {None} == set(match.flush().values())


@pytest.mark.parametrize("sport", ["basketball", "american_football", "baseball"])
def test_who_wins_is_compared_with_by_how_much(sport: str) -> None:
    match = Match(sport)
    match.quote("moneyline", home=2.3, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.9)
    match.quote("total/ft/200.5", over=1.9, under=0)
    assert {"moneyline": "arbitrage", "asian_handicap/ft/-0.5": "arbitrage", "total/ft/200.5": None} == match.flush()
    # Where matches may end level, the handicap loses then, and the moneyline is returned.
    match.quote("asian_handicap/ft/-0.5", home=2.3 if sport == "basketball" else 2.4, away=0)
    assert {None} == set(match.flush(2).values())


@pytest.mark.parametrize(("sport", "line"), [("baseball", 4.5), ("american_football", 22.5), ("basketball", 26.5)])
def test_totals_are_compared_with_those_of_the_sides(sport: str, line: float) -> None:
    """Either side stays under its line, or both are over the match's."""
    match = Match(sport)
    total = f"total/ft/{2 * line - 0.5}"
    match.quote(f"home_total/ft/{line}", under=3.3, over=0)
    match.quote(f"away_total/ft/{line}", under=3.3, over=0)
    match.quote(total, over=3.2, under=0)
    assert {"arbitrage"} == set(match.flush().values())
    match.quote(total, over=2.0, under=0)
    assert {None} == set(match.flush(2).values())


def test_nobody_to_score_first_is_a_match_without_goals() -> None:
    match = Match()
    match.quote("first_to_score", home=1.85, away=2.2, none=21.0)
    match.quote("total/ft/0.5", over=1.08, under=0)
    assert {"first_to_score": "arbitrage", "total/ft/0.5": "arbitrage"} == match.flush()
    assert {("first_to_score", "none"), ("total/ft/0.5", "over")} == match.legs("first_to_score")


def test_in_ice_hockey_a_total_may_count_extra_time() -> None:
    match = Match("ice_hockey")
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    match.quote("draw_no_bet", home=3.4, away=0)
    assert {"match_odds": "arbitrage", "asian_handicap/ft/-0.5": None, "draw_no_bet": "arbitrage"} == match.flush()


def test_scores_that_can_no_longer_come_win_no_bets() -> None:
    match = Match()
    match.event(in_play=True, score="0-0")
    match.quote("correct_score", _status="open", _in_play=True, **{"2-0": 5.0, "any_other": 0})
    match.quote("total/ft/2.5", _in_play=True, over=1.3, under=0)
    assert {None} == set(match.flush().values())
    match.event(in_play=True, score="2-0")
    assert {"arbitrage"} == set(match.flush(2).values())
    assert {("correct_score", "2-0"), ("total/ft/2.5", "over")} == match.legs("total/ft/2.5")
    match.quote("correct_score", _status="open", _in_play=True, **{"2-0": 1 / (1 - 1 / 1.3), "any_other": 0})
    assert {None} == set(match.flush(3).values())


def test_a_bet_that_the_score_has_decided_is_not_open() -> None:
    match = Match()
    match.quote("total/ft/0.5", _in_play=True, over=1.05, under=0)
    match.quote("total/ft/2.5", _in_play=True, over=2.1, under=0)
    for number, (score, reason) in enumerate((("0-0", None), ("1-0", "arbitrage"), ("0-0", None), ("0 - 1", "arbitrage"))):
        match.event(in_play=True, score=score)
        assert {"total/ft/0.5": reason, "total/ft/2.5": None} == match.flush(1 + number)


def test_the_score_does_not_decide_what_the_second_half_brings() -> None:
    match = Match()
    match.event(in_play=True, score="1-0")
    match.quote("total/h2/0.5", _in_play=True, over=1.05, under=0)
    assert {None} == set(match.flush().values())


@pytest.mark.parametrize("text", ["", "2", "1-0 (4-3 pens)", "6-4 3-2", "love-15"])
def test_a_score_that_says_more_than_goals_is_not_used(text: str) -> None:
    match = Match()
    match.event(in_play=True, score=text)
    match.quote("total/ft/0.5", _in_play=True, over=1.05, under=0)
    assert {None} == set(match.flush().values())


@pytest.mark.parametrize(
    ("market", "odds"),
    [
        (
            "match_odds_and_both_to_score",
            {"home_yes": 4.0, "home_no": 3.9, "draw_yes": 4.5, "draw_no": 9, "away_yes": 9, "away_no": 0},
        ),
        ("total_and_both_to_score/ft/2.5", {"over_yes": 3.9, "over_no": 9, "under_yes": 9, "under_no": 0}),
        ("home_win_to_nil", {"yes": 8.5, "no": 0}),
        ("home_no_bet", {"draw": 1.2, "away": 0}),
        ("home_to_score", {"yes": 2.5, "no": 0}),
    ],
)
def test_bets_on_two_things_at_once_are_compared(market: str, odds: dict[str, float]) -> None:
    match = Match(profiles={"default": Profile(book_sum=1.02, ladder="decimal_3", devig="multiplicative")})
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("both_to_score", yes=2.0, no=0)
    match.quote("correct_score", _status="open", _in_play=False, **{"1-0": 7.0, "any_other": 0})
    assert {None} == set(match.flush().values())
    match.quote(market, _status="open", _in_play=False, **odds)
    assert "arbitrage" == match.flush(2)[market]


HALVES = [f"{first}_{last}" for first in ("home", "draw", "away") for last in ("home", "draw", "away")]


def test_half_time_full_time_beside_both_results() -> None:
    match = Match(profiles={"default": Profile(book_sum=1.02, ladder="decimal_3", devig="multiplicative")})
    match.quote("match_odds", home=2.5, draw=4.0, away=0)
    match.quote("match_odds/h1", home=3.0, draw=2.2, away=0)
    assert {None} == set(match.flush().values()), "the results of two periods alone contradict nothing"
    half, full = (0.33, 0.45, 0.22), (0.4, 0.25, 0.35)
    chances = dict(zip(HALVES, (one * other for one in half for other in full), strict=True))
    match.quote("half_time_full_time", _status="open", _in_play=False, **{key: 1 / chance for key, chance in chances.items()})
    assert {None} == set(match.flush(2).values())
    match.quote("match_odds/h1", home=1.5, draw=6.0, away=0)
    assert {"match_odds": None, "match_odds/h1": "arbitrage", "half_time_full_time": "arbitrage"} == match.flush(3)
    assert {("half_time_full_time", f"home_{last}") for last in ("home", "draw", "away")} <= match.legs("match_odds/h1")
    match.quote("match_odds/h1", home=3.0, draw=2.2, away=0)
    assert {None} == set(match.flush(4).values())
    match.quote("draw_no_bet", home=3.5, away=0)
    reasons = match.flush(5)
    assert "arbitrage" == reasons["draw_no_bet"]
    assert reasons["match_odds/h1"] is None
    match.quote("draw_no_bet", _status="suspended", home=3.5, away=0)
    assert {"draw_no_bet": "provider"} == {key: reason for key, reason in match.flush(6).items() if reason is not None}


def test_what_does_not_settle_in_a_flush_is_suspended_and_opens_once_it_has_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    match = Match()
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("both_to_score", yes=2.0, no=2.0)
    with monkeypatch.context() as patch:
        patch.setattr(settling, "MAX_ROUNDS", 0)
        assert {"arbitrage"} == set(match.flush().values())
    assert {None} == set(match.flush(2).values())


def test_what_the_solver_can_not_decide_is_suspended_until_something_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    match = Match()
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("both_to_score", yes=2.0, no=2.0)
    with monkeypatch.context() as patch:
        patch.setattr(program, "solve", lambda *_: program.Solution())
        assert {"arbitrage"} == set(match.flush().values())
        assert {"arbitrage"} == set(match.flush(2).values())
    match.quote("both_to_score", yes=2.1, no=0)
    assert {None} == set(match.flush(3).values())


def test_a_forced_price_that_beats_another_market_suspends_neither() -> None:
    match = Match()
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1 / (1 - 1 / 2.578))
    assert {None} == set(match.flush().values())
    match.pipeline.obey(a_command("price", market="e1/asian_handicap/ft/-0.5", values={"away": 1.904}, force=True))
    assert {None} == set(match.flush(20).values())


def test_a_suspended_leg_frees_the_other() -> None:
    match = Match()
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    assert {"arbitrage"} == set(match.flush().values())
    match.quote("match_odds", _status="suspended", home=2.578, draw=3.4, away=0)
    assert {"match_odds": "provider", "asian_handicap/ft/-0.5": None} == match.flush(2)
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    assert {"arbitrage"} == set(match.flush(3).values())


@pytest.mark.parametrize(
    ("kind", "unit"), [("total", "corners"), ("asian_handicap", "corners"), ("total", "cards"), ("total", "booking_points")]
)
def test_corners_and_cards_are_not_read_as_goals(kind: str, unit: str) -> None:
    match = Match()
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("total/ft/1.5", over=1.2, under=0)
    sides = ("home", "away") if kind == "asian_handicap" else ("over", "under")
    definition = a_definition(f"e1/{kind}_{unit}/ft/-0.5", sides, type=kind, period="ft", line=-0.5, unit=unit)
    books = [BookChange(f"s-{sides[0]}", quote=8.0), BookChange(f"s-{sides[1]}", quote=8 / 7)]
    match.pipeline.receive(a_batch(MarketUpdate("c.1", True, definition, books)), 0)
    assert {None} == set(match.flush().values())


def test_a_part_of_the_match_without_a_name_is_not_compared() -> None:
    match = Match()
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    definition = a_definition("e1/draw_no_bet/1.234", ("home", "away"), type="draw_no_bet")
    match.pipeline.receive(a_batch(MarketUpdate("1.234", True, definition, [BookChange("s-home", quote=3.4)])), 0)
    match.quote("draw_no_bet/ft", home=3.4, away=0)
    assert {"match_odds": "arbitrage", "draw_no_bet/ft": "arbitrage"}.items() <= match.flush().items()
    match.quote("draw_no_bet/ft", _status="suspended", home=3.4, away=0)
    assert match.flush(2)["match_odds"] is None


def test_the_guard_can_be_off() -> None:
    match = Match(solves_per_s=0.0)
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    assert {None} == set(match.flush().values())


def test_without_budget_what_is_in_doubt_is_suspended_until_there_is_some() -> None:
    match = Match(solves_per_s=1.0)
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("asian_handicap/ft/-0.5", home=2.0, away=2.0)
    assert {None} == set(match.flush().values())
    match.quote("match_odds", home=1.8, draw=4.5, away=0)
    match.quote("asian_handicap/ft/-0.5", home=1.8, away=0)
    assert {"arbitrage"} & set(match.flush(2).values())
    for seconds in range(1, 7):
        reasons = match.flush(seconds * 1000)
    assert {None} == set(reasons.values())


def test_a_market_of_one_type_costs_no_program() -> None:
    match = Match()
    match.quote("total/ft/1.5", over=1.3, under=0)
    match.quote("total/ft/2.5", over=2.0, under=0)
    match.flush()
    assert match.pipeline.pricer.scores is not None
    assert 0 == match.pipeline.pricer.scores.solves


def test_prices_move_under_the_certificate_without_a_program() -> None:
    match = Match(profiles={"default": Profile(book_sum=1.05, ladder="decimal_3", devig="multiplicative")})
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("total/ft/2.5", under=2.0, over=2.0)
    match.flush()
    for step in range(1, 20):
        match.quote("total/ft/2.5", under=2.0 + step / 1000, over=0)
        assert {None} == set(match.flush(1 + step).values())
    scores = match.pipeline.pricer.scores
    assert scores is not None
    assert 1 == scores.solves


def test_a_new_definition_that_says_the_same_of_the_score_costs_no_program() -> None:
    match = Match(profiles={"default": Profile(book_sum=1.05, ladder="decimal_3", devig="multiplicative")})
    match.quote("match_odds", home=2.0, draw=4.0, away=4.0)
    match.quote("total/ft/2.5", under=2.0, over=2.0)
    match.flush()
    scores = match.pipeline.pricer.scores
    assert scores is not None
    for in_play in (True, False, True):
        match.quote("match_odds", _in_play=in_play, home=2.0, draw=4.0, away=4.0)
        assert {None} == set(match.flush(2).values())
    assert 1 == scores.solves
    match.quote("match_odds", _status="suspended", home=2.0, draw=4.0, away=4.0)
    match.flush(3)
    match.quote("match_odds", home=2.0, draw=1.2, away=0)
    match.flush(4)
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    reasons = match.flush(5)
    assert ("arbitrage", "arbitrage") == (reasons["match_odds"], reasons["asian_handicap/ft/-0.5"])


def test_an_event_that_leaves_takes_its_state_along() -> None:
    match = Match()
    match.quote("match_odds", home=2.578, draw=3.4, away=0)
    match.quote("asian_handicap/ft/-0.5", home=0, away=1.904)
    match.flush()
    for market in list(match.pipeline.offers[0].markets):
        match.pipeline.pricer.forget(market)
    scores = match.pipeline.pricer.scores
    assert scores is not None
    assert (set(), [], False) == (scores.refused, scores.due(), scores.has_moved)
