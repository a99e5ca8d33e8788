"""The Python client's state and URLs."""

from __future__ import annotations

from typing import Any

import pytest

from oddsengine.client import OddsClient, OddsState, stream_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("localhost:8080", "ws://localhost:8080/v1/stream"),
        ("http://host", "ws://host/v1/stream"),
        ("https://host/", "wss://host/v1/stream"),
        ("ws://host/other", "ws://host/other"),
        ("wss://host:1/v1/stream", "wss://host:1/v1/stream"),
        ("https://host/odds/", "wss://host/odds/v1/stream"),
        ("[::1]:8080", "ws://[::1]:8080/v1/stream"),
    ],
)
def test_urls_are_completed_to_the_stream(url: str, expected: str) -> None:
    assert expected == stream_url(url)


@pytest.mark.parametrize(
    "url", ["ftp://host", "ws://", "host:99999", "http://[::1", f"http://{'a' * 70}.example", "ws://user@host"]
)
def test_what_is_no_url_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        OddsClient(url, [])


def test_one_channel_may_be_named_alone() -> None:
    assert ["sport:football"] == OddsClient("localhost", "sport:football").channels


def a_market(key: str, price: float, **fields: Any) -> dict[str, Any]:
    return {"id": key, "selections": {"home": {"price": price}}, **fields}


def snapshot(*markets: dict[str, Any], part: int = 1, last: bool = True) -> dict[str, Any]:
    events = [{"id": "e1", "sport": "football"}] if part == 1 else []
    return {"op": "snapshot", "channel": "c", "part": part, "last": last, "events": events, "markets": list(markets)}


def delta(**fields: Any) -> dict[str, Any]:
    return {"op": "delta", "channel": "c", **fields}


def test_a_snapshot_replaces_its_channel_once_its_last_part_has_arrived() -> None:
    state = OddsState()
    state.apply(snapshot(a_market("m1", 2.0), a_market("m2", 3.0)))
    state.apply(snapshot(a_market("m1", 2.5), last=False))
    assert 2.0 == state.markets["m1"]["selections"]["home"]["price"]
    state.apply(snapshot(a_market("m3", 4.0), part=2))
    assert {"m1", "m3"} == state.markets.keys()
    assert 2.5 == state.markets["m1"]["selections"]["home"]["price"]
    assert [True, False] == [state.has_seen("c", key) for key in ("m3", "m2")]


def test_an_interrupted_snapshot_starts_again_with_its_first_part() -> None:
    state = OddsState()
    state.apply(snapshot(a_market("m1", 2.0), last=False))
    state.apply(snapshot(a_market("m2", 2.0)))
    assert {"m2"} == state.markets.keys()


def test_a_delta_merges_fields_and_selections() -> None:
    state = OddsState()
    state.apply(snapshot(a_market("m1", 2.0, event="e1", status="open")))
    changed = {"id": "m1", "v": 2, "status": "suspended", "selections": {"home": {"price": None}, "away": {"price": 1.5}}}
    state.apply(delta(events=[{"id": "e1", "score": "1-0"}], markets=[changed]))
    assert {"id": "e1", "sport": "football", "score": "1-0"} == state.events["e1"]
    market = state.markets["m1"]
    assert ("e1", "suspended", {"home": {"price": None}, "away": {"price": 1.5}}) == (
        market["event"],
        market["status"],
        market["selections"],
    )


def test_a_market_with_its_event_replaces_and_a_removal_removes() -> None:
    state = OddsState()
    state.apply(snapshot(a_market("m1", 2.0, event="e1")))
    whole = {"id": "m1", "event": "e1", "selections": {"draw": {"price": 3.0}}}
    state.apply(delta(markets=[whole]))
    assert whole == state.markets["m1"]
    state.apply(delta(events=[{"id": "e1", "removed": True}], markets=[{"id": "m1", "removed": True}]))
    assert {} == state.markets == state.events


def test_other_messages_change_nothing() -> None:
    state = OddsState()
    state.apply({"op": "heartbeat", "at": "0:1:2", "ts": 1})
    assert {} == state.markets == state.events


def test_results_are_kept_and_taken_back() -> None:
    state = OddsState()
    state.apply(snapshot(a_market("m1", 2.0, event="e1", name="Match odds", status="open")))
    won = {"price": None, "status": "winner", "result": "winner", "void_factor": 0.5, "dead_heat_factor": 1.0}
    state.apply(delta(markets=[{"id": "m1", "v": 2, "status": "closed", "selections": {"home": won}}]))
    assert ("Match odds", won) == (state.markets["m1"]["name"], state.markets["m1"]["selections"]["home"])
    taken_back = {"price": 2.0, "status": "active", "result": None, "void_factor": None, "dead_heat_factor": None}
    state.apply(delta(markets=[{"id": "m1", "v": 3, "status": "open", "selections": {"home": taken_back}}]))
    assert taken_back == state.markets["m1"]["selections"]["home"]
