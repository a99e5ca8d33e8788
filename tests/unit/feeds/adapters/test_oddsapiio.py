"""Odds-API.io: complete market lists over a WebSocket, and the snapshot that they continue."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feeds.adapters.oddsapiio import OddsApiIoCodec, OddsApiIoConfig
from feeds.adapters.oddsapiio.markets import MARKETS, streamed_markets
from feeds.errors import ProviderRefused
from tests.support.providers.messages import Received, a_response

SPORT = {"name": "Football", "slug": "football"}
EVENT = {"id": 7, "home": "A", "away": "B", "date": "2026-11-24T18:00:00Z", "sport": SPORT, "status": "pending"}
MARKET = "oai.7/match_odds"
#: when the list of events is fetched again
REFRESH_MS = 60_000


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
        self.received = Received()

    def respond(self, body: Any, status: int = 200, at_ms: int = 0) -> Received:
        request = self.codec.next_request(at_ms)
        return self.received.receive(self.codec.receive_response(a_response(request, body, status)))

    def stream(self, data: bytes) -> Received:
        return self.received.receive(self.codec.receive_data(data))

    def recovered(self, *markets: dict[str, Any]) -> Streaming:
        self.respond([EVENT])
        self.respond([{"id": 7, "bookmakers": {"Bet365": list(markets or (ml(at="2026-11-24T14:00:00Z"),))}}])
        return self


def test_it_is_live_once_it_has_snapshot_and_stream() -> None:
    streaming = Streaming()
    assert [] == streaming.respond([EVENT]).statuses
    received = streaming.respond([{"id": 7, "bookmakers": {"Bet365": [ml()], "Unibet": [TOTALS]}}])
    assert [("oai.bet365", "live"), ("oai.unibet", "live")] == received.statuses
    assert {MARKET: {"home": 2.1, "draw": 3.4, "away": 3.6}} == received.quotes("oai.bet365")
    assert {"oai.7/total/ft/2.5", "oai.7/total/ft/3.5"} == received.quotes("oai.unibet").keys()


def test_one_frame_may_hold_several_objects() -> None:
    streaming = Streaming().recovered()
    both = message("updated", ml("2.20"), TOTALS) + message("created", ml("2.30"), bookie="Unibet")
    received = streaming.stream(both[:50])
    received = streaming.stream(both[50:])
    assert 2.2 == received.quotes("oai.bet365")[MARKET]["home"]
    assert 2.3 == received.quotes("oai.unibet")[MARKET]["home"]


def test_a_market_missing_from_the_list_is_gone() -> None:
    streaming = Streaming().recovered()
    streaming.stream(message("updated", ml(), TOTALS))
    assert {MARKET} == streaming.stream(message("updated", ml())).quotes("oai.bet365").keys()


@pytest.mark.parametrize("kind", ["deleted", "no_markets"])
@pytest.mark.parametrize("bookie", ["Bet365", ""])
def test_a_deleted_list_is_withdrawn(kind: str, bookie: str) -> None:
    assert {} == Streaming().recovered().stream(message(kind, bookie=bookie)).quotes("oai.bet365")


def test_lists_streamed_before_the_snapshot_are_applied_where_newer() -> None:
    for at_s, home in ((1_795_532_400, 2.5), (1_795_521_599, 2.1)):  # 15:00:00 and 11:59:59
        streaming = Streaming()
        streaming.stream(message("updated", ml("2.50"), at_s=at_s))
        streaming.respond([EVENT])
        received = streaming.respond([{"id": 7, "bookmakers": {"Bet365": [ml(at="2026-11-24T12:00:00Z")]}}])
        assert home == received.quotes("oai.bet365")[MARKET]["home"]


def test_a_late_list_is_dropped() -> None:
    streaming = Streaming().recovered()
    streaming.stream(message("updated", ml("2.20"), at_s=1_795_532_400.5))
    received = streaming.stream(message("updated", ml("9.90"), at_s=1_795_532_400.1))
    assert 2.2 == received.quotes("oai.bet365")[MARKET]["home"]


def test_an_unreadable_message_ends_the_connection_because_nothing_is_sent_twice() -> None:
    received = Streaming().recovered().stream(b'{"type":"updated","id": no json\n')
    assert isinstance(received.others[-1], ProviderRefused)
    assert not received.others[-1].fatal


def test_only_the_invalid_market_is_rejected() -> None:
    received = Streaming().recovered().stream(message("updated", ml("2.20"), {"name": 5}))
    assert 2.2 == received.quotes("oai.bet365")[MARKET]["home"]
    assert ["market of Bet365 on event 7"] == [problem.where for problem in received.rejected]


def test_an_unlisted_event_triggers_a_request_for_the_list() -> None:
    streaming = Streaming().recovered()
    streaming.stream(message("created", ml(), event="8"))
    assert "events" == getattr(streaming.codec.next_request(0), "name", None)


def test_an_ended_event_is_withdrawn() -> None:
    streaming = Streaming().recovered()
    assert {} == streaming.respond([{**EVENT, "status": "settled"}], at_ms=REFRESH_MS).quotes("oai.bet365")


def test_a_verification_shows_whether_a_change_was_missed() -> None:
    for home in ("2.10", "2.90"):
        streaming = Streaming().recovered()
        streaming.codec.request_verification()
        received = streaming.respond([{"id": 7, "bookmakers": {"Bet365": [ml(home, at="2026-11-24T14:30:00Z")]}}])
        assert (home != "2.10") == any(batch.updates for batch in received.samples[-1].batches)


@pytest.mark.parametrize("line", ["NaN", "Infinity", "-inf", "x", "1_0", None])
def test_lines_that_are_none_are_refused_by_themselves(line: object) -> None:
    bad = {"hdp": line, "over": "1.90", "under": "2.00"}
    received = Streaming().recovered({**TOTALS, "odds": [bad, *TOTALS["odds"]]}).received
    assert {"oai.7/total/ft/2.5", "oai.7/total/ft/3.5"} == received.quotes("oai.bet365").keys()
    assert ["line of Bet365 on event 7"] == [problem.where for problem in received.rejected]


@pytest.mark.parametrize("written", ["soon", "", None, 5, "1970-01-01T00:00:00Z"])
def test_an_unreadable_start_is_unknown_and_said(written: object) -> None:
    streaming = Streaming()
    received = streaming.respond([{**EVENT, "date": written}])
    (event,) = received.books["oai.bet365"].events.values()
    assert event.start_ms is None
    assert ["start of event 7"] == [problem.where for problem in received.rejected]


@pytest.mark.parametrize(
    ("name", "market"),
    [
        ("Totals", "total/ft/2.5"),
        ("Totals HT", "total/h1/2.5"),
        ("Corners Totals", "total_corners/ft/2.5"),
        ("Bookings Totals", "total_bookings/ft/2.5"),
        ("Totals (Games)", "total_games/ft/2.5"),
        ("Totals (Sets)", "total_sets/ft/2.5"),
        ("Corners Totals HT", "total_corners/h1/2.5"),
        ("Totals 1Q", "total/q1/2.5"),
        ("Team Total Home", "home_total/ft/2.5"),
        ("Team Total Away", "away_total/ft/2.5"),
    ],
)
def test_a_market_name_says_period_and_unit(name: str, market: str) -> None:
    received = Streaming().recovered({"name": name, "odds": TOTALS["odds"][:1]}).received
    assert {f"oai.7/{market}"} == received.quotes("oai.bet365").keys()


@pytest.mark.parametrize(
    "name", ["Team Total", "Totals Home", "Bookings Totals HT", "Player Props", "Half Time Totals (Games) HT x"]
)
def test_other_markets_are_not_translated(name: str) -> None:
    assert {} == Streaming().recovered({"name": name, "odds": TOTALS["odds"]}).received.quotes("oai.bet365")


def test_a_draw_that_returns_the_stake_is_not_a_handicap_of_nothing() -> None:
    """Which may be quoted beside it."""
    market = {"name": "Draw No Bet", "odds": [{"home": "1.60", "away": "2.40"}]}
    received = Streaming().recovered(market).received
    assert {"oai.7/draw_no_bet": {"home": 1.6, "away": 2.4}} == received.quotes("oai.bet365")


@pytest.mark.parametrize("sport", ["football", "tennis", "basketball", "esports"])
def test_no_more_markets_are_streamed_than_the_provider_allows_and_all_are_translated(sport: str) -> None:
    streamed = streamed_markets(sport)
    assert len(streamed) == len(set(streamed)) <= 20
    assert set(streamed) <= MARKETS


@pytest.mark.parametrize(("at", "is_open"), [("2026-11-24T17:59:59Z", False), ("2026-11-24T18:00:00Z", True), (None, True)])
def test_prices_from_before_the_match_are_suspended_once_it_is_live(at: str | None, is_open: bool) -> None:
    streaming = Streaming().recovered(ml(at=at))
    assert {MARKET} == streaming.received.quotes("oai.bet365").keys()
    received = streaming.respond([{**EVENT, "status": "live"}], at_ms=REFRESH_MS)
    assert is_open == (MARKET in received.quotes("oai.bet365"))
    assert received.books["oai.bet365"].events["oai.7"].in_play  # type: ignore[index]


@pytest.mark.parametrize("wrong", [(110, 240, 290), (1.1, 2.4, 2.9), (2.1, "+240", "NaN"), (0.5, 3.4, 9.0)])
def test_odds_in_another_format_cost_only_their_market(wrong: tuple[Any, ...]) -> None:
    streaming = Streaming().recovered()
    prices = dict(zip(("home", "draw", "away"), wrong, strict=True))
    received = streaming.stream(message("updated", {"name": "ML", "odds": [prices]}, TOTALS))
    assert received.rejected
    assert all("not decimal odds" in each.reason for each in received.rejected)
    quotes = received.quotes("oai.bet365")
    assert len(quotes.pop("oai.7/match_odds", {})) < len(wrong)
    assert quotes
