"""The HTTP client: rate limited, without secrets in errors, and every failure a response."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from feeds.transports.http import HttpClient, Request, Response, http_session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ODDS = Request(name="odds", url="/odds", params=(("sport", "football"),))


@asynccontextmanager
async def a_server(handler: Any) -> AsyncIterator[str]:
    """Run a server with one handler. Yields its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def a_client(handler: Any, *, timeout_s: float = 5.0, **options: Any) -> AsyncIterator[HttpClient]:
    """Run a server with one handler, and a client of it whose clock stands at 7 ms."""
    async with a_server(handler) as url, http_session(timeout_s) as session:
        yield HttpClient(session, f"{url}/", lambda: 7, **options)


async def test_secrets_are_added_to_the_request_and_not_to_the_response() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.json_response([request.path, dict(request.query), request.headers["X-Key"]], headers={"X-Other": "1"})

    async with a_client(echo, params={"apiKey": "s"}, headers=lambda: {"X-Key": "t"}) as client:
        response = await client.fetch(ODDS)
    assert b'["/odds", {"sport": "football", "apiKey": "s"}, "t"]' == response.body
    assert (200, 7, ODDS) == (response.status, response.at_ms, response.request)
    assert {"date"} == response.headers.keys(), "only the headers that codecs read"


async def test_a_body_is_posted_with_its_content_type() -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.method} {request.content_type} {await request.text()}")

    async with a_client(echo) as client:
        request = Request(name="login", url="/", method="POST", body=b"a=1", content_type="application/x-www-form-urlencoded")
        assert b"POST application/x-www-form-urlencoded a=1" == (await client.fetch(request)).body


async def test_requests_beyond_the_burst_wait_for_the_rate_limit() -> None:
    async def ok(_: web.Request) -> web.Response:
        return web.Response()

    async with a_client(ok, requests_per_s=10.0) as client:
        began_s = time.monotonic()
        await asyncio.gather(*(client.fetch(ODDS) for _ in range(20)))
        burst_s = time.monotonic() - began_s
        await asyncio.gather(*(client.fetch(ODDS) for _ in range(3)))
        assert time.monotonic() - began_s >= max(0.25, burst_s)
    assert {200: 23} == client.statuses
    assert ("+Inf", 23) == client.response_seconds.buckets()[-1]
    assert 0 < client.response_seconds.total


async def test_a_response_that_takes_too_long_is_one_of_status_0() -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    async with a_client(slow, timeout_s=0.1) as client:
        response = await client.fetch(ODDS)
    assert (0, "no response in time", False) == (response.status, response.error_text, response.ok)
    assert {0: 1} == client.statuses


async def test_an_error_shows_neither_url_nor_key() -> None:
    async with http_session(1.0) as session:
        client = HttpClient(session, "http://127.0.0.1:1", lambda: 0, params={"apiKey": "secret"})
        response = await client.fetch(ODDS)
    assert 0 == response.status
    assert "no response: ClientConnectorError: Connect call failed" in response.error
    assert "secret" not in response.error


@pytest.mark.parametrize(("header", "wait_s"), [("2", 2.0), ("-1", None), ("0.5", 0.5), ("Wed, 21 Oct 2026", None), (None, None)])
def test_retry_after_is_in_seconds(header: str | None, wait_s: float | None) -> None:
    headers = {} if header is None else {"retry-after": header}
    assert wait_s == Response(request=ODDS, status=429, at_ms=0, headers=headers).retry_after_s


@pytest.mark.parametrize(
    ("asked", "wait_s"),
    [
        ("120", 120.0),
        ("0.2", 0.2),
        ("Tue, 24 Nov 2026 15:02:00 GMT", 120.0),
        ("Tuesday, 24-Nov-26 15:02:00 GMT", 120.0),
        ("Tue, 24 Nov 2026 14:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("-5", None),
        ("", None),
    ],
)
def test_how_long_the_provider_asks_to_wait(asked: str, wait_s: float | None) -> None:
    response = Response(request=ODDS, status=429, at_ms=1_795_532_400_000, headers={"retry-after": asked})
    assert wait_s == response.retry_after_s


def test_a_date_to_wait_for_is_by_the_providers_clock() -> None:
    headers = {"retry-after": "Tue, 24 Nov 2026 15:02:00 GMT", "date": "Tue, 24 Nov 2026 15:01:00 GMT"}
    assert 60.0 == Response(request=ODDS, status=429, at_ms=0, headers=headers).retry_after_s


@pytest.mark.parametrize("status", [200, 500])
async def test_error_pages_are_kept_without_the_secrets_they_echo(status: int) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=status, text=f"<html>{request.path_qs} {request.headers['X-Key']}</html>")

    async with a_client(echo, params={"apiKey": "secret-one"}, headers=lambda: {"X-Key": "secret-two"}) as client:
        response = await client.fetch(ODDS)
    assert b"secret" not in response.body
    assert b"***" in response.body


async def test_a_redirect_is_not_followed_so_that_the_key_stays_with_the_configured_host() -> None:
    reached: list[str] = []

    async def elsewhere(request: web.Request) -> web.Response:
        reached.append(str(request.url))
        return web.json_response([])

    async with a_server(elsewhere) as other:

        async def redirect(_: web.Request) -> web.Response:
            raise web.HTTPFound(f"{other}/odds?a=1")

        async with a_client(redirect, params={"apiKey": "k3y-of-the-provider"}) as client:
            response = await client.fetch(ODDS)
    assert ([], 302, False) == (reached, response.status, response.ok)
    assert "redirected to http://127.0.0.1" in response.error_text
    assert "configure it as `url`" in response.error_text


@pytest.mark.parametrize("key", ["k3y-of-the-provider", "k3y/of+the provider"])
async def test_an_error_page_that_echoes_the_url_is_kept_without_the_key(key: str) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(status=500, text=f"no such page: {request.raw_path} {key}")

    async with a_client(echo, params={"apiKey": key}) as client:
        response = await client.fetch(ODDS)
    assert b"no such page: /odds?sport=football&apiKey=*** ***" == response.body


@pytest.mark.parametrize(("size", "is_compressed"), [(2_000, False), (2_000, True), (200_000, True)])
async def test_a_body_over_the_limit_is_not_read_and_said(size: int, is_compressed: bool) -> None:
    async def large(_: web.Request) -> web.Response:
        response = web.Response(body=b" " * size, headers={"Retry-After": "9"})
        if is_compressed:
            response.enable_compression(force=web.ContentCoding.gzip)
        return response

    async with a_client(large) as client:
        response = await client.fetch(ODDS, 1_999)
        assert not response.ok
        assert (200, b"", 9.0) == (response.status, response.body, response.retry_after_s)
        assert ("HTTP 200: the response has over 1999 bytes", 1) == (response.error_text, client.oversized)
        assert (await client.fetch(ODDS, size)).ok, "one of the limit's size is read"
