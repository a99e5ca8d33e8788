"""Pinnacle: cursors, complete periods, and a snapshot that is not to be trusted alone."""

from __future__ import annotations

from typing import Any

import pytest

from feeds.adapters.pinnacle import PinnacleCodec, PinnacleConfig
from feeds.errors import ProviderRefused
from tests.support.provider_messages import Heard, an_answer

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
    """Asks on, and answers each endpoint with what is put for it."""

    def __init__(self, max_age_s: float = 60.0) -> None:
        self.codec = PinnacleCodec("pin", PinnacleConfig(interval_s=1.0, max_age_s=max_age_s))
        self.codec.connection_made()
        self.heard = Heard()
        self.now = NOW
        self.asked: list[str] = []

    def answer(self, body: Any = b"", status: int = 200) -> Heard:
        self.now += 2_000
        request = self.codec.next_request(self.now)
        assert request is not None
        self.asked.append(request.name + ("?since=" + dict(request.params)["since"] if "since" in dict(request.params) else ""))
        return self.heard.hear(self.codec.receive_response(an_answer(request, body, status, self.now)))

    def next(self, name: str, body: Any = b"", status: int = 200) -> Heard:
        """Answer until an endpoint has had its turn; the other ones have nothing new."""
        while True:
            self.now += 2_000
            request = self.codec.next_request(self.now)
            assert request is not None
            found = request.name == name
            answer = an_answer(request, body if found else b"", status if found else 200, self.now)
            self.heard.hear(self.codec.receive_response(answer))
            if found:
                return self.heard

    def recovered(self) -> Polling:
        self.answer(fixtures(1))
        self.answer(odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD])))
        self.next("odds")
        return self


def test_nothing_is_offered_by_the_snapshot_alone() -> None:
    """It may have been in a cache for a minute."""
    polling = Polling()
    polling.answer(fixtures(1))
    polling.answer(odds(period(moneyline=MONEYLINE)))
    assert [] == polling.heard.statuses
    assert {} == polling.heard.books["pin"].markets
    heard = polling.next("odds", odds(period(moneyline={**MONEYLINE, "home": 2.2}), last=21))
    assert [("pin", "live")] == heard.statuses
    assert {"pin.1/match_odds": {**MONEYLINE, "home": 2.2}} == heard.quotes("pin")


def test_each_endpoint_goes_on_from_its_own_cursor() -> None:
    polling = Polling()
    polling.answer(fixtures(1, last=10))
    polling.answer(odds(last=20))
    for _ in range(4):
        polling.answer()
    assert ["fixtures", "odds"] == polling.asked[:2]
    assert {"fixtures?since=10", "odds?since=20"} == set(polling.asked[2:])


@pytest.mark.parametrize("cursor", [0, 1])
def test_0_and_1_are_no_cursors(cursor: int) -> None:
    polling = Polling()
    polling.answer(fixtures(1, last=cursor))
    polling.answer(odds(last=cursor))
    polling.answer(fixtures(1))
    polling.answer(odds())
    assert "since" not in "".join(polling.asked)


def test_a_market_missing_in_a_returned_period_is_gone_and_other_periods_stay() -> None:
    polling = Polling().recovered()
    polling.next("odds", odds(period(1, moneyline=MONEYLINE)))
    heard = polling.next("odds", odds(period(0, moneyline=MONEYLINE)))
    assert {"pin.1/match_odds", "pin.1/match_odds/h1"} == heard.quotes("pin").keys()


@pytest.mark.parametrize("change", [{"status": 2}, {"cutoff": "2026-11-24T14:00:00Z"}])
def test_a_period_is_suspended_by_its_status_and_by_a_cutoff_that_has_passed(change: dict[str, Any]) -> None:
    polling = Polling().recovered()
    heard = polling.next("odds", odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD], **change)))
    assert {} == heard.quotes("pin")
    assert "suspended" == heard.status("pin", "pin.1/match_odds")


def test_a_cutoff_suspends_when_it_comes_without_a_word_of_the_provider() -> None:
    polling = Polling(max_age_s=7_200.0).recovered()
    heard = polling.next("odds", odds(period(moneyline=MONEYLINE, cutoff="2026-11-24T16:00:00Z")))
    cutoff = NOW + 3_600_000
    heard.hear(polling.codec.tick(cutoff - 1))
    assert {"pin.1/match_odds"} == heard.quotes("pin").keys()
    heard.hear(polling.codec.tick(cutoff))
    assert "suspended" == heard.status("pin", "pin.1/match_odds")


def test_an_unavailable_fixture_suspends_its_markets() -> None:
    polling = Polling().recovered()
    heard = polling.next("fixtures", fixtures(1, status="I"))
    assert {} == heard.quotes("pin")


def test_odds_of_a_fixture_nobody_has_named_make_both_be_asked_again() -> None:
    polling = Polling().recovered()
    polling.next("odds", odds(period(moneyline=MONEYLINE), event=2))
    assert {"pin.1"} == {str(event) for event in polling.heard.books["pin"].events}
    polling.next("fixtures", fixtures(2, last=11))
    heard = polling.next("odds", odds(period(moneyline=MONEYLINE), event=2, last=30))
    assert "pin.2/match_odds" in heard.books["pin"].markets


def test_an_unreadable_answer_is_asked_again_from_the_same_cursor() -> None:
    polling = Polling().recovered()
    heard = polling.next("odds", b"[no json")
    assert ["odds of sport 29"] == [problem.where for problem in heard.rejected]
    heard = polling.next("odds", odds(period(moneyline={**MONEYLINE, "home": 2.3}), last=25))
    assert 2.3 == heard.quotes("pin")["pin.1/match_odds"]["home"]


def test_one_bad_period_withdraws_its_event_alone() -> None:
    polling = Polling()
    polling.answer(fixtures(1, 2))
    polling.answer(
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
    heard = polling.next("odds")
    assert {"pin.2/match_odds"} == heard.quotes("pin").keys()
    assert ["period of event 1"] == [problem.where for problem in heard.rejected]


def test_a_sport_that_is_not_confirmed_for_too_long_is_withdrawn() -> None:
    polling = Polling().recovered()
    polling.heard.hear(polling.codec.tick(polling.now + 60_001))
    assert {} == polling.heard.quotes("pin")


def test_a_refused_login_is_the_operators_to_mend() -> None:
    heard = Polling().answer({"code": "INVALID_CREDENTIALS"}, 401)
    assert isinstance(heard.others[-1], ProviderRefused)


@pytest.mark.parametrize("differs", [False, True])
def test_a_sample_is_a_snapshot_with_what_changed_since_held_against_what_we_hold(differs: bool) -> None:
    polling = Polling().recovered()
    polling.codec.request_verification()
    whole = odds(period(moneyline=MONEYLINE, totals=[TOTAL], spreads=[SPREAD]), last=40)
    polling.next("sample", odds(period(moneyline={**MONEYLINE, "home": 9.9}), last=39))
    heard = polling.next("sample", whole if not differs else odds(period(moneyline={**MONEYLINE, "home": 2.5}), last=40))
    assert 1 == len(heard.samples)
    assert differs == bool(heard.samples[0].batches)


def test_a_new_connection_goes_on_from_the_cursors_and_after_a_fresh_start_from_a_snapshot() -> None:
    polling = Polling().recovered()
    polling.codec.connection_made()
    polling.asked.clear()
    polling.answer()
    polling.answer()
    assert ["fixtures?since=10", "odds?since=20"] == polling.asked
    polling.codec.reset()
    polling.codec.connection_made()
    polling.asked.clear()
    polling.answer(fixtures(1))
    polling.answer(odds())
    assert ["fixtures", "odds"] == polling.asked
