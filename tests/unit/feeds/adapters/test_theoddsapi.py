"""The Odds API: complete answers, published as changes, within a budget."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from feeds.adapters.theoddsapi import TheOddsApiCodec, TheOddsApiConfig
from feeds.errors import ProviderRefused
from feeds.feed import Quota
from tests.support.providers.messages import Received, a_response, calls_answered_by_error_pages

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
        self.received = Received()
        self.now = NOW

    def respond(self, body: Any, status: int = 200, **headers: str) -> Received:
        self.now += 3_600_000
        request = self.codec.next_request(self.now)
        return self.received.receive(self.codec.receive_response(a_response(request, body, status, self.now, **headers)))


def test_every_bookmaker_is_a_source_of_its_own() -> None:
    polling = Polling()
    received = polling.respond([an_event("e1", at("pinnacle", H2H, TOTALS, SPREADS), at("bet365", H2H))])
    assert {
        "toa.e1/match_odds": {"home": 2.1, "draw": 3.4, "away": 3.6},
        "toa.e1/total/ft/2.5": {"over": 1.9, "under": 2.0},
        "toa.e1/asian_handicap/ft/-0.5": {"home": 1.95, "away": 1.9},
    } == received.quotes("toa.pinnacle")
    assert {"toa.e1/match_odds"} == received.quotes("toa.bet365").keys()
    assert [("toa.pinnacle", "live"), ("toa.bet365", "live")] == received.statuses


def test_what_is_missing_from_an_answer_is_withdrawn() -> None:
    polling = Polling()
    polling.respond([an_event("e1", at("pinnacle", H2H, TOTALS)), an_event("e2", at("pinnacle", H2H))])
    received = polling.respond([an_event("e1", at("pinnacle", H2H))])
    assert {"toa.e1/match_odds"} == received.quotes("toa.pinnacle").keys()
    received = polling.respond([an_event("e1")])
    assert {} == received.quotes("toa.pinnacle")


def test_only_prices_are_compared() -> None:
    polling = Polling()
    polling.respond([an_event("e1", at("pinnacle", H2H))])
    request = polling.codec.next_request(polling.now + 3_600_000)
    again = an_event("e1", {**at("pinnacle", {**H2H, "last_update": "2026-11-24T15:00:00Z"}), "last_update": "x"})
    events = polling.codec.receive_response(a_response(request, [again], at_ms=NOW))
    assert [] == [event for event in events if hasattr(event, "updates")]


def test_only_invalid_parts_are_rejected() -> None:
    bad_market = {"key": "totals", "outcomes": [{"name": "Over", "price": "much"}]}
    polling = Polling()
    received = polling.respond(
        [
            an_event("e1", at("pinnacle", H2H, bad_market), {"key": 5}),
            {"id": "e2"},
            an_event("e3", at("pinnacle", TOTALS), start="soon"),
            an_event("e4", at("pinnacle", H2H)),
        ]
    )
    assert {"toa.e1/match_odds", "toa.e3/total/ft/2.5", "toa.e4/match_odds"} == received.quotes("toa.pinnacle").keys()
    wrong = ["bookmaker of event e1", "event in soccer_epl", "market of pinnacle on event e1", "start of event e3"]
    assert wrong == sorted(problem.where for problem in received.rejected)


@pytest.mark.parametrize("body", [b"no json", b"\xff", {"message": "down"}])
def test_an_unreadable_answer_changes_nothing_and_is_requested_again(body: Any) -> None:
    polling = Polling()
    polling.respond([an_event("e1", at("pinnacle", H2H))])
    received = polling.respond(body)
    assert 1 == len(received.rejected)
    assert {"toa.e1/match_odds"} == received.quotes("toa.pinnacle").keys()
    assert polling.codec.next_request(polling.now + 1_000) is not None


def test_it_is_live_once_every_sport_was_answered() -> None:
    polling = Polling(TheOddsApiConfig(sports=("soccer_one", "soccer_two"), bookmakers=("pinnacle",)))
    assert [] == polling.respond([]).statuses
    assert [("toa.pinnacle", "live")] == polling.respond([]).statuses


def test_only_an_expired_sport_is_withdrawn() -> None:
    polling = Polling(TheOddsApiConfig(sports=("soccer_one", "soccer_two"), bookmakers=("pinnacle",), max_age_s=60.0))
    polling.respond([an_event("e1", at("pinnacle", H2H))])
    later = polling.now
    polling.respond([an_event("e2", at("pinnacle", H2H))])
    polling.received.receive(polling.codec.tick(later + 60_000))
    assert {"toa.e1/match_odds", "toa.e2/match_odds"} == polling.received.quotes("toa.pinnacle").keys()
    polling.received.receive(polling.codec.tick(later + 60_001))
    assert {"toa.e2/match_odds"} == polling.received.quotes("toa.pinnacle").keys()


@pytest.mark.parametrize(("body", "status"), [({"message": "down"}, 500), (b"<html>", 200)])
def test_a_sport_whose_calls_fail_is_withdrawn_after_a_few_intervals(body: Any, status: int) -> None:
    """However old prices may become otherwise."""
    every_20_s = msgspec.structs.replace(CONFIG, min_interval_s=20.0, max_interval_s=20.0, max_age_s=7_200.0)
    polling = Polling(every_20_s)
    answer = [an_event("e1", at("pinnacle", H2H), start="2026-11-25T18:00:00Z")]

    def quoted(at_ms: int) -> set[str]:
        polling.received.receive(polling.codec.tick(at_ms))
        return set(polling.received.quotes("toa.pinnacle"))

    polling.respond(answer)
    assert {"toa.e1/match_odds"} == quoted(polling.now + 3_500_000)
    polling.respond(answer)
    confirmed_ms = polling.now
    polling.respond(body, status)
    assert {"toa.e1/match_odds"} == quoted(confirmed_ms + 60_000)
    assert set() == quoted(confirmed_ms + 60_001)
    polling.respond(answer)
    assert {"toa.e1/match_odds"} == quoted(polling.now + 60_001), "they do not fail any more"


def test_a_market_not_updated_for_too_long_by_the_providers_clock_is_suspended() -> None:
    polling = Polling()
    old = {**H2H, "last_update": "2026-11-24T14:00:00Z"}
    fresh = {**TOTALS, "last_update": "2026-11-24T14:59:00Z"}
    received = polling.respond([an_event("e1", at("pinnacle", old, fresh))], date="Tue, 24 Nov 2026 15:00:00 GMT")
    assert {"toa.e1/total/ft/2.5"} == received.quotes("toa.pinnacle").keys()
    assert "suspended" == received.status("toa.pinnacle", "toa.e1/match_odds")


def test_the_quota_is_reported_and_without_credits_only_rare_calls_are_made() -> None:
    polling = Polling()
    received = polling.respond([], x_requests_remaining="900", x_requests_used="100")
    assert [Quota(100.0, 900.0)] == received.others
    polling.respond({"error_code": "OUT_OF_USAGE_CREDITS"}, 401)
    assert polling.codec.next_request(polling.now + 1_000) is None
    assert polling.codec.next_request(polling.now + 600_000) is not None


def test_a_refused_key_is_fatal() -> None:
    received = Polling().respond({"message": "API key is not valid"}, 401)
    assert isinstance(received.others[-1], ProviderRefused)
    assert received.others[-1].fatal


def test_lines_of_tennis_are_games_and_those_of_football_goals() -> None:
    config = TheOddsApiConfig(sports=("tennis_atp_paris",), bookmakers=("pinnacle",))
    tennis = {**an_event("e1", at("pinnacle", SPREADS, TOTALS)), "sport_key": "tennis_atp_paris"}
    assert {"toa.e1/asian_handicap_games/ft/-0.5", "toa.e1/total_games/ft/2.5"} == Polling(config).respond([tennis]).quotes(
        "toa.pinnacle"
    ).keys()


def test_a_football_result_has_a_draw_whether_it_is_quoted_or_not() -> None:
    without_draw = {**H2H, "outcomes": [outcome for outcome in H2H["outcomes"] if outcome["name"] != "Draw"]}  # type: ignore[index]
    received = Polling().respond([an_event("e1", at("pinnacle", without_draw))])
    assert {"toa.e1/match_odds": {"home": 2.1, "away": 3.6}} == received.quotes("toa.pinnacle")


@pytest.mark.parametrize("line", ["NaN", "Infinity", "x", 1e300])
def test_lines_that_are_none_are_refused_by_themselves(line: object) -> None:
    bad = [{"name": "Over", "price": 1.9, "point": line}]
    received = Polling().respond([an_event("e1", at("pinnacle", {**TOTALS, "outcomes": [*bad, *TOTALS["outcomes"]]}))])
    assert {"toa.e1/total/ft/2.5": {"over": 1.9, "under": 2.0}} == received.quotes("toa.pinnacle")
    assert ["line of pinnacle on event e1"] == [problem.where for problem in received.rejected]


@pytest.mark.parametrize("status", [200, 500])
def test_error_pages_are_asked_again_within_the_quota(status: int) -> None:
    """Without failures an hour is 33 calls; after one the wait doubles up to the same interval, on new connections too."""
    config = TheOddsApiConfig(sports=("soccer_epl",), bookmakers=("pinnacle",))
    codec = TheOddsApiCodec("toa", config)
    assert calls_answered_by_error_pages(codec, NOW, 3_600, status) < 50


def test_error_pages_may_have_cost_credits() -> None:
    polling = Polling()
    before = polling.codec.budget.remaining
    polling.respond(b"<html>oops</html>")
    assert before - polling.codec.budget.remaining == CONFIG.call_credits


START_MS = NOW + 3 * 3_600_000  # 2026-11-24T18:00:00Z


def test_prices_from_before_the_match_are_suspended_at_its_start_until_they_are_updated() -> None:
    polling = Polling(
        TheOddsApiConfig(sports=("soccer_epl",), bookmakers=("pinnacle",), max_age_s=86_400, max_update_age_s=86_400)
    )
    before = {**H2H, "last_update": "2026-11-24T17:59:59Z"}
    polling.now = START_MS - 30_000 - 3_600_000
    assert {"toa.e1/match_odds"} == polling.respond([an_event("e1", at("pinnacle", before))]).quotes("toa.pinnacle").keys()
    polling.received.receive(polling.codec.tick(START_MS - 1))
    assert {"toa.e1/match_odds"} == polling.received.quotes("toa.pinnacle").keys()
    polling.received.receive(polling.codec.tick(START_MS))
    assert {} == polling.received.quotes("toa.pinnacle")
    assert [] == polling.codec.tick(START_MS + 1)
    polling.now = START_MS
    assert polling.codec.next_request(START_MS) is not None, "it is asked for again at once"
    polling.codec.connection_made()
    assert {} == polling.respond([an_event("e1", at("pinnacle", before))]).quotes("toa.pinnacle"), "it still says the same"
    after = {**H2H, "last_update": "2026-11-24T18:00:00Z"}
    polling.now += 600_000
    assert {"toa.e1/match_odds"} == polling.respond([an_event("e1", at("pinnacle", after))]).quotes("toa.pinnacle").keys()


def test_a_result_that_had_a_draw_lacks_it_and_is_no_moneyline() -> None:
    """Also in a sport of which other bookmakers quote no draw."""
    polling = Polling()
    without = {"key": "h2h", "outcomes": H2H["outcomes"][:2]}
    handball = {"sport_key": "handball_germany_bundesliga"}
    received = polling.respond([an_event("e1", at("pinnacle", H2H), at("bet365", without)) | handball])
    assert {"toa.e1/match_odds"} == received.quotes("toa.pinnacle").keys()
    assert {"toa.e1/moneyline"} == received.quotes("toa.bet365").keys()
    received = polling.respond([an_event("e1", at("pinnacle", without), at("bet365", without)) | handball])
    assert {"toa.e1/match_odds": {"home": 2.1, "away": 3.6}} == received.quotes("toa.pinnacle")


def test_odds_of_another_format_are_refused_and_said() -> None:
    """American odds where decimal ones were asked for."""
    polling = Polling()
    prices = zip(("A", "B", "Draw"), (110, 290, 240), strict=True)
    american = {"key": "h2h", "outcomes": [{"name": name, "price": price} for name, price in prices]}
    received = polling.respond([an_event("e1", at("pinnacle", american))])
    assert {} == received.quotes("toa.pinnacle")
    (rejected,) = received.rejected
    assert ("odds of pinnacle on toa.e1/match_odds", "the inverse odds sum to 0.017: these are not decimal odds") == (
        rejected.where,
        rejected.reason,
    )


def test_a_call_that_the_budget_puts_off_is_no_silence_though_the_prices_expire() -> None:
    config = TheOddsApiConfig(sports=("soccer_epl",), bookmakers=("pinnacle",), monthly_credits=2_000, max_interval_s=900.0)
    polling = Polling(config)
    assert config.max_age_s == polling.codec.silence_limit_s
    polling.respond([an_event("e1", at("pinnacle", H2H))])
    due_ms = polling.codec.next_due_ms()
    assert due_ms is not None
    assert config.max_age_s < (due_ms - polling.now) / 1000 < polling.codec.silence_limit_s
    polling.received.receive(polling.codec.tick(polling.now + round(config.max_age_s * 1000) + 1))
    assert {} == polling.received.quotes("toa.pinnacle")


@pytest.mark.parametrize("wrong", [(110, 240, 290), (1.1, 2.4, 2.9), (2.1, -240, 1.005), (0.5, 3.4, 9.0)])
def test_odds_in_another_format_cost_only_their_market(wrong: tuple[Any, ...]) -> None:
    prices = zip(("A", "Draw", "B"), wrong, strict=True)
    h2h = {"key": "h2h", "outcomes": [{"name": name, "price": price} for name, price in prices]}
    received = Polling().respond([an_event("e1", at("pinnacle", h2h, TOTALS))])
    assert received.rejected
    assert all("not decimal odds" in each.reason for each in received.rejected)
    quotes = received.quotes("toa.pinnacle")
    assert len(quotes.pop("toa.e1/match_odds", {})) < len(wrong)
    assert quotes
