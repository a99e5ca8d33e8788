"""The same messages over every transport: JSON, MessagePack, compressed, server-sent events; slow clients and stale shards."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest
from websockets.asyncio.client import connect

from oddsengine.domain.feed_updates import SourceStatus
from oddsengine.gateway.access.settings import LimitSettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import PATIENCE_S, RunningService, quick_settings, running_service, wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHANNEL = "event:e1"


def feed_price(service: RunningService, home: float) -> None:
    away = 1 / (1 - 1 / home)
    service.feed(*market_updates(a_definition(), a_quote("home", home), a_quote("away", away)))


async def with_a_market(service: RunningService) -> None:
    feed_price(service, 2.0)
    await service.wait_published()


async def test_messagepack_and_json_carry_the_same_messages() -> None:
    async with running_service() as service:
        await with_a_market(service)
        url = service.base.replace("http", "ws") + "/v1/stream"
        async with service.socket() as plain, connect(url, subprotocols=["odds.v1.msgpack"], compression=None) as packed:  # type: ignore[list-item]
            assert "odds.v1.msgpack" == packed.subprotocol
            await packed.send(msgspec.msgpack.encode({"op": "subscribe", "id": 1, "channels": [CHANNEL]}))
            await plain.subscribe(CHANNEL)
            found = [msgspec.msgpack.decode(await packed.recv(decode=False)) for _ in range(3)]
            assert ["welcome", "subscribed", "snapshot"] == [message["op"] for message in found]
            assert await plain.receive_until("snapshot") == found[-1]
            feed_price(service, 4.0)
            assert await plain.receive_until("delta") == msgspec.msgpack.decode(await packed.recv(decode=False))
            await packed.send("{}")
            await packed.wait_closed()
            assert 4400 == packed.close_code


async def test_fair_probabilities_are_shown_over_http_to_those_who_ask_and_on_no_stream() -> None:
    async with running_service() as service:
        await with_a_market(service)
        body = b'{"quotes":[{"market":"e1/match_odds","selection":"home","price":1.9}]}'
        found = []
        for include in ("", "include=fair"):
            market = await service.get(f"/v1/markets/e1%2Fmatch_odds?{include}")
            snapshot = await service.get(f"/v1/snapshot?channel={CHANNEL}&{include}")
            checked = await service.post(f"/v1/quotes/check?{include}", body)
            shown = (market["selections"]["home"], snapshot["markets"][0]["selections"]["home"], checked["quotes"][0])
            found.append([each.get("fair") for each in shown])
        assert [[None] * 3, [pytest.approx(0.5, abs=0.001)] * 3] == found
        assert "include" in (await service.get("/v1/markets/e1%2Fmatch_odds?include=all", 400))["error"]["message"]
        async with service.socket() as socket:
            await socket.subscribe(CHANNEL)
            assert "fair" not in str(await socket.receive_until("snapshot"))
            feed_price(service, 4.0)
            assert "fair" not in str(await socket.receive_until("delta"))
        service.feed(SourceStatus("down", "cut"))
        await service.wait_published()
        market = await service.get("/v1/markets/e1%2Fmatch_odds?include=fair")
        assert {None} == {each.get("fair") for each in market["selections"].values()}, "nothing to bet on"


async def test_compressed_frames_carry_the_same_messages() -> None:
    async with running_service() as service:
        await with_a_market(service)
        url = service.base.replace("http", "ws") + "/v1/stream"
        async with service.socket() as plain, connect(url) as compressed:
            assert "permessage-deflate" in str(compressed.response and compressed.response.headers["Sec-WebSocket-Extensions"])
            await plain.subscribe(CHANNEL)
            await compressed.send(orjson.dumps({"op": "subscribe", "id": 1, "channels": [CHANNEL]}).decode())
            found = [orjson.loads(await compressed.recv()) for _ in range(3)]
            assert await plain.receive_until("snapshot") == found[-1]
            for price in (3.0, 4.0, 5.0):
                feed_price(service, price)
                assert await plain.receive_until("delta") == orjson.loads(await compressed.recv())


@asynccontextmanager
async def events(service: RunningService, query: str, **headers: str) -> AsyncIterator[Any]:
    async with service.http.get(f"{service.base}/v1/sse?{query}", headers=headers) as response:
        assert 200 == response.status, await response.text()

        async def next_event() -> tuple[str | None, dict[str, Any]]:
            at: str | None = None
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    line = (await response.content.readline()).decode().rstrip("\n")
                    if line.startswith("id: "):
                        at = line[4:]
                    elif line.startswith("data: "):
                        return at, orjson.loads(line[6:])
                    else:
                        assert not line

        yield next_event


async def test_server_sent_events_resume_from_the_last_event_id() -> None:
    async with running_service() as service:
        await with_a_market(service)
        async with events(service, f"channel={CHANNEL}") as following:
            found = [await following() for _ in range(3)]
            assert ["welcome", "subscribed", "snapshot"] == [message["op"] for _, message in found]
            assert found[-1][0] == found[-1][1]["at"]
            feed_price(service, 4.0)
            at, delta = await following()
            assert ("delta", delta["at"]) == (delta["op"], at)
        await wait_until(lambda: not service.hub.sessions, "the end of the session")
        feed_price(service, 5.0)
        await service.wait_published()
        async with events(service, f"channel={CHANNEL}", **{"Last-Event-ID": str(at)}) as resumed:
            found = [await resumed() for _ in range(3)]
            assert ["welcome", "subscribed", "delta"] == [message["op"] for _, message in found]
            assert found[1][1]["resumed"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("", 400),
        ("channel=a&channels=b", 400),
        ("channel=event:none", 404),
        ("channel=x", 404),
        ("channel=event:e1&format=x", 400),
    ],
)
async def test_invalid_requests_for_server_sent_events_are_rejected(query: str, status: int) -> None:
    async with running_service() as service:
        await with_a_market(service)
        found = await service.get(f"/v1/sse?{query}", status)
        assert found["error"]["message"]


async def test_a_price_check_finds_a_price_that_was_on_offer_recently() -> None:
    async with running_service(quick_settings(quote_history_s=60.0)) as service:
        await with_a_market(service)
        before = (await service.get("/v1/events/e1"))["markets"][0]
        feed_price(service, 4.0)
        await service.wait_published()

        async def checked(price: float, **quote: Any) -> dict[str, Any]:
            body = orjson.dumps({"quotes": [{"market": "e1/match_odds", "selection": "home", "price": price, **quote}]})
            (answer,) = (await service.post("/v1/quotes/check", body))["quotes"]
            assert isinstance(answer, dict)
            return answer

        old_price = before["selections"]["home"]["price"]
        old = await checked(old_price, v=before["v"])
        assert ("price_changed", before["v"]) == (old["result"], old["was_on_offer"]["v"])
        assert old["was_on_offer"]["from_ms"] <= old["was_on_offer"]["until_ms"] <= time.time() * 1000
        now = await checked(old["price"])
        assert ("ok", None) == (now["result"], now["was_on_offer"]["until_ms"])
        assert (await checked(99.0))["was_on_offer"] is None


@pytest.mark.alone
async def test_a_client_that_never_reads_is_disconnected_and_does_not_affect_others() -> None:
    async with running_service(quick_settings(limits=LimitSettings(slow_client_timeout_s=1.0))) as service:
        for number in range(40):
            definition = a_definition(f"e{number}/match_odds", tuple(f"s{place}" for place in range(40)), type="winner")
            books = [a_quote(f"s{place}", 40.0) for place in range(40)]
            service.feed(*market_updates(definition, *books, source_id=f"1.{number}"))
        await service.wait_published()
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(
            b"GET /v1/stream HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        subscribe = orjson.dumps({"op": "subscribe", "channels": ["sport:football"]})
        frame = bytes((0x81, 0x80 | len(subscribe), 0, 0, 0, 0)) + subscribe
        async with service.socket() as neighbour:
            await neighbour.subscribe("event:e1")

            def fill() -> bool:
                writer.write(frame)
                return service.hub.counters.slow_consumers > 0

            await wait_until(fill, "a full socket")
            await wait_until(lambda: service.hub.counters.slow_consumer_disconnects == 1, "the disconnect of the slow client")
            await neighbour.send(op="ping", id=1)
            await neighbour.receive_until("pong")
            await wait_until(lambda: len(service.hub.sessions) == 1, "the end of the slow client's session")
        writer.close()


async def test_markets_of_a_stale_shard_are_suspended_and_reopened() -> None:
    import os
    import signal

    async with running_service(quick_settings(stale_suspend_after_s=2.0), own_redis=True) as service:
        await with_a_market(service)
        async with service.socket() as socket:
            await socket.subscribe(CHANNEL)
            before = (await socket.receive_until("snapshot"))["at"]
            os.kill(service.redis_pid, signal.SIGSTOP)
            try:
                await socket.receive_until("stale")
                (market,) = (await socket.receive_until("delta"))["markets"]
                assert ("suspended", "stale") == (market["status"], market["reason"])
                assert [None, None] == [selection["price"] for selection in market["selections"].values()]
                over_http = await service.get("/v1/markets/e1%2Fmatch_odds")
                assert ("suspended", "stale", None) == (
                    over_http["status"],
                    over_http["reason"],
                    over_http["selections"]["home"]["price"],
                )
                async with service.socket() as late:
                    await late.subscribe(CHANNEL)
                    assert "stale" == (await late.receive_until("snapshot"))["markets"][0]["reason"]
                async with service.socket() as resuming:
                    assert not (await resuming.subscribe(CHANNEL, resume=before))["resumed"]
                    assert "stale" == (await resuming.receive_until("snapshot"))["markets"][0]["reason"]
            finally:
                os.kill(service.redis_pid, signal.SIGCONT)
            # A batch that was too late means a new epoch: its state arrives before the shard is current.
            while market["status"] != "open":
                (market,) = (await socket.receive_until("snapshot"))["markets"]
                assert market["reason"] in {None, "stale"}
            feed_price(service, 4.0)
            # A lease that lapsed meanwhile means a new epoch, whose first message is a snapshot.
            price = None
            while price != 3.8:
                (market,) = (await socket.receive_until("delta", "snapshot"))["markets"]
                price = market.get("selections", {}).get("home", {}).get("price")
