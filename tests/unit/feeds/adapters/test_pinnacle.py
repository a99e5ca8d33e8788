"""Pinnacle: cursors, complete periods, and a snapshot that must not be used alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from feeds.adapters.pinnacle import PinnacleCodec, PinnacleConfig
from feeds.errors import ProviderRefused
from tests.support.providers.messages import Received, a_response

if TYPE_CHECKING:
    from feeds.transports.http import Request

NOW = 1_795_532_400_000  # 2026-11-24T15:00:00Z
MONEYLINE = {"home": 2.1, "draw": 3.4, "away": 3.6}
TOTAL = {"points": 2.5, "over": 1.9, "under": 2.0}
SPREAD = {"hdp": -0.5, "home": 1.95, "away": 1.9}


def fixtures(*keys: int, last: int = 10, **fields: Any) -> dict[str, Any]:
    events = [{"id": key, "starts": "2026-11-24T18:00:00Z", "home": "A", "away": "B", **fields} for key in keys]
    return {"sportId": 29, "last": last, "league": [{"id": 5, "name": "League", "events": events}]}


def odds(*periods: dict[str, Any], event: int = 1, last: int = 20) -> dict[str, Any]:
    return {"sportId": 29, "last": last, "leagues": [{"id": 5, "events": [{"id": event, "periods": list(periods)}]}]}


def period(number: int = 0, **markets: Any) -> dict[str, Any]:
    return {"number": number, "lineId": 1, "status": 1, **markets}


class Polling:
    """A codec and its clock, which advances by two seconds per request."""

    def __init__(self, max_age_s: float = 60.0) -> None:
        self.codec = PinnacleCodec("pin", PinnacleConfig(interval_s=1.0, max_age_s=max_age_s))
        self.codec.connection_made()
        self.received = Received()
        self.now = NOW
        self.requested: list[str] = []

    def respond(self, body: Any = b"", status: int = 200) -> Received:
        self.now += 2_000
        request = self.codec.next_request(self.now)
        assert request is not None
        self.requested.append(
            request.name + ("?since=" + dict(request.params)["since"] if "since" in dict(request.params) else "")
        )
        return self.received.receive(self.codec.receive_response(a_response(request, body, status, self.now)))

    def next(self, name: str, body: Any = b"", status: int = 200) -> Received:
        """Answer until an endpoint has had its turn; the others return no changes."""
        while True:
            self.now += 2_000
            request = self.codec.next_request(self.now)
            assert request is not None
            found = request.name == name
            answer = a_response(request, body if found else b"", status if found else 200, self.now)
            self.received.receive(self.codec.receive_response(answer))
            if found:
                return self.received

    def request(self, name: str) -> Request:
        """Answer until an endpoint has its turn. Return its request, which stays in flight."""
        while True:
            self.now += 2_000
            request = self.codec.next_request(self.now)
            assert request is not None
            if request.name == name:
                return request
            self.received.receive(self.codec.receive_response(a_response(request, b"", 200, self.now)))

    def recovered(self) -> Polling:
        self.respond(fixtures(1))
        self.respond(odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD])))
        self.next("odds")
        return self


def test_a_snapshot_alone_is_not_offered() -> None:
    """It may have been cached for a minute."""
    polling = Polling()
    polling.respond(fixtures(1))
    polling.respond(odds(period(moneyline=MONEYLINE)))
    assert [] == polling.received.statuses
    assert {} == polling.received.books["pin"].markets
    received = polling.next("odds", odds(period(moneyline={**MONEYLINE, "home": 2.2}), last=21))
    assert [("pin", "live")] == received.statuses
    assert {"pin.1/match_odds": {**MONEYLINE, "home": 2.2}} == received.quotes("pin")


def test_each_endpoint_continues_from_its_own_cursor() -> None:
    polling = Polling()
    polling.respond(fixtures(1, last=10))
    polling.respond(odds(last=20))
    for _ in range(4):
        polling.respond()
    assert ["fixtures", "odds"] == polling.requested[:2]
    assert {"fixtures?since=10", "odds?since=20"} == set(polling.requested[2:])


@pytest.mark.parametrize("cursor", [0, 1])
def test_0_and_1_are_not_cursors(cursor: int) -> None:
    polling = Polling()
    polling.respond(fixtures(1, last=cursor))
    polling.respond(odds(last=cursor))
    polling.respond(fixtures(1))
    polling.respond(odds())
    assert "since" not in "".join(polling.requested)


def test_a_market_missing_from_a_period_is_gone_and_other_periods_stay() -> None:
    polling = Polling().recovered()
    polling.next("odds", odds(period(1, moneyline=MONEYLINE)))
    received = polling.next("odds", odds(period(0, moneyline=MONEYLINE)))
    assert {"pin.1/match_odds", "pin.1/match_odds/h1"} == received.quotes("pin").keys()


@pytest.mark.parametrize("change", [{"status": 2}, {"cutoff": "2026-11-24T14:00:00Z"}])
def test_a_period_is_suspended_by_its_status_and_by_a_past_cutoff(change: dict[str, Any]) -> None:
    polling = Polling().recovered()
    received = polling.next("odds", odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD], **change)))
    assert {} == received.quotes("pin")
    assert "suspended" == received.status("pin", "pin.1/match_odds")


def test_a_cutoff_suspends_by_the_clock_alone() -> None:
    polling = Polling(max_age_s=7_200.0).recovered()
    received = polling.next("odds", odds(period(moneyline=MONEYLINE, cutoff="2026-11-24T16:00:00Z")))
    cutoff = NOW + 3_600_000
    received.receive(polling.codec.tick(cutoff - 1))
    assert {"pin.1/match_odds"} == received.quotes("pin").keys()
    received.receive(polling.codec.tick(cutoff))
    assert "suspended" == received.status("pin", "pin.1/match_odds")


def test_an_unavailable_fixture_suspends_its_markets() -> None:
    polling = Polling().recovered()
    received = polling.next("fixtures", fixtures(1, status="H"))
    assert {} == received.quotes("pin")


def test_odds_of_an_unknown_fixture_trigger_both_endpoints() -> None:
    polling = Polling().recovered()
    polling.next("odds", odds(period(moneyline=MONEYLINE), event=2))
    assert {"pin.1"} == {str(event) for event in polling.received.books["pin"].events}
    polling.next("fixtures", fixtures(2, last=11))
    received = polling.next("odds", odds(period(moneyline=MONEYLINE), event=2, last=30))
    assert "pin.2/match_odds" in received.books["pin"].markets


def test_an_unreadable_answer_is_requested_again_from_the_same_cursor() -> None:
    polling = Polling().recovered()
    received = polling.next("odds", b"[no json")
    assert ["odds of sport 29"] == [problem.where for problem in received.rejected]
    received = polling.next("odds", odds(period(moneyline={**MONEYLINE, "home": 2.3}), last=25))
    assert 2.3 == received.quotes("pin")["pin.1/match_odds"]["home"]


def test_an_invalid_period_withdraws_only_its_event() -> None:
    polling = Polling()
    polling.respond(fixtures(1, 2))
    polling.respond(
        {
            "last": 20,
            "leagues": [
                {
                    "id": 5,
                    "events": [{"id": 1, "periods": [{"number": "x"}]}, {"id": 2, "periods": [period(moneyline=MONEYLINE)]}],
                }
            ],
        }
    )
    received = polling.next("odds")
    assert {"pin.2/match_odds"} == received.quotes("pin").keys()
    assert ["period of event 1"] == [problem.where for problem in received.rejected]


def test_an_expired_sport_is_withdrawn() -> None:
    polling = Polling().recovered()
    polling.received.receive(polling.codec.tick(polling.now + 60_001))
    assert {} == polling.received.quotes("pin")


@pytest.mark.parametrize("endpoint", ["odds", "fixtures"])
def test_a_sport_of_which_an_endpoint_fails_is_withdrawn_after_a_few_intervals(endpoint: str) -> None:
    """However old prices may become otherwise. Fixtures say which of them are unavailable."""
    polling = Polling(max_age_s=7_200.0).recovered()
    polling.next(endpoint)
    confirmed_ms = polling.now
    polling.next(endpoint, status=500)
    polling.received.receive(polling.codec.tick(confirmed_ms + 4_000))
    assert {} != polling.received.quotes("pin")
    polling.next(endpoint)
    polling.received.receive(polling.codec.tick(polling.now + 60_000))
    assert {} != polling.received.quotes("pin"), "it is had again"
    polling.next(endpoint, status=500)
    polling.received.receive(polling.codec.tick(polling.now + 5_001))
    assert {} == polling.received.quotes("pin")
    polling.recovered()
    assert {} != polling.received.quotes("pin")


def test_a_refused_login_ends_the_feed() -> None:
    received = Polling().respond({"code": "INVALID_CREDENTIALS"}, 401)
    assert isinstance(received.others[-1], ProviderRefused)


@pytest.mark.parametrize("differs", [False, True])
def test_a_verification_compares_a_snapshot_and_its_changes_with_the_known_quotes(differs: bool) -> None:
    polling = Polling().recovered()
    polling.codec.request_verification()
    snapshot = odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD]), last=40)
    polling.next("sample", odds(period(moneyline={**MONEYLINE, "home": 9.9}), last=39))
    received = polling.next("sample", snapshot if not differs else odds(period(moneyline={**MONEYLINE, "home": 2.5}), last=40))
    assert 1 == len(received.samples)
    assert differs == bool(received.samples[0].batches)


def test_a_new_connection_continues_from_the_cursors_unless_reset() -> None:
    polling = Polling().recovered()
    polling.codec.connection_made()
    polling.requested.clear()
    polling.respond()
    polling.respond()
    assert ["fixtures?since=10", "odds?since=20"] == polling.requested
    polling.codec.reset()
    polling.codec.connection_made()
    polling.requested.clear()
    polling.respond(fixtures(1))
    polling.respond(odds())
    assert ["fixtures", "odds"] == polling.requested


def test_changes_in_flight_while_a_sport_expires_do_not_make_the_next_snapshot_current() -> None:
    polling = Polling().recovered()
    request = polling.request("odds")
    polling.now += 60_001
    polling.received.receive(polling.codec.tick(polling.now))
    polling.received.receive(polling.codec.receive_response(a_response(request, odds(last=30), 200, polling.now)))
    polling.next("fixtures", fixtures(1, last=40))
    polling.next("odds", odds(period(moneyline=MONEYLINE), last=50))
    assert {} == polling.received.quotes("pin"), "the snapshot may have been cached"
    assert {"pin.1/match_odds"} == polling.next("odds").quotes("pin").keys()


def test_a_new_verification_discards_the_answers_of_the_last_one() -> None:
    polling = Polling().recovered()
    snapshot = odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD]), last=40)
    polling.codec.request_verification()
    polling.next("sample", snapshot)
    request = polling.request("sample")
    polling.codec.request_verification()
    polling.received.receive(polling.codec.receive_response(a_response(request, b"", 200, polling.now)))
    assert [] == polling.received.samples
    polling.next("sample", snapshot)
    (verification,) = polling.next("sample").samples
    assert [] == verification.batches


@pytest.mark.parametrize("wrong", [(110, 240, 290), (1.1, 2.4, 2.9), (2.1, "+240", "NaN"), (0.5, 3.4, 9.0)])
def test_odds_in_another_format_cost_only_their_market(wrong: tuple[Any, ...]) -> None:
    polling = Polling().recovered()
    prices = dict(zip(("home", "draw", "away"), wrong, strict=True))
    received = polling.next("odds", odds(period(moneyline=prices, totals=[TOTAL]), last=21))
    assert received.rejected
    assert all("not decimal odds" in each.reason for each in received.rejected)
    quotes = received.quotes("pin")
    assert len(quotes.pop("pin.1/match_odds", {})) < len(wrong)
    assert quotes
