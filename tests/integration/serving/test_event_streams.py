"""Event streams and sockets as HTTP: curl and nginx with their defaults, HEAD requests, and how a body ends."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import orjson
import pytest
from websockets.asyncio.client import connect

from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.programs.curl import curl, curl_running, needs_curl
from tests.support.programs.nginx import needs_nginx, nginx
from tests.support.service import PATIENCE_S, RunningService, running_service, wait_until

if TYPE_CHECKING:
    from pathlib import Path

SSE = "/v1/sse?channel=event:e1"


async def with_a_market(service: RunningService, home: float = 2.0) -> None:
    service.feed(*market_updates(a_definition(), a_quote("home", home), a_quote("away", 1 / (1 - 1 / home))))
    await service.wait_published()


async def messages(stream: asyncio.StreamReader, until: str) -> list[str]:
    """Read events until one of an operation. Return all lines, which are those of an event stream and nothing else."""
    lines: list[str] = []
    async with asyncio.timeout(PATIENCE_S):
        while True:
            line = (await stream.readline()).decode().rstrip("\n")
            lines.append(line)
            assert not line or line.startswith(("data: ", "id: ")), lines
            if line.startswith("data: ") and orjson.loads(line[6:])["op"] == until:
                return lines


@needs_curl
@pytest.mark.parametrize("version", ["-0", "--http1.1"])
async def test_curl_gets_events_and_a_complete_body_when_the_gateway_drains(version: str) -> None:
    """With HTTP/1.0 it ends with the connection, with HTTP/1.1 with the last chunk: curl would fail without."""
    async with running_service() as service:
        await with_a_market(service)
        async with curl_running(version, service.base + SSE) as process:
            assert process.stdout is not None
            await messages(process.stdout, "snapshot")
            await with_a_market(service, 4.0)
            await messages(process.stdout, "delta")
            await service.gateway.connections.drain()
            await messages(process.stdout, "bye")
            async with asyncio.timeout(PATIENCE_S):
                assert 0 == await process.wait()


@needs_nginx
async def test_a_proxy_with_its_defaults_passes_events_on(tmp_path: Path) -> None:
    """nginx's default `proxy_pass` speaks HTTP/1.0."""
    async with running_service() as service, nginx(tmp_path, f"location / {{ proxy_pass {service.base}; }}") as proxy:
        await with_a_market(service)
        async with service.http.get(proxy + SSE) as response:
            assert (200, "text/event-stream") == (response.status, response.content_type)
            await messages(response.content, "snapshot")  # type: ignore[arg-type] # it has the same readline
            await with_a_market(service, 4.0)
            await messages(response.content, "delta")  # type: ignore[arg-type]
        await wait_until(lambda: not service.hub.sessions, "the end of the session")


@needs_curl
async def test_a_head_request_gets_headers_and_no_session() -> None:
    async with running_service() as service:
        await with_a_market(service)
        opened = service.hub.counters.opened
        code, head = await curl("-I", service.base + SSE)
        assert (0, True, True) == (code, "200 OK" in head, "text/event-stream" in head)
        code, head = await curl("-I", service.base + "/v1/sse?channel=event:none")
        assert "404" in head.splitlines()[0]
        upgrade = ("-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13")
        code, head = await curl("-I", *upgrade, "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", service.base + "/v1/stream")
        assert (0, True, True) == (code, "405" in head.splitlines()[0], "Allow: GET" in head)
        assert opened == service.hub.counters.opened
        for path in ("/v1/events", "/v1/events/e1", "/v1/snapshot?channel=event:e1", "/healthz", "/metrics", "/", "/docs"):
            code, head = await curl("-I", service.base + path)
            assert (0, True) == (code, "200 OK" in head), path


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"Sec-WebSocket-Version": "12"}, 426),
        ({"Sec-WebSocket-Version": ""}, 426),
        ({"Upgrade": "h2c"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Sec-WebSocket-Key": "½"}, 400),
    ],
)
async def test_a_handshake_that_is_not_supported_says_what_is(changed: dict[str, str], status: int) -> None:
    """RFC 6455, section 4.4, and RFC 9110, section 15.5.22."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **changed,
    }
    async with running_service() as service, service.http.get(service.base + "/v1/stream", headers=headers) as response:
        assert status == response.status
        message = (await response.json())["error"]["message"]
        assert "Sec-WebSocket-Key" in message or "WebSocket" in message
        if status == 426:
            assert ("websocket", "13") == (response.headers["Upgrade"], response.headers["Sec-WebSocket-Version"])


async def test_http_1_0_has_no_sockets() -> None:
    async with running_service() as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(
            b"GET /v1/stream HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        async with asyncio.timeout(PATIENCE_S):
            assert b"426" in await reader.readline()
        writer.close()


@needs_nginx
async def test_everything_works_under_a_path_of_a_proxy(tmp_path: Path) -> None:
    """The page and the documents refer to what they need by relative paths."""
    location = """location /odds/ { proxy_pass %s/; proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; }"""
    async with running_service() as service, nginx(tmp_path, location % service.base) as proxy:
        await with_a_market(service)

        async def body(path: str) -> str:
            async with service.http.get(f"{proxy}/odds/{path}") as response:
                assert 200 == response.status, path
                return await response.text()

        for page in ("", "docs"):
            text = (await body(page)).replace('"', "'")
            references = [part.partition("'")[0] for name in ("href='", "src='") for part in text.split(name)[1:]]
            assert references
            for reference in references:
                if not reference.startswith(("#", "https://")):
                    assert not reference.startswith("/"), reference
                    await body(reference)
        async with connect(proxy.replace("http", "ws") + "/odds/v1/stream") as socket:
            assert "welcome" in str(await socket.recv())
