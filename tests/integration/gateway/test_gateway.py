"""The gateway as its clients see it: the stream, the HTTP API, errors, draining."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
import pytest
import pytest_asyncio
from websockets.exceptions import ConnectionClosed

from oddsengine.domain.feed_updates import EventUpdate, MarketUpdate, SourceStatus
from tests.support.builders import a_definition, a_quote, an_event, market_updates
from tests.support.service import RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKET = "e1/match_odds"


@pytest_asyncio.fixture
async def service() -> AsyncIterator[RunningService]:
    async with running_service() as found:
        found.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        found.feed(*market_updates(a_definition("e2/match_odds"), a_quote("home", 3.0), a_quote("away", 1.5), source_id="1.2"))
        await found.wait_published()
        yield found


def move(service: RunningService, odds: float) -> None:
    """Move the market to where it would be if only the odds of home had moved, and what both imply been scaled to one."""
    service.feed(MarketUpdate("1.1", books=[a_quote("home", 1 + odds / 2), a_quote("away", 1 + 2 / odds)]))


def home_price(message: dict[str, Any]) -> Any:
    return message["markets"][0]["selections"]["home"]["price"]


async def test_a_session_starts_with_welcome_subscribed_and_snapshot_and_continues_with_deltas(service: RunningService) -> None:
    async with service.socket() as socket:
        welcome = await socket.receive()
        assert ("welcome", 1, 5000) == (welcome["op"], welcome["version"], welcome["heartbeat_ms"])
        answer = await socket.subscribe("event:e1")
        assert {"op": "subscribed", "id": 1, "channels": ["event:e1"], "resumed": False} == answer
        snapshot = await socket.receive()
        assert ("snapshot", "event:e1", 1, True) == tuple(snapshot[key] for key in ("op", "channel", "part", "last"))
        (market,) = snapshot["markets"]
        assert {"name": "Home", "price": 1.9, "status": "active", "order": 0} == market["selections"]["home"]
        move(service, 2.2)
        delta = await socket.receive()
        assert ("delta", "event:e1") == (delta["op"], delta["channel"])
        (change,) = delta["markets"]
        assert {"id": MARKET, "v": market["v"] + 1, "selections": {"home": {"price": 2.0}, "away": {"price": 1.81}}} == change
        assert delta["at"] != snapshot["at"]


async def test_a_suspended_market_has_no_prices(service: RunningService) -> None:
    async with service.socket() as socket:
        await socket.subscribe(f"market:{MARKET}")
        await socket.receive()
        service.feed(SourceStatus("down", "cut"))
        delta = await socket.receive_until("delta")
        (change,) = delta["markets"]
        assert ("suspended", "source_down") == (change["status"], change["reason"])
        assert {None} == {selection["price"] for selection in change["selections"].values()}


async def test_a_change_is_sent_on_every_channel_of_its_market(service: RunningService) -> None:
    channels = ["sport:football", "competition:cup", "event:e1", f"market:{MARKET}"]
    async with service.socket() as socket:
        await socket.subscribe(*channels)
        for _ in channels:
            assert "snapshot" == (await socket.receive())["op"]
        move(service, 2.4)
        seen: dict[str, Any] = {}
        while len(seen) < len(channels):
            delta = await socket.receive_until("delta")
            seen[delta["channel"]] = delta["markets"]
        assert set(channels) == seen.keys()
        assert 1 == len({orjson.dumps(markets) for markets in seen.values()})


async def test_an_unsubscribed_channel_sends_nothing(service: RunningService) -> None:
    async with service.socket() as socket:
        await socket.subscribe("event:e1", "event:e2")
        await socket.send(op="unsubscribe", id=5, channels=["event:e1", "event:never"])
        assert {"op": "unsubscribed", "id": 5, "channels": ["event:e1", "event:never"]} == await socket.receive_until(
            "unsubscribed"
        )
        move(service, 2.4)
        service.feed(MarketUpdate("1.2", books=[a_quote("home", 3.2), a_quote("away", 1.4545)]))
        assert "event:e2" == (await socket.receive_until("delta"))["channel"]
    await wait_until(lambda: not service.hub.sessions, "the end of the session")
    assert not service.hub.subscribed_channels


async def test_a_resume_sends_one_diff_or_nothing_if_nothing_changed(service: RunningService) -> None:
    async with service.socket() as socket:
        await socket.subscribe("event:e1")
        at = (await socket.receive())["at"]
    for odds in (2.2, 2.4, 2.6):
        move(service, odds)
        await service.wait_published()
    async with service.socket() as socket:
        assert (await socket.subscribe("event:e1", resume=at))["resumed"]
        delta = await socket.receive()
        assert ("delta", 1) == (delta["op"], len(delta["markets"]))
        assert 4 == delta["markets"][0]["v"]
        assert "name" not in delta["markets"][0]["selections"]["home"]
    async with service.socket() as socket:
        assert (await socket.subscribe("event:e1", resume=delta["at"]))["resumed"]
        await socket.send(op="ping", id=9)
        assert {"op": "pong", "id": 9} == await socket.receive()


@pytest.mark.parametrize("resume", ["0-1-1", "0-ffffffffff-0", "7-1-1"])
async def test_a_position_of_another_epoch_is_not_resumed_but_gets_a_snapshot(service: RunningService, resume: str) -> None:
    async with service.socket() as socket:
        assert not (await socket.subscribe("event:e1", resume=resume))["resumed"]
        assert "snapshot" == (await socket.receive())["op"]


async def test_a_client_ahead_of_this_gateway_is_resumed_once_the_gateway_has_caught_up(service: RunningService) -> None:
    offer = service.hub.replica.offers[0]
    async with service.socket() as socket:
        ahead = f"0-{offer.epoch:x}-{offer.seq + 2:x}"
        assert (await socket.subscribe("event:e1", resume=ahead))["resumed"]
        seq = offer.seq
        await wait_until(lambda: offer.seq >= seq + 2, "two heartbeats")
        move(service, 2.8)
        assert "delta" == (await socket.receive())["op"]


async def test_a_suspension_does_not_wait_for_the_interval(service: RunningService) -> None:
    """It is sent at once to every audience, whatever its interval."""
    async with service.socket() as socket:
        await socket.subscribe("event:e1", min_interval_ms=10_000)
        at = (await socket.receive())["at"]
        await asyncio.sleep(0.1)  # the audience's first flush is over
        move(service, 2.4)
        await service.wait_published()
        service.feed(SourceStatus("down", "cut"))
        delta = await socket.receive_until("delta")
        assert "suspended" == delta["markets"][0]["status"]
        assert at == delta["at"] or delta["at"]


async def test_an_interval_coalesces_changes(service: RunningService) -> None:
    async with service.socket() as socket:
        await socket.subscribe("event:e1", min_interval_ms=300)
        version = (await socket.receive())["markets"][0]["v"]
        seen = version
        for step in range(1, 60):
            move(service, 2.0 + step / 20)
            await service.wait_published()
        final = service.hub.replica.offers[0].markets[MARKET].v  # type: ignore[index]
        messages = 0
        while seen < final:
            seen = (await socket.receive_until("delta"))["markets"][0]["v"]
            messages += 1
        assert messages < final - version


async def test_each_subscriber_gets_the_format_it_requested(service: RunningService) -> None:
    async with service.socket() as first, service.socket() as second:
        await first.subscribe("event:e1", format="fractional")
        await second.subscribe("event:e1", format="american")
        seen = [
            (await socket.receive_until("snapshot"))["markets"][0]["selections"]["home"]["price"] for socket in (first, second)
        ]
        assert ["9/10", -111] == seen
        move(service, 2.2)
        seen = [home_price(await socket.receive_until("delta")) for socket in (first, second)]
        assert ["1/1", 100] == seen
    market = await service.get(f"/v1/markets/{MARKET}?format=hong_kong")
    assert 1.0 == market["selections"]["home"]["price"]
    assert "unknown format 'roman'" in (await service.get(f"/v1/markets/{MARKET}?format=roman", 400))["error"]["message"]


async def test_invalid_parts_of_a_request_are_rejected_and_the_rest_is_done(service: RunningService) -> None:
    async with service.socket() as socket:
        await socket.receive()
        await socket.send(op="subscribe", id="a", channels=["event:nope", "rubbish", "event:e1"])
        refusal = await socket.receive()
        assert ("a", "unknown_channel", ["event:nope", "rubbish"]) == tuple(refusal[key] for key in ("id", "code", "channels"))
        assert "event 'nope'" in refusal["message"]
        assert ["event:e1"] == (await socket.receive())["channels"]
        await socket.receive_until("snapshot")
        for message, code in (
            ({"op": "subscribe", "id": 2, "channels": ["event:e1"], "format": "roman"}, "unsupported_format"),
            ({"op": "subscribe", "id": 2, "channels": ["event:e1"], "resume": "yesterday"}, "bad_request"),
            ({"op": "subscribe", "channels": []}, "bad_message"),
            ({"op": "dance"}, "bad_message"),
            ({"channels": ["event:e1"]}, "bad_message"),
            ({"op": "subscribe", "channels": ["event:e1"], "min_interval_ms": -1}, "bad_message"),
        ):
            await socket.send(**message)
            assert code == (await socket.receive_until("error"))["code"]
        await socket.connection.send("{ not json")
        assert "bad_message" == (await socket.receive_until("error"))["code"]
        move(service, 2.2)
        assert "delta" == (await socket.receive())["op"], "the session continues"


async def test_a_client_that_sends_only_bad_messages_is_disconnected(service: RunningService) -> None:
    async with service.socket() as socket:
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(100):
                await socket.connection.send("rubbish")
                await asyncio.sleep(0)
            while True:
                await socket.receive()
        assert 4400 == closed.value.rcvd.code  # type: ignore[union-attr]
    async with service.socket() as socket:
        await socket.connection.send(b"\x00binary")
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                await socket.receive()
        assert 4400 == closed.value.rcvd.code  # type: ignore[union-attr]


async def test_an_event_that_ends_is_removed_from_every_channel(service: RunningService) -> None:
    async with service.socket() as socket:
        await socket.subscribe("sport:football")
        await socket.receive()
        service.feed(*market_updates(a_definition(status="closed")))
        assert "closed" == (await socket.receive_until("delta"))["markets"][0]["status"]
        service.engine.pipeline.retire(0, 10_000, 1)
        service.engine.pipeline.retire(0, 20_000, 1)
        service.feed(EventUpdate(an_event("e3")))
        delta = await socket.receive_until("delta")
        assert {"id": "e1", "removed": True} in delta["events"]
        assert [{"id": MARKET, "removed": True}] == delta["markets"]


async def test_heartbeats_carry_the_position() -> None:
    async with running_service(quick_settings(heartbeat_ms=500)) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        async with service.socket() as socket:
            await socket.subscribe("event:e1")
            await socket.receive_until("snapshot")
            beat = await socket.receive_until("heartbeat")
            assert {"op", "at", "ts"} == beat.keys()
        async with service.socket() as socket:
            assert (await socket.subscribe("event:e1", resume=beat["at"]))["resumed"]


async def test_a_drain_sends_bye_with_different_reconnect_delays(service: RunningService) -> None:
    async with service.socket() as first, service.socket() as second:
        await first.receive()
        await second.receive()
        draining = asyncio.create_task(service.gateway.connections.drain())
        waits = []
        for socket in (first, second):
            bye = await socket.receive_until("bye")
            waits.append(bye["reconnect_ms"])
            with pytest.raises(ConnectionClosed) as closed:
                await socket.receive()
            assert 1012 == closed.value.rcvd.code  # type: ignore[union-attr]
        await draining
        assert waits[0] != waits[1]
        assert "not_ready" == (await service.get("/readyz", 503))["error"]["code"]


async def test_http_events_markets_and_snapshots(service: RunningService) -> None:
    events = (await service.get("/v1/events"))["events"]
    assert {"e1", "e2"} == {event["id"] for event in events}
    assert {"id": "cup", "name": "Cup"} == events[0]["competition"]
    assert [] == (await service.get("/v1/events?sport=chess"))["events"]
    assert 2 == len((await service.get("/v1/events?sport=football&competition=cup&in_play=false"))["events"])
    assert [] == (await service.get("/v1/events?in_play=true"))["events"]
    assert MARKET == (await service.get("/v1/events/e1"))["markets"][0]["id"]
    market = await service.get(f"/v1/markets/{quote(MARKET, safe='')}")
    assert market == await service.get(f"/v1/markets/{MARKET}")
    assert market == (await service.get("/v1/snapshot?channel=event:e1"))["markets"][0]
    async with service.socket() as socket:
        await socket.subscribe("event:e1")
        # But for the position, which heartbeats of the shard move.
        over_both = [await socket.receive(), await service.get("/v1/snapshot?channel=event:e1")]
        assert 1 == len({repr(each | {"at": None}) for each in over_both})


async def test_http_errors_have_a_code_and_a_message(service: RunningService) -> None:
    for path, status, code in (
        ("/v1/events/nope", 404, "not_found"),
        ("/v1/markets/nope%2Fx", 404, "not_found"),
        ("/v1/markets/nope/explain", 404, "not_found"),
        ("/v1/snapshot", 400, "bad_request"),
        ("/v1/snapshot?channel=event:nope", 404, "unknown_channel"),
        ("/v1/events?in_play=maybe", 400, "bad_request"),
        ("/v1/events?sprot=x", 400, "bad_request"),
        ("/v1/events/e1?fromat=percent", 400, "bad_request"),
        (f"/v1/markets/{MARKET}?fromat=percent", 400, "bad_request"),
        ("/v1/snapshot?channel=event:e1&fromat=percent", 400, "bad_request"),
        ("/v2/none", 404, "not_found"),
    ):
        body = await service.get(path, status)
        assert code == body["error"]["code"], path
        assert body["error"]["message"]


async def test_a_wrong_method_is_answered_with_the_allowed_ones(service: RunningService) -> None:
    for method, path, allowed in (("POST", "/v1/events", "GET, HEAD"), ("GET", "/v1/quotes/check", "POST")):
        async with service.http.request(method, service.base + path) as response:
            assert (405, allowed) == (response.status, response.headers["Allow"]), path
            assert "bad_request" == (await response.json())["error"]["code"]


async def test_explain_shows_the_published_numbers(service: RunningService) -> None:
    explanation = await service.get(f"/v1/markets/{quote(MARKET, safe='')}/explain")
    market = await service.get(f"/v1/markets/{quote(MARKET, safe='')}")
    for key, selection in market["selections"].items():
        steps = explanation["selections"][key]["profiles"]["default"]
        assert selection["price"] == steps["price"] == steps["steps"][-1]["odds"]
        assert steps["fair"] == pytest.approx(0.5, abs=1e-3)
    assert market["v"] == explanation["v"]


async def test_quotes_are_checked_against_the_current_offer(service: RunningService) -> None:
    def body(*quotes: dict[str, object]) -> bytes:
        return orjson.dumps({"quotes": list(quotes)})

    good = {"market": MARKET, "selection": "home", "price": 1.9, "v": 1}
    answers = (
        await service.post(
            "/v1/quotes/check",
            body(good, {**good, "price": 2.0}, {**good, "market": "e9/x"}, {**good, "selection": "nobody"}),
        )
    )["quotes"]
    assert ["ok", "price_changed", "unknown", "unknown"] == [answer["result"] for answer in answers]
    assert (1.9, 1) == (answers[1]["price"], answers[1]["v"])
    service.feed(SourceStatus("down", "cut"))
    await service.wait_published()
    (answer,) = (await service.post("/v1/quotes/check", body(good)))["quotes"]
    assert ("suspended", None) == (answer["result"], answer["price"])
    service.feed(SourceStatus("live", "back"), *market_updates(a_definition(status="closed")))
    await service.wait_published()
    assert "closed" == (await service.post("/v1/quotes/check", body(good)))["quotes"][0]["result"]
    service.hub.replica.stale_since[0] = 1
    asked = body(good, {**good, "market": "e9/x"}, {**good, "selection": "nobody"})
    answers = (await service.post("/v1/quotes/check", asked))["quotes"]
    assert ["stale"] * 3 == [answer["result"] for answer in answers], "what is not known may have come on offer"
    refusal = await service.post("/v1/quotes/check", body({**good, "version": 1}), 400)
    assert "`version`" in refusal["error"]["message"]
    for bad in (b"", b"[]", b'{"quotes":[]}', b'{"quotes":[{"market":"x"}]}', body({**good, "price": 0.5})):
        assert "bad_request" == (await service.post("/v1/quotes/check", bad, 400))["error"]["code"]


async def test_a_checked_quote_has_the_limit_and_the_delay_of_a_bet(service: RunningService) -> None:
    quotes = [{"market": MARKET, "selection": "home", "price": price} for price in (1.9, 2.0)]
    found = []
    for update in (MarketUpdate("1.1", definition=a_definition(limit=500.0, bet_delay_s=2.5)), SourceStatus("down", "cut")):
        service.feed(update)
        await service.wait_published()
        answers = (await service.post("/v1/quotes/check", orjson.dumps({"quotes": quotes})))["quotes"]
        found += [(each["result"], each.get("limit"), each.get("accept_after_ms")) for each in answers]
    assert [("ok", 500.0, 2500), ("price_changed", 500.0, 2500), *[("suspended", None, None)] * 2] == found


async def test_health_metrics_and_the_page(service: RunningService) -> None:
    assert {"status": "ok"} == await service.get("/healthz")
    assert {"status": "ready"} == await service.get("/readyz")
    async with service.http.get(service.base + "/metrics") as response:
        text = await response.text()
    assert 'oddsengine_markets{shard="0"} 2.0' in text
    assert "oddsengine_sessions 0.0" in text
    pages = (("/", "text/html"), ("/client.js", "text/javascript"), ("/style.css", "text/css"))
    console = (("/console", "text/html"), ("/console/", "text/html"), ("/console/views/board.js", "text/javascript"))
    for path, kind in (*pages, *console):
        async with service.http.get(service.base + path) as response:
            assert (200, kind) == (response.status, response.content_type)
            assert "default-src 'self'" in response.headers["Content-Security-Policy"]


async def test_channels_that_span_shards(service: RunningService) -> None:
    del service
    async with running_service(quick_settings(shards=4)) as spread:
        for number in range(12):
            spread.feed(
                *market_updates(
                    a_definition(f"e{number}/match_odds"), a_quote("home", 2.0), a_quote("away", 2.0), source_id=f"1.{number}"
                )
            )
        await spread.wait_published()
        async with spread.socket() as socket:
            await socket.subscribe("sport:football")
            snapshot = await socket.receive()
            assert 12 == len(snapshot["markets"])
        for number in range(12):
            spread.feed(MarketUpdate(f"1.{number}", books=[a_quote("home", 2.25), a_quote("away", 1.8)]))
        await spread.wait_published()
        async with spread.socket() as socket:
            assert (await socket.subscribe("sport:football", resume=snapshot["at"]))["resumed"]
            delta = await socket.receive()
            assert 12 == len(delta["markets"])
