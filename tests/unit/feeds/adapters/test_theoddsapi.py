"""The Odds API: whole answers, told as what differs, within a budget."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.adapters.theoddsapi import TheOddsApiCodec, TheOddsApiConfig
from feeds.adapters.theoddsapi.budget import CreditBudget
from feeds.errors import ProviderRefused
from feeds.feed import Quota
from tests.support.provider_messages import Heard, an_answer

NOW = 1_795_532_400_000  # 2026-11-24T15:00:00Z
CONFIG = TheOddsApiConfig(sports=("soccer_epl",), bookmakers=("pinnacle", "bet365"), markets=("h2h", "spreads", "totals"))
H2H = {"key": "h2h", "outcomes": [{"name": "A", "price": 2.1}, {"name": "B", "price": 3.6}, {"name": "Draw", "price": 3.4}]}
TOTALS = {
    "key": "totals",
    "outcomes": [{"name": "Over", "price": 1.9, "point": 2.5}, {"name": "Under", "price": 2.0, "point": 2.5}],
}
SPREADS = {"key": "spreads", "outcomes": [{"name": "A", "price": 1.95, "point": -0.5}, {"name": "B", "price": 1.9, "point": 0.5}]}


def an_event(key: str = "e1", *bookmakers: dict[str, Any], start: str = "2026-11-24T18:00:00Z") -> dict[str, Any]:
    return {
        "id": key,
        "sport_key": "soccer_epl",
        "sport_title": "EPL",
        "commence_time": start,
        "home_team": "A",
        "away_team": "B",
        "bookmakers": list(bookmakers),
    }


def at(key: str, *markets: dict[str, Any]) -> dict[str, Any]:
    return {"key": key, "markets": list(markets)}


class Polling:
    def __init__(self, config: TheOddsApiConfig = CONFIG) -> None:
        self.codec = TheOddsApiCodec("toa", config)
        self.codec.connection_made()
        self.heard = Heard()
        self.now = NOW

    def answer(self, body: Any, status: int = 200, **headers: str) -> Heard:
        self.now += 3_600_000
        request = self.codec.next_request(self.now)
        return self.heard.hear(self.codec.receive_response(an_answer(request, body, status, self.now, **headers)))


def test_every_bookmaker_is_a_source_of_its_own() -> None:
    polling = Polling()
    heard = polling.answer([an_event("e1", at("pinnacle", H2H, TOTALS, SPREADS), at("bet365", H2H))])
    assert {
        "toa.e1/match_odds": {"home": 2.1, "draw": 3.4, "away": 3.6},
        "toa.e1/total/ft/2.5": {"over": 1.9, "under": 2.0},
        "toa.e1/asian_handicap/ft/-0.5": {"home": 1.95, "away": 1.9},
    } == heard.quotes("toa.pinnacle")
    assert {"toa.e1/match_odds"} == heard.quotes("toa.bet365").keys()
    assert [("toa.pinnacle", "live"), ("toa.bet365", "live")] == heard.statuses


def test_what_is_in_no_answer_any_more_is_withdrawn() -> None:
    polling = Polling()
    polling.answer([an_event("e1", at("pinnacle", H2H, TOTALS)), an_event("e2", at("pinnacle", H2H))])
    heard = polling.answer([an_event("e1", at("pinnacle", H2H))])
    assert {"toa.e1/match_odds"} == heard.quotes("toa.pinnacle").keys()
    heard = polling.answer([an_event("e1")])
    assert {} == heard.quotes("toa.pinnacle")


def test_only_prices_are_compared() -> None:
    polling = Polling()
    polling.answer([an_event("e1", at("pinnacle", H2H))])
    request = polling.codec.next_request(polling.now + 3_600_000)
    again = an_event("e1", {**at("pinnacle", {**H2H, "last_update": "2026-11-24T15:00:00Z"}), "last_update": "x"})
    events = polling.codec.receive_response(an_answer(request, [again], at_ms=NOW))
    assert [] == [event for event in events if hasattr(event, "updates")]


def test_one_bad_part_costs_itself_alone() -> None:
    bad_market = {"key": "totals", "outcomes": [{"name": "Over", "price": "much"}]}
    polling = Polling()
    heard = polling.answer(
        [
            an_event("e1", at("pinnacle", H2H, bad_market), {"key": 5}),
            {"id": "e2"},
            an_event("e3", at("pinnacle", TOTALS), start="soon"),
            an_event("e4", at("pinnacle", H2H)),
        ]
    )
    assert {"toa.e1/match_odds", "toa.e4/match_odds"} == heard.quotes("toa.pinnacle").keys()
    wrong = ["bookmaker of event e1", "event in soccer_epl", "event in soccer_epl", "market of pinnacle on event e1"]
    assert wrong == sorted(problem.where for problem in heard.rejected)


@pytest.mark.parametrize("body", [b"no json", b"\xff", {"message": "down"}])
def test_an_answer_that_is_none_changes_nothing_and_is_asked_again(body: Any) -> None:
    polling = Polling()
    polling.answer([an_event("e1", at("pinnacle", H2H))])
    heard = polling.answer(body)
    assert 1 == len(heard.rejected)
    assert {"toa.e1/match_odds"} == heard.quotes("toa.pinnacle").keys()
    assert polling.codec.next_request(polling.now + 1_000) is not None


def test_live_is_who_has_heard_of_every_sport() -> None:
    polling = Polling(TheOddsApiConfig(sports=("soccer_one", "soccer_two"), bookmakers=("pinnacle",)))
    assert [] == polling.answer([]).statuses
    assert [("toa.pinnacle", "live")] == polling.answer([]).statuses


def test_a_sport_that_is_not_answered_for_too_long_is_withdrawn_alone() -> None:
    polling = Polling(TheOddsApiConfig(sports=("soccer_one", "soccer_two"), bookmakers=("pinnacle",), max_age_s=60.0))
    polling.answer([an_event("e1", at("pinnacle", H2H))])
    later = polling.now
    polling.answer([an_event("e2", at("pinnacle", H2H))])
    polling.heard.hear(polling.codec.tick(later + 60_000))
    assert {"toa.e1/match_odds", "toa.e2/match_odds"} == polling.heard.quotes("toa.pinnacle").keys()
    polling.heard.hear(polling.codec.tick(later + 60_001))
    assert {"toa.e2/match_odds"} == polling.heard.quotes("toa.pinnacle").keys()


def test_a_market_the_provider_has_not_looked_at_for_too_long_is_suspended_by_its_own_clock() -> None:
    polling = Polling()
    old = {**H2H, "last_update": "2026-11-24T14:00:00Z"}
    fresh = {**TOTALS, "last_update": "2026-11-24T14:59:00Z"}
    heard = polling.answer([an_event("e1", at("pinnacle", old, fresh))], date="Tue, 24 Nov 2026 15:00:00 GMT")
    assert {"toa.e1/total/ft/2.5"} == heard.quotes("toa.pinnacle").keys()
    assert "suspended" == heard.status("toa.pinnacle", "toa.e1/match_odds")


def test_what_is_left_is_told_and_at_its_end_nothing_is_asked_until_it_may_have_been_bought() -> None:
    polling = Polling()
    heard = polling.answer([], x_requests_remaining="900", x_requests_used="100")
    assert [Quota(100.0, 900.0)] == heard.others
    polling.answer({"error_code": "OUT_OF_USAGE_CREDITS"}, 401)
    assert polling.codec.next_request(polling.now + 1_000) is None
    assert polling.codec.next_request(polling.now + 600_000) is not None


def test_a_refused_key_is_the_operators_to_mend() -> None:
    heard = Polling().answer({"message": "API key is not valid"}, 401)
    assert isinstance(heard.others[-1], ProviderRefused)
    assert heard.others[-1].fatal


@given(st.integers(1, 100_000), st.integers(0, 27 * 86_400), st.integers(1, 5))
def test_calls_at_the_even_pace_last_to_the_end_of_the_month(left: int, second: int, sports: int) -> None:
    config = TheOddsApiConfig(
        sports=tuple(f"s{number}" for number in range(sports)),
        monthly_credits=100_000,
        reserve_credits=0,
        min_interval_s=0.001,
        max_interval_s=1e9,
    )
    budget = CreditBudget(config)
    now = 1_793_491_200_000 + second * 1000  # in November 2026
    budget.update(float(left), 0.0, now)
    left_s = (budget.resets_ms(now) - now) / 1000
    even_s = budget.interval_s("near", now) * 2.0
    spent = left_s / even_s * sports * config.call_credits
    assert spent <= left * 1.001
    assert budget.interval_s("in_play", now) < budget.interval_s("near", now) < budget.interval_s("idle", now)


def test_a_new_month_brings_new_credits() -> None:
    budget = CreditBudget(TheOddsApiConfig(monthly_credits=500))
    budget.update(0.0, 500.0, NOW)
    assert not budget.can_pay(NOW)
    assert budget.can_pay(budget.resets_ms(NOW))
