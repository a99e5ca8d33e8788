"""Tickets open one stream each, at any gateway, with what a token grants."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from oddsengine.gateway.access.grants import Access
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from oddsengine.gateway.access.tickets import Tickets
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import PATIENCE_S, RunningService, Socket, quick_settings, running_service

if TYPE_CHECKING:
    from pathlib import Path

    from redis.asyncio import Redis


async def a_ticket(service: RunningService, **claims: Any) -> str:
    headers = {"Authorization": f"Bearer {a_token(**claims)}"}
    async with service.http.post(service.base + "/v1/tickets", headers=headers) as response:
        assert (201, "no-store") == (response.status, response.headers["Cache-Control"])
        ticket: str = (await response.json())["ticket"]
        return ticket


async def handshake_status(url: str, **headers: str) -> int:
    """Open a socket and close it. Return the status of the handshake."""
    try:
        async with connect(url, additional_headers=headers):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


async def test_a_ticket_opens_one_stream_with_what_its_token_grants(tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),))
    async with running_service(quick_settings(auth=auth)) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        stream = service.base.replace("http", "ws") + "/v1/stream?ticket="
        ticket = await a_ticket(service, channels=["event:e1"])
        async with connect(stream + ticket) as connection:
            socket = Socket(connection)
            await socket.send(op="subscribe", channels=["event:e1", "sport:football"])
            assert {"event:e1", "sport:football"} == {
                *(await socket.receive_until("error"))["channels"],
                (await socket.receive_until("snapshot"))["channel"],
            }
        assert 401 == await handshake_status(stream + ticket), "it was used"
        assert 401 == await handshake_status(stream + "x" * 32)
        assert 400 == await handshake_status(stream + await a_ticket(service), Authorization=f"Bearer {a_token()}")

        events = f"{service.base}/v1/sse?channel=event:e1&channel=event:none&ticket="
        ticket = await a_ticket(service)
        async with asyncio.timeout(PATIENCE_S), service.http.get(events + ticket) as response:
            seen: dict[str, Any] = {}
            async for line in response.content:
                assert not line.startswith(b"id:"), "a position of one channel is not that of the others"
                if line.startswith(b"data: "):
                    message = orjson.loads(line.removeprefix(b"data: "))
                    seen[message["op"]] = message
                if {"error", "snapshot"} <= seen.keys():
                    break
        assert (["event:none"], "event:e1") == (seen["error"]["channels"], seen["snapshot"]["channel"])
        async with service.http.get(events + ticket) as response:
            assert 401 == response.status
        await service.get("/v1/events?ticket=x", 401)  # streams only


async def test_a_ticket_is_used_once_in_all_gateways_and_ends_with_its_token(redis: Redis) -> None:
    now_ms = 1_000_000
    one, other = (Tickets(redis, "tickets", lambda: now_ms) for _ in range(2))
    access = Access(subject="ann", channels=("event:*",), expires_s=1_010.0)
    ticket, expires_ms = await one.issue(access)
    assert 1_010_000 == expires_ms
    redeemed = await asyncio.gather(*(each.redeem(ticket) for each in (one, other) * 4))
    assert [access] == [each for each in redeemed if each is not None]
    assert not [key async for key in redis.scan_iter("tickets*")]
    ticket, _ = await one.issue(access)
    now_ms = 1_010_000
    assert await other.redeem(ticket) is None
    ticket, expires_ms = await one.issue(Access(subject="ann"))
    assert 1_040_000 == expires_ms
    (key,) = [key async for key in redis.scan_iter("tickets*")]
    assert ticket.encode() not in key
    assert 0 < await redis.pttl(key) <= 30_000
