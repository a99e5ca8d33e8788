"""Odds-API.io: whole market lists over a WebSocket, and the snapshot that they continue."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feeds.adapters.oddsapiio import OddsApiIoCodec, OddsApiIoConfig
from feeds.errors import ProviderRefused
from tests.support.provider_messages import Heard, an_answer

SPORT = {"name": "Football", "slug": "football"}
EVENT = {"id": 7, "home": "A", "away": "B", "date": "2026-11-24T18:00:00Z", "sport": SPORT, "status": "pending"}
MARKET = "oai.7/match_odds"


def ml(home: str = "2.10", at: str | None = None) -> dict[str, Any]:
    market: dict[str, Any] = {"name": "ML", "odds": [{"home": home, "draw": "3.40", "away": "3.60"}]}
    return market if at is None else {**market, "updatedAt": at}


TOTALS = {
    "name": "Totals",
    "odds": [{"hdp": 2.5, "over": "1.90", "under": "2.00"}, {"hdp": "3.5", "over": "3.0", "under": "1.4"}],
}


def message(kind: str, *markets: dict[str, Any], at_s: float = 1_795_532_400, event: str = "7", bookie: str = "Bet365") -> bytes:
    return orjson.dumps({"type": kind, "id": event, "bookie": bookie, "timestamp": at_s, "markets": list(markets)}) + b"\n"


class Streaming:
    def __init__(self) -> None:
        self.codec = OddsApiIoCodec("oai", OddsApiIoConfig(bookmakers=("Bet365", "Unibet")))
        self.codec.connection_made()
        self.heard = Heard()

    def answer(self, body: Any, status: int = 200) -> Heard:
        request = self.codec.next_request(0)
        return self.heard.hear(self.codec.receive_response(an_answer(request, body, status)))

    def say(self, data: bytes) -> Heard:
        return self.heard.hear(self.codec.receive_data(data))

    def recovered(self, *markets: dict[str, Any]) -> Streaming:
        self.answer([EVENT])
        self.answer([{"id": 7, "bookmakers": {"Bet365": list(markets or (ml(at="2026-11-24T14:00:00Z"),))}}])
        return self


def test_live_is_who_has_prefetch_and_stream() -> None:
    streaming = Streaming()
    assert [] == streaming.answer([EVENT]).statuses
    heard = streaming.answer([{"id": 7, "bookmakers": {"Bet365": [ml()], "Unibet": [TOTALS]}}])
    assert [("oai.bet365", "live"), ("oai.unibet", "live")] == heard.statuses
    assert {MARKET: {"home": 2.1, "draw": 3.4, "away": 3.6}} == heard.quotes("oai.bet365")
    assert {"oai.7/total/ft/2.5", "oai.7/total/ft/3.5"} == heard.quotes("oai.unibet").keys()


def test_one_frame_may_hold_several_objects() -> None:
    streaming = Streaming().recovered()
    both = message("updated", ml("2.20"), TOTALS) + message("created", ml("2.30"), bookie="Unibet")
    heard = streaming.say(both[:50])
    heard = streaming.say(both[50:])
    assert 2.2 == heard.quotes("oai.bet365")[MARKET]["home"]
    assert 2.3 == heard.quotes("oai.unibet")[MARKET]["home"]


def test_a_market_that_is_not_in_the_list_is_gone() -> None:
    streaming = Streaming().recovered()
    streaming.say(message("updated", ml(), TOTALS))
    assert {MARKET} == streaming.say(message("updated", ml())).quotes("oai.bet365").keys()


@pytest.mark.parametrize("kind", ["deleted", "no_markets"])
@pytest.mark.parametrize("bookie", ["Bet365", ""])
def test_what_is_deleted_is_withdrawn(kind: str, bookie: str) -> None:
    assert {} == Streaming().recovered().say(message(kind, bookie=bookie)).quotes("oai.bet365")


def test_what_was_said_before_the_prefetch_came_is_applied_where_it_is_newer() -> None:
    for at_s, home in ((1_795_532_400, 2.5), (1_795_521_599, 2.1)):  # 15:00:00 and 11:59:59
        streaming = Streaming()
        streaming.say(message("updated", ml("2.50"), at_s=at_s))
        streaming.answer([EVENT])
        heard = streaming.answer([{"id": 7, "bookmakers": {"Bet365": [ml(at="2026-11-24T12:00:00Z")]}}])
        assert home == heard.quotes("oai.bet365")[MARKET]["home"]


def test_a_word_that_comes_late_is_dropped() -> None:
    streaming = Streaming().recovered()
    streaming.say(message("updated", ml("2.20"), at_s=1_795_532_400.5))
    heard = streaming.say(message("updated", ml("9.90"), at_s=1_795_532_400.1))
    assert 2.2 == heard.quotes("oai.bet365")[MARKET]["home"]


def test_an_unreadable_message_ends_the_connection_since_nothing_is_said_twice() -> None:
    heard = Streaming().recovered().say(b'{"type":"updated","id": no json\n')
    assert isinstance(heard.others[-1], ProviderRefused)
    assert not heard.others[-1].fatal


def test_a_bad_market_costs_itself_alone() -> None:
    heard = Streaming().recovered().say(message("updated", ml("2.20"), {"name": 5}))
    assert 2.2 == heard.quotes("oai.bet365")[MARKET]["home"]
    assert ["market of Bet365 on event 7"] == [problem.where for problem in heard.rejected]


def test_an_event_nobody_has_named_makes_the_list_be_asked_for() -> None:
    streaming = Streaming().recovered()
    streaming.say(message("created", ml(), event="8"))
    assert "events" == getattr(streaming.codec.next_request(0), "name", None)


def test_an_event_that_is_over_is_withdrawn() -> None:
    streaming = Streaming().recovered()
    streaming.codec._fetcher.relist()
    assert {} == streaming.answer([{**EVENT, "status": "settled"}]).quotes("oai.bet365")


def test_a_sample_says_whether_something_was_missed() -> None:
    for home in ("2.10", "2.90"):
        streaming = Streaming().recovered()
        streaming.codec.request_verification()
        heard = streaming.answer([{"id": 7, "bookmakers": {"Bet365": [ml(home, at="2026-11-24T14:30:00Z")]}}])
        assert (home != "2.10") == any(batch.updates for batch in heard.samples[-1].batches)
