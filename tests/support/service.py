"""A whole service for a test: real Redis, real sockets, and a source that says what the test says."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect

from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.protocol.server_messages import ServerMessage
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.service import Service, run_service
from oddsengine.runtime.settings import EngineSettings, GatewaySettings, Settings
from tests.support.builders import a_batch, live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oddsengine.runtime.settings import FeedSettings

PATIENCE_S = 30
decode_server_message = msgspec.json.Decoder(ServerMessage).decode


def quick_settings(
    *,
    shards: int = 1,
    closed_event_ttl_s: float = 600.0,
    feeds: dict[str, FeedSettings] | None = None,
    profiles: dict[str, Profile] | None = None,
    auth: AuthSettings | None = None,
    limits: LimitSettings | None = None,
    **gateway: Any,
) -> Settings:
    return Settings(
        engine=EngineSettings(shards=shards, closed_event_ttl_s=closed_event_ttl_s),
        gateway=GatewaySettings(port=0, **gateway),
        profiles=profiles or {"default": Profile()},
        auth=auth or AuthSettings(),
        limits=limits or LimitSettings(),
        feeds=feeds or {},
    )


async def until(condition: Callable[[], bool], why: str = "the condition") -> None:
    """Wait for something that must come; no test depends on how long it takes."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{why} did not come") from None


class Served:
    """A running service and the ways to talk to it."""

    def __init__(self, service: Service, http: aiohttp.ClientSession) -> None:
        self.service = service
        self.http = http
        self.base = f"http://127.0.0.1:{service.port}"

    def say(self, *updates: Any, source: str = "src") -> None:
        self.service.engine.receive(a_batch(*updates, source=source))

    async def get(self, path: str, status: int = 200) -> Any:
        async with self.http.get(self.base + path) as response:
            assert status == response.status, await response.text()
            return orjson.loads(await response.read())

    async def post(self, path: str, body: bytes, status: int = 200) -> Any:
        async with self.http.post(self.base + path, data=body) as response:
            assert status == response.status, await response.text()
            return orjson.loads(await response.read())

    async def published(self) -> None:
        """Wait until all that was said has reached the gateway."""
        pipeline = self.service.engine.pipeline

        def done() -> bool:
            return not pipeline.is_dirty and all(
                (ours.epoch, ours.seq) == (theirs.epoch, theirs.seq)
                for ours, theirs in zip(pipeline.offers, self.service.hub.replica.offers, strict=True)
            )

        await until(done, "publication")

    @asynccontextmanager
    async def socket(self, **options: Any) -> AsyncIterator[Socket]:
        url = self.base.replace("http", "ws") + "/v1/stream"
        async with connect(url, compression=None, max_size=None, **options) as connection:
            yield Socket(connection)


class Socket:
    """A plain WebSocket client."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            received = await self.connection.recv()
        # Whatever is sent in any test is what the API's documents say.
        decode_server_message(received)
        message = orjson.loads(received)
        assert isinstance(message, dict)
        return message

    async def until(self, op: str) -> dict[str, Any]:
        """Read on to the next message of an operation."""
        heard: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    heard.append(await self.receive())
                    if heard[-1]["op"] == op:
                        return heard[-1]
        except TimeoutError:
            raise AssertionError(f"no {op} came, but {str(heard)[:2000]}") from None

    async def subscribed(self, *channels: str, **options: Any) -> dict[str, Any]:
        await self.send(op="subscribe", id=1, channels=list(channels), **options)
        return await self.until("subscribed")


@asynccontextmanager
async def served(settings: Settings | None = None, source: str = "src") -> AsyncIterator[Served]:
    """Run a service whose one source is live and silent."""
    async with run_service(settings or quick_settings(), [source]) as service, aiohttp.ClientSession() as http:
        await until(lambda: service.hub.replica.ready, "readiness")
        found = Served(service, http)
        service.engine.receive(live(source))
        yield found
