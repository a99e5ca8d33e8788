"""Pinnacle: several fixtures are one event, and what their periods and units mean."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.adapters.pinnacle import PinnacleCodec, PinnacleConfig
from tests.support.providers.messages import Received, a_response, calls_answered_by_error_pages

NOW = 1_795_532_400_000  # 2026-11-24T15:00:00Z
START = "2026-11-24T18:00:00Z"
THREE_HOURS_MS = 3 * 3_600_000
MONEYLINE = {"home": 2.1, "draw": 3.4, "away": 3.6}


def a_fixture(key: int, **fields: Any) -> dict[str, Any]:
    return {"id": key, "starts": START, "home": "A", "away": "B", "status": "O", "liveStatus": 0, **fields}


def quoted(key: int, *periods: dict[str, Any]) -> dict[str, Any]:
    return {"id": key, "periods": [{"number": 0, "status": 1, **period} for period in periods]}


class Feed:
    """A feed of one sport that has recovered from these fixtures and odds."""

    def __init__(self, *fixtures: dict[str, Any], odds: list[dict[str, Any]], sport: int = 29) -> None:
        self.codec = PinnacleCodec("pin", PinnacleConfig(sports=(sport,), interval_s=1.0, max_age_s=1e6))
        self.codec.connection_made()
        self.received = Received()
        self.now = NOW
        self.last = 10
        self.say("fixtures", list(fixtures))
        self.say("odds", odds)
        self.say("odds", None)

    def say(self, what: str, events: list[dict[str, Any]] | None) -> Received:
        """Answer until an endpoint has its turn; None: no changes."""
        while True:
            self.now += 2_000
            request = self.codec.next_request(self.now)
            assert request is not None
            body: Any = b""
            if request.name == what and events is not None:
                self.last += 1
                leagues = "league" if what == "fixtures" else "leagues"
                body = {"last": self.last, leagues: [{"id": 5, "name": "League", "events": events}]}
            self.received.receive(self.codec.receive_response(a_response(request, body, 200, self.now)))
            if request.name == what:
                return self.received

    def tick(self, now_ms: int) -> Received:
        return self.received.receive(self.codec.tick(now_ms))

    def quotes(self) -> dict[str, dict[str, float]]:
        return self.received.quotes("pin")

    def event(self, key: str = "pin.1") -> Any:
        return self.received.books["pin"].events[key]  # type: ignore[index]


PRE_MATCH = a_fixture(1, liveStatus=2)
LIVE = a_fixture(2, liveStatus=1, parentId=1)


def test_the_live_fixture_and_the_one_before_the_match_are_one_event_that_is_not_in_play_before_its_start() -> None:
    feed = Feed(PRE_MATCH, LIVE, odds=[quoted(1, {"moneyline": MONEYLINE})])
    assert {"pin.1"} == set(feed.received.books["pin"].events)
    assert not feed.event().in_play
    assert {"pin.1/match_odds": MONEYLINE} == feed.quotes()
    feed.tick(NOW + THREE_HOURS_MS)
    assert feed.event().in_play


@pytest.mark.parametrize("order", [(PRE_MATCH, LIVE), (LIVE, PRE_MATCH)])
def test_the_live_fixture_speaks_once_the_match_has_started(order: tuple[dict[str, Any], ...]) -> None:
    live = {"moneyline": {**MONEYLINE, "home": 1.5}}
    feed = Feed(*order, odds=[quoted(2, live), quoted(1, {"moneyline": MONEYLINE})])
    assert 2.1 == feed.quotes()["pin.1/match_odds"]["home"]
    feed.tick(NOW + THREE_HOURS_MS)
    assert 1.5 == feed.quotes()["pin.1/match_odds"]["home"]
    feed.say("odds", [quoted(2, {**live, "status": 2})])
    feed.tick(NOW + THREE_HOURS_MS)
    assert {} == feed.quotes(), "what was quoted before the match is no answer to a suspension"


def test_a_live_fixture_without_the_one_before_the_match_is_the_same_event() -> None:
    feed = Feed(LIVE, odds=[quoted(2, {"moneyline": MONEYLINE})])
    assert {"pin.1/match_odds"} == feed.quotes().keys()
    assert not feed.event().in_play


def test_a_match_that_is_listed_again_under_a_greater_id_is_that_one() -> None:
    """With its live fixture, whose parent is still the first one."""
    again = a_fixture(9, liveStatus=2)
    feed = Feed(PRE_MATCH, LIVE, odds=[quoted(1, {"moneyline": MONEYLINE})])
    feed.say("fixtures", [again])
    feed.say("odds", [quoted(9, {"moneyline": {**MONEYLINE, "home": 2.2}})])
    assert {"pin.9/match_odds": {**MONEYLINE, "home": 2.2}} == feed.quotes()
    feed.say("odds", [quoted(2, {"moneyline": {**MONEYLINE, "home": 1.5}})])
    feed.tick(NOW + THREE_HOURS_MS)
    assert 1.5 == feed.quotes()["pin.9/match_odds"]["home"]


@pytest.mark.parametrize("other", [{"starts": "2026-11-24T21:00:00Z"}, {"away": "C"}, {"resultingUnit": "Corners"}])
def test_matches_of_other_names_or_another_time_are_others(other: dict[str, str]) -> None:
    feed = Feed(
        a_fixture(1), a_fixture(9, **other), odds=[quoted(1, {"moneyline": MONEYLINE}), quoted(9, {"moneyline": MONEYLINE})]
    )
    assert {"pin.1", "pin.9"} == {key.partition("/")[0] for key in feed.quotes()}


@pytest.mark.parametrize(
    "names", [("A (PEN)", "B (PEN)"), ("A (-1.5 Sets)", "B (+1.5 Sets)"), ("A To Win Set 1", "B To Win Set 1")]
)
def test_other_bets_on_a_match_are_events_of_their_own(names: tuple[str, str]) -> None:
    other = a_fixture(3, parentId=1, home=names[0], away=names[1], resultingUnit="Regular")
    feed = Feed(
        PRE_MATCH, other, odds=[quoted(1, {"moneyline": MONEYLINE}), quoted(3, {"moneyline": {"home": 1.9, "away": 1.9}})]
    )
    assert {"pin.1", "pin.3"} == set(feed.received.books["pin"].events)
    assert MONEYLINE == feed.quotes()["pin.1/match_odds"]


def test_corners_are_markets_of_the_match() -> None:
    corners = a_fixture(3, parentId=1, home="A (Corners)", away="B (Corners)", resultingUnit="Corners")
    feed = Feed(
        a_fixture(1, resultingUnit="Regular"),
        corners,
        odds=[
            quoted(1, {"totals": [{"points": 9.5, "over": 50.0, "under": 1.01}]}),
            quoted(
                3, {"totals": [{"points": 9.5, "over": 1.9, "under": 1.95}], "spreads": [{"hdp": -1.5, "home": 1.9, "away": 1.9}]}
            ),
        ],
    )
    assert {
        "pin.1/total/ft/9.5": {"over": 50.0, "under": 1.01},
        "pin.1/total_corners/ft/9.5": {"over": 1.9, "under": 1.95},
        "pin.1/asian_handicap_corners/ft/-1.5": {"home": 1.9, "away": 1.9},
    } == feed.quotes()
    assert ("A", "B") == feed.event().participants


def test_sets_and_games_of_a_tennis_match_are_different_lines_and_its_winner_is_one() -> None:
    lines = {"spreads": [{"hdp": -1.5, "home": 2.85, "away": 1.46}]}
    feed = Feed(
        a_fixture(1, resultingUnit="Sets"),
        a_fixture(2, parentId=1, home="A (Games)", away="B (Games)", resultingUnit="Games"),
        odds=[quoted(1, {**lines, "moneyline": {"home": 1.5, "away": 2.6}}), quoted(2, lines)],
        sport=33,
    )
    assert {"pin.1/asian_handicap_sets/ft/-1.5", "pin.1/asian_handicap_games/ft/-1.5", "pin.1/moneyline"} == feed.quotes().keys()


@pytest.mark.parametrize(
    ("sport", "number", "period"),
    [
        (29, 1, "h1"),
        (29, 3, "et"),
        (33, 1, "set1"),
        (19, 1, "p1"),
        (19, 6, "reg"),
        (12, 2, "map2"),
        (4, 1, "h1"),
        (4, 3, "q1"),
        (15, 6, "q4"),
        (3, 1, "f5"),
        (34, 5, "set5"),
    ],
)
def test_a_period_number_means_what_the_sport_has(sport: int, number: int, period: str) -> None:
    feed = Feed(
        a_fixture(1), odds=[quoted(1, {"number": number, "totals": [{"points": 1.5, "over": 1.9, "under": 1.9}]})], sport=sport
    )
    (market,) = feed.received.books["pin"].markets.values()
    assert market.definition is not None
    assert period == market.definition.period


@pytest.mark.parametrize("number", [7, 39, 99])
def test_a_period_that_no_table_names_is_not_translated(number: int) -> None:
    feed = Feed(a_fixture(1), odds=[quoted(1, {"number": number, "moneyline": {"home": 1.5, "away": 2.6}})])
    assert {} == feed.quotes()


def test_who_qualifies_and_the_winner_of_a_shoot_out_are_other_markets_than_the_result() -> None:
    sides = {"home": 1.5, "away": 2.6}
    feed = Feed(
        a_fixture(1),
        odds=[quoted(1, {"moneyline": MONEYLINE}, {"number": 6, "moneyline": sides}, {"number": 8, "moneyline": sides})],
    )
    assert {"pin.1/match_odds": MONEYLINE, "pin.1/moneyline/pen": sides, "pin.1/to_qualify": sides} == feed.quotes()


@pytest.mark.parametrize("is_list", [True, False])
def test_totals_of_a_side_are_markets_of_their_own(is_list: bool) -> None:
    """`/v2/odds` lists several lines of each side, `/v1/odds` had one."""
    home, away = {"points": 1.5, "over": 1.9, "under": 1.95}, {"points": 0.5, "over": 1.5, "under": 2.5}
    of_sides: dict[str, Any] = {"home": [home, {**home, "points": 2.5, "altLineId": 7}] if is_list else home, "away": away}
    feed = Feed(a_fixture(1), odds=[quoted(1, {"teamTotal": of_sides, "totals": [{**home, "points": "NaN"}]})])
    lines = {"1.5", "2.5"} if is_list else {"1.5"}
    assert {f"pin.1/home_total/ft/{line}" for line in lines} | {"pin.1/away_total/ft/0.5"} == feed.quotes().keys()


def test_a_line_of_a_side_that_is_none_is_refused_by_itself() -> None:
    good = {"points": 1.5, "over": 1.9, "under": 1.95}
    feed = Feed(a_fixture(1), odds=[quoted(1, {"teamTotal": {"home": [{**good, "points": "inf"}, good], "away": None}})])
    assert {"pin.1/home_total/ft/1.5"} == feed.quotes().keys()
    assert ["line of event 1"] == [problem.where for problem in feed.received.rejected]


def test_the_score_of_a_live_match_is_kept_while_it_is_not_repeated() -> None:
    live = quoted(2, {"moneyline": MONEYLINE})
    feed = Feed(PRE_MATCH, LIVE, odds=[{**live, "homeScore": 2.0, "awayScore": 0.0}])
    feed.tick(NOW + THREE_HOURS_MS)
    assert ("2-0", True) == (feed.event().score, feed.event().in_play)
    feed.say("odds", [quoted(2, {"moneyline": {**MONEYLINE, "home": 1.1}})])
    assert "2-0" == feed.event().score
    feed.say("odds", [{**live, "homeScore": 2, "awayScore": 1}])
    assert "2-1" == feed.event().score
    feed.say("odds", [{**live, "homeScore": "?", "awayScore": [1]}])
    assert "2-1" == feed.event().score


def test_what_was_quoted_before_the_match_is_withdrawn_at_its_start_although_the_live_fixture_quotes_nothing_yet() -> None:
    feed = Feed(PRE_MATCH, LIVE, odds=[quoted(1, {"moneyline": MONEYLINE})])
    feed.tick(NOW + THREE_HOURS_MS)
    assert {} == feed.quotes()
    feed.say("odds", [quoted(2, {"moneyline": {**MONEYLINE, "home": 1.5}})])
    feed.tick(NOW + THREE_HOURS_MS)
    assert 1.5 == feed.quotes()["pin.1/match_odds"]["home"]


@pytest.mark.parametrize(("cutoff", "is_open"), [(None, False), ("2026-11-24T18:00:00Z", False), ("2026-11-24T18:05:00Z", True)])
def test_a_match_that_is_not_offered_live_closes_at_its_cutoff_or_its_start(cutoff: str | None, is_open: bool) -> None:
    feed = Feed(a_fixture(1), odds=[quoted(1, {"moneyline": MONEYLINE, "cutoff": cutoff})])
    assert {"pin.1/match_odds"} == feed.quotes().keys()
    feed.tick(NOW + THREE_HOURS_MS)
    assert is_open == bool(feed.quotes())


def test_a_live_fixture_does_not_open_the_match_early() -> None:
    feed = Feed(PRE_MATCH, LIVE, odds=[quoted(2, {"moneyline": MONEYLINE})])
    assert {} == feed.quotes()


@pytest.mark.parametrize("live_status", [0, 1, 2])
def test_a_fixture_without_a_parent_is_not_in_play_before_its_start(live_status: int) -> None:
    feed = Feed(a_fixture(1, liveStatus=live_status), odds=[quoted(1, {"moneyline": MONEYLINE})])
    assert not feed.event().in_play
    assert {"pin.1/match_odds": MONEYLINE} == feed.quotes()
    feed.tick(NOW + THREE_HOURS_MS)
    assert (live_status != 0) == feed.event().in_play


def test_unavailable_fixtures_suspend_and_lower_limits_do_not() -> None:
    feed = Feed(a_fixture(1), odds=[quoted(1, {"moneyline": MONEYLINE})])
    feed.say("fixtures", [a_fixture(1, status="I")])
    assert {"pin.1/match_odds"} == feed.quotes().keys()
    feed.say("fixtures", [a_fixture(1, status="H")])
    assert {} == feed.quotes()
    feed.say("odds", [quoted(1, {"moneyline": MONEYLINE, "status": None})])
    assert {} == feed.quotes(), "nothing but the fixture says whether it is open"
    feed.say("odds", [quoted(1, {"moneyline": MONEYLINE})])
    assert {"pin.1/match_odds"} == feed.quotes().keys(), "the period says that it is open, later"
    feed.say("odds", [quoted(1, {"moneyline": MONEYLINE, "status": 2})])
    feed.say("fixtures", [a_fixture(1, status="O")])
    assert {} == feed.quotes(), "the period decides"


@pytest.mark.parametrize("line", ["NaN", "Infinity", "-inf", 1e300, ""])
def test_lines_that_are_none_are_refused_by_themselves(line: object) -> None:
    good = {"points": 2.5, "over": 1.9, "under": 2.0}
    feed = Feed(
        a_fixture(1), odds=[quoted(1, {"totals": [{**good, "points": line}, good], "spreads": [{"hdp": line, "home": 2.0}]})]
    )
    assert {"pin.1/total/ft/2.5"} == feed.quotes().keys()
    assert ["line of event 1"] * 2 == [problem.where for problem in feed.received.rejected]


@pytest.mark.parametrize("written", ["soon", "", None, 5, "1970-01-01T00:00:00Z"])
def test_an_unreadable_start_is_unknown_and_said(written: object) -> None:
    feed = Feed(a_fixture(1, starts=written), odds=[quoted(1, {"moneyline": MONEYLINE})])
    assert feed.event().start_ms is None
    assert {"pin.1/match_odds"} == feed.quotes().keys()
    assert ["start of fixture 1"] == [problem.where for problem in feed.received.rejected]


def test_calls_keep_their_interval_also_when_their_answers_are_error_pages() -> None:
    codec = PinnacleCodec("pin", PinnacleConfig(interval_s=120.0))
    assert 5 == calls_answered_by_error_pages(codec, NOW, 600)
