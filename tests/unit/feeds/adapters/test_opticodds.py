"""OpticOdds: a stream of changes, and the snapshot that it continues."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feeds.adapters.opticodds import OpticOddsCodec, OpticOddsConfig
from feeds.errors import ProviderRefused
from tests.support.providers.messages import Received, a_response

FIXTURE = {
    "id": "f1",
    "start_date": "2026-11-24T18:00:00Z",
    "home_team_display": "A",
    "away_team_display": "B",
    "sport": {"id": "soccer"},
    "league": {"id": "epl", "name": "EPL"},
}


def an_entry(
    role: str, price: float | None, at: float = 100.0, *, fixture: str = "f1", book: str = "book", **fields: Any
) -> dict[str, Any]:
    names = {"home": "A", "away": "B", "draw": "Draw"}
    return {
        "id": f"{fixture}:{book}:{role}",
        "fixture_id": fixture,
        "sportsbook": book,
        "market": "Moneyline 3-Way",
        "name": names.get(role, role),
        "price": price,
        "timestamp": at,
        **fields,
    }


def result(at: float = 100.0, home: float = 2.1) -> list[dict[str, Any]]:
    return [an_entry("home", home, at), an_entry("draw", 3.4, at), an_entry("away", 3.6, at)]


def event(kind: str, *entries: dict[str, Any], number: int = 1) -> bytes:
    data = orjson.dumps({"data": list(entries), "entry_id": f"1-{number}", "type": kind})
    return f"event: {kind}\nid: 1-{number}\ndata: ".encode() + data + b"\n\n"


class Streaming:
    def __init__(self, *books: str) -> None:
        self.codec = OpticOddsCodec("opt", OpticOddsConfig(sportsbooks=books or ("book",)))
        self.codec.connection_made()
        self.received = Received()

    def respond(self, body: Any, status: int = 200, at_ms: int = 0) -> Received:
        request = self.codec.next_request(at_ms)
        return self.received.receive(self.codec.receive_response(a_response(request, body, status)))

    def listed(self, *fixtures: dict[str, Any]) -> Received:
        return self.respond({"data": list(fixtures) or [FIXTURE], "page": 1, "total_pages": 1})

    def fetched(self, *entries: dict[str, Any]) -> Received:
        return self.respond({"data": [{"id": "f1", "odds": list(entries)}]})

    def stream(self, data: bytes) -> Received:
        return self.received.receive(self.codec.receive_data(data))

    def recovered(self) -> Streaming:
        self.listed()
        self.fetched(*result())
        return self


MARKET = "opt.f1/match_odds"
#: when the list of fixtures is fetched again
REFRESH_MS = 60_000


def test_it_is_live_once_it_has_stream_and_snapshot() -> None:
    streaming = Streaming()
    assert [] == streaming.listed().statuses
    received = streaming.fetched(*result())
    assert [("opt.book", "live")] == received.statuses
    assert {MARKET: {"home": 2.1, "draw": 3.4, "away": 3.6}} == received.quotes("opt.book")


def test_entries_streamed_before_the_snapshot_are_applied_where_newer() -> None:
    streaming = Streaming()
    streaming.stream(event("odds", an_entry("home", 2.5, 101.0), an_entry("away", 9.9, 99.0)))
    streaming.listed()
    streaming.stream(event("locked-odds", an_entry("draw", 3.4, 102.0)))
    assert {MARKET: {"home": 2.5, "away": 3.6}} == streaming.fetched(*result(100.0)).quotes("opt.book")


def test_locked_odds_are_withdrawn_until_they_are_quoted_again() -> None:
    streaming = Streaming().recovered()
    received = streaming.stream(event("locked-odds", an_entry("home", 2.1, 101.0)))
    assert {"draw": 3.4, "away": 3.6} == received.quotes("opt.book")[MARKET]
    received = streaming.stream(event("odds", an_entry("home", 2.2, 102.0)))
    assert 2.2 == received.quotes("opt.book")[MARKET]["home"]


def test_a_late_entry_is_dropped_unless_the_clock_was_set_back() -> None:
    streaming = Streaming().recovered()
    assert 2.1 == streaming.stream(event("odds", an_entry("home", 9.9, 99.0))).quotes("opt.book")[MARKET]["home"]
    assert 2.4 == streaming.stream(event("odds", an_entry("home", 2.4, -80.0))).quotes("opt.book")[MARKET]["home"]


def test_a_new_connection_continues_from_the_last_entry_and_fetches_the_snapshot_too() -> None:
    streaming = Streaming().recovered()
    streaming.stream(event("odds", an_entry("home", 2.2, 101.0), number=7))
    assert "1-7" == streaming.codec.stream_query()["last_entry_id"]
    streaming.codec.connection_made()
    streaming.listed()
    assert 1 == len(streaming.received.statuses)
    assert 2 == len(streaming.fetched(*result(200.0, home=2.3)).statuses)
    assert 2.3 == streaming.received.quotes("opt.book")[MARKET]["home"]
    streaming.codec.reset()
    assert "last_entry_id" not in streaming.codec.stream_query()


@pytest.mark.parametrize(("price", "odds"), [(101, 101.0), (150, 150.0), (-200, None), (2.5, 2.5), (1.0, None), (None, None)])
def test_prices_are_decimal_as_requested(price: float | None, odds: float | None) -> None:
    received = Streaming().recovered().stream(event("odds", an_entry("home", price, 101.0)))
    assert odds == received.quotes("opt.book")[MARKET].get("home")


def test_lines_and_roles() -> None:
    streaming = Streaming()
    streaming.listed()
    received = streaming.fetched(
        an_entry("Over 2.5", 1.9, market="Total Goals", points=2.5),
        an_entry("Under 2.5", 2.0, market="Total Goals", points=2.5),
        an_entry("A -0.5", 1.95, market="Asian Handicap", points=-0.5),
        an_entry("B +0.5", 1.9, market="Asian Handicap", points=0.5),
        an_entry("Yes", 1.8, market="Both Teams To Score"),
        an_entry("No", 2.0, market="Both Teams To Score"),
        an_entry("Smith", 2.0, market="First Goalscorer"),
    )
    assert {
        "opt.f1/total/ft/2.5": {"over": 1.9, "under": 2.0},
        "opt.f1/asian_handicap/ft/-0.5": {"home": 1.95, "away": 1.9},
        "opt.f1/both_to_score": {"yes": 1.8, "no": 2.0},
    } == received.quotes("opt.book")


def test_an_unreadable_entry_triggers_a_snapshot_and_does_not_affect_the_others() -> None:
    streaming = Streaming().recovered()
    received = streaming.stream(event("odds", {"id": 5}, an_entry("home", 2.2, 101.0)))
    assert ["entry"] == [problem.where for problem in received.rejected]
    assert 2.2 == received.quotes("opt.book")[MARKET]["home"]
    request = streaming.codec.next_request(0)
    assert request is not None
    assert "odds" == request.name


def test_an_unreadable_event_ends_the_connection_and_the_next_starts_without_an_entry_id() -> None:
    streaming = Streaming().recovered()
    received = streaming.stream(b"event: odds\nid: 1-9\ndata: {no json\n\n")
    assert isinstance(received.others[-1], ProviderRefused)
    assert not received.others[-1].fatal
    assert "last_entry_id" not in streaming.codec.stream_query()


def test_pings_are_ignored() -> None:
    received = Streaming().recovered().stream(b"event: ping\ndata: 2026\n\n")
    assert [] == received.rejected


def test_an_unlisted_fixture_triggers_a_request_for_the_list() -> None:
    streaming = Streaming().recovered()
    streaming.stream(event("odds", an_entry("home", 2.0, 101.0, fixture="f2")))
    request = streaming.codec.next_request(0)
    assert request is not None
    assert "fixtures" == request.name


def test_a_fixture_no_longer_listed_is_withdrawn() -> None:
    streaming = Streaming().recovered()
    assert {} == streaming.respond({"data": [], "page": 1, "total_pages": 1}, at_ms=REFRESH_MS).quotes("opt.book")


def test_a_verification_shows_whether_a_change_was_missed() -> None:
    for home in (2.1, 2.6):
        streaming = Streaming().recovered()
        streaming.codec.request_verification()
        received = streaming.fetched(*result(150.0, home=home))
        assert received.samples[-1].is_last
        assert (home != 2.1) == any(batch.updates for batch in received.samples[-1].batches)


def test_a_live_entry_begins_the_match_at_every_sportsbook_before_the_list_says_so() -> None:
    streaming = Streaming("book", "other")
    streaming.listed()
    of_both = [{**entry, "sportsbook": book, "id": f"{book}:{entry['name']}"} for book in ("book", "other") for entry in result()]
    streaming.fetched(*[{**entry, "is_live": False} for entry in of_both])
    received = streaming.stream(event("odds", {**of_both[0], "price": 1.2, "timestamp": 101.0, "is_live": True}))
    assert {MARKET: {"home": 1.2}} == received.quotes("opt.book"), "the other prices are of before the match"
    assert {} == received.quotes("opt.other")
    for source in ("opt.book", "opt.other"):
        assert received.books[source].events["opt.f1"].in_play  # type: ignore[index]
    streaming.respond({"data": [FIXTURE], "page": 1, "total_pages": 1}, at_ms=REFRESH_MS)
    assert received.books["opt.book"].events["opt.f1"].in_play, "a list may be older than the stream"  # type: ignore[index]


@pytest.mark.parametrize("wrong", [(110, 240, 290), (1.1, 2.4, 2.9), (2.1, "+240", "NaN"), (0.5, 3.4, 9.0)])
def test_odds_in_another_format_cost_only_their_market(wrong: tuple[Any, ...]) -> None:
    streaming = Streaming().recovered()
    prices = zip(("home", "draw", "away"), wrong, strict=True)
    totals = [an_entry(f"{side} 2.5", 1.95, market="Total Goals", points=2.5) for side in ("Over", "Under")]
    received = streaming.stream(event("odds", *(an_entry(role, price, 101.0) for role, price in prices), *totals))
    assert received.rejected
    assert all("not decimal odds" in each.reason for each in received.rejected)
    quotes = received.quotes("opt.book")
    assert len(quotes.pop("opt.f1/match_odds", {})) < len(wrong)
    assert quotes
