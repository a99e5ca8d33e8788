"""HTTP requests on a real socket: targets, headers and bodies. Whatever is sent is answered, and never with 500."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.budget import bounded, share, tried
from tests.fuzz.grammar import checks, corpus, damaged, mostly, often, to_json
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.service import PATIENCE_S, RunningService, running_service

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = [
    b"/v1/events",
    b"/v1/events/e1",
    b"/v1/markets/e1%2Fmatch_odds",
    b"/v1/markets/e1/match_odds/explain",
    b"/v1/snapshot",
    b"/v1/commands",
    b"/v1/commands/c1",
    b"/v1/feeds",
    b"/v1/unmatched",
    b"/v1/quotes/check",
    b"/v1/sse",
    b"/v1/stream",
    b"/healthz",
    b"/readyz",
    b"/metrics",
    b"/",
    b"/docs",
    b"/nope",
]
ODD_TEXT = [
    b"",
    b"%",
    b"%2",
    b"%ff",
    b"%00",
    b"%ED%A0%80",
    b"%u0041",
    b"%2e%2e%2f",
    b"//",
    b"..",
    b"\xff",
    b"\xc3\xa9",
    b"a" * 3000,
    b"+",
    b"{",
    b"[::1]",
    b"*",
    b"\t",
    b";",
    b"?",
    b"&&==",
    b"%25" * 50,
    b"\xed\xa0\x80",
]
odd_text = st.sampled_from(ODD_TEXT) | st.binary(max_size=12)
NAMES = [
    b"channel",
    b"channel",
    b"channel",
    b"format",
    b"min_interval_ms",
    b"sport",
    b"competition",
    b"in_play",
    b"x",
    b"",
    b"%ff",
]
VALUES = [b"event:e1", b"sport:football", b"decimal", b"true", b"0", b"-1", b"1e9", b"99999999999999999999"]
queries = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES) | odd_text).map(b"=".join) | odd_text, max_size=4
).map(b"&".join)
targets = often(
    st.builds(lambda path, query: path + b"?" + query, st.sampled_from(PATHS), queries),
    st.builds(lambda path, tail: path + b"/" + tail, st.sampled_from(PATHS), odd_text),
    odd_text,
)
HEADERS = [
    b"Authorization: Bearer x.y.z",
    b"authorization: bearer ",
    b"Authorization: \xff",
    b"Authorization: Basic x",
    b"Origin: null",
    b"Origin: \xff",
    b"X-Forwarded-For: 1.2.3.4, \xff",
    b"X-Forwarded-For: " + b"1.1.1.1," * 200,
    b"X-Forwarded-For: [::",
    b"Forwarded: for=x",
    b"Last-Event-ID: 0-1-1",
    b"Last-Event-ID: \xff",
    b"Last-Event-ID: ..",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Connection: keep-alive",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Version: 8",
    b"Sec-WebSocket-Key: \xff",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    b"Sec-WebSocket-Protocol: \xff, odds.v1.json",
    b"Sec-WebSocket-Protocol: ",
    b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits=99",
    b"Sec-WebSocket-Extensions: ;;;=",
    b"Content-Encoding: gzip",
    b"Content-Encoding: br",
    b"Content-Type: \xff",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: x",
    b"Content-Length: -1",
    b"Content-Length: 5",
    b"Content-Length: 99999999999999999999",
    b"Expect: 100-continue",
    b"Expect: x",
    b"Range: bytes=0-0",
    b"Accept: \xff",
    b"Accept-Encoding: gzip;q=x",
    b"Cookie: \xff=\xff;;",
    b"Host: \xff",
    b"Host: [",
    b"X: " + b"a" * 9000,
    b"If-Modified-Since: yesterday",
    b"\xff: x",
    b": x",
    b"no colon",
    b" folded",
]
methods = often(
    st.sampled_from([b"GET", b"POST", b"HEAD"]),
    st.sampled_from([b"OPTIONS", b"PUT", b"DELETE", b"CONNECT", b"TRACE", b"\xff", b"get", b""]),
)
bodies = st.just(b"") | mostly(checks).map(to_json) | damaged(mostly(checks).map(to_json))


@st.composite
def http_requests(draw: st.DrawFn) -> bytes:
    body = draw(bodies)
    method = b"POST" if body and draw(st.booleans()) else draw(methods)
    target = b"/v1/quotes/check" if body and draw(st.booleans()) else draw(targets)
    version = draw(often(st.just(b"HTTP/1.1"), st.sampled_from([b"HTTP/1.0", b"HTTP/2.0", b"HTTP/1.9", b"x", b""])))
    head = draw(st.just([]) | st.lists(st.sampled_from(HEADERS), max_size=2))
    if body and draw(st.integers(0, 9)):
        head.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([b" ".join((method, target, version)), b"Host: x", *head, b"", body])


#: Without a byte for so long, a request is taken to be incomplete. Nothing fails if it was only slow.
_QUIET_S = 0.1


def is_complete(received: bytearray) -> bool:
    """Check whether an answer has arrived, or the beginning of one that does not end by itself."""
    head, end, body = received.partition(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return bool(end) and len(body) >= int(line.partition(b":")[2])
    return bool(end)


class Server:
    """A running service and the loop that it runs in."""

    def __init__(self, service: RunningService, runner: asyncio.Runner) -> None:
        self.service = service
        self.runner = runner

    async def answer(self, request: bytes, quiet_s: float = PATIENCE_S) -> bytes:
        """Send a request, or whatever it is. Return what comes back, until nothing does for some time."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service.port)
        received = bytearray()
        try:
            writer.write(request)
            async with asyncio.timeout(2 * PATIENCE_S):
                while not is_complete(received):
                    try:
                        async with asyncio.timeout(quiet_s):
                            part = await reader.read(65536)
                    except TimeoutError:
                        break  # it waits for the rest of the request
                    if not part:
                        break
                    received += part
        except ConnectionError:
            pass
        finally:
            writer.transport.abort()
        return bytes(received)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    stack = AsyncExitStack()
    with asyncio.Runner() as runner:

        async def start() -> RunningService:
            service = await stack.enter_async_context(running_service())
            service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
            await service.wait_published()
            return service

        found = Server(runner.run(start()), runner)
        yield found
        runner.run(stack.aclose())


def check_answer(request: bytes, answer: bytes) -> str:
    """Check an answer. Return its status, or that there is none."""
    if not answer:
        return "closed"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1].decode()
    assert status != "500", (request[:500], answer[:500])
    if status[0] in "45" and b"application/json" in head and body and b"chunked" not in head:
        error = orjson.loads(body)["error"]
        assert error["code"], request[:500]
        assert error["message"], request[:500]
    return status


@share(5, per_example=1)
@given(request=http_requests() | damaged(http_requests()))
def test_requests(server: Server, request: bytes) -> None:
    with bounded():
        answer = server.runner.run(server.answer(request, _QUIET_S))
    tried["HTTP requests", check_answer(request, answer)] += 1
    health = server.runner.run(server.answer(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"))
    assert b"200 OK" in health


def test_the_saved_bodies_are_answered(server: Server) -> None:
    for body in corpus("bodies"):
        head = b"POST /v1/quotes/check HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        assert check_answer(body, server.runner.run(server.answer(head + body))) in {"200", "400", "413"}
