"""A whole service for a test: real Redis, real sockets, and a source that the test feeds."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
import orjson
from websockets.asyncio.client import ClientConnection, connect

from oddsengine.domain.ids import EventId, shard_of
from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.protocol.server_messages import ServerMessage
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.runtime.service import Service, run_service
from oddsengine.runtime.settings import EngineSettings, GatewaySettings, RedisSettings, Settings
from oddsengine.runtime.timing import Timing
from oddsengine.streams.embedded import EmbeddedRedis
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.publisher import Publisher, prepare
from tests.support.builders import a_batch, an_event, an_offer_of, live

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from redis.asyncio import Redis

    from oddsengine.engine.engine import Engine
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.app import Gateway
    from oddsengine.runtime.gateway import GatewayService
    from oddsengine.runtime.settings import FeedSettings

#: How long a test waits for something that must happen.
PATIENCE_S: Final = 60.0
#: A service is ready once its engine has written twice, so tests shorten that interval. A command is applied once it is answered.
QUICK_TIMING: Final = Timing(heartbeat_s=0.05, command_wait_s=PATIENCE_S)
decode_server_message = msgspec.json.Decoder(ServerMessage).decode


@contextmanager
def redis_in_thread() -> Iterator[str]:
    """Run a server. Yield its URL."""
    urls: list[str] = []
    errors: list[BaseException] = []
    started, ended = threading.Event(), threading.Event()

    async def run() -> None:
        async with EmbeddedRedis() as server:
            urls.append(server.url)
            started.set()
            await asyncio.to_thread(ended.wait)

    def run_loop() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            errors.append(error)
            started.set()

    thread = threading.Thread(target=run_loop, name="redis")
    thread.start()
    started.wait()
    try:
        if errors:
            raise errors[0]
        yield urls[0]
    finally:
        ended.set()
        thread.join()


class SharedRedis:
    """The server that the tests of a process share, each with its own namespace. It is started by the first one."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._url = ""
        self._namespaces = 0

    def url(self) -> str:
        """Return the URL. Start the server if it is not running."""
        if not self._url:
            self._url = self._stack.enter_context(redis_in_thread())
        return self._url

    def new_namespace(self) -> str:
        """Return a namespace that no other test uses."""
        self._namespaces += 1
        return f"test{self._namespaces}"

    def close(self) -> None:
        """Stop the server. No-op if it was never started."""
        self._url = ""
        self._stack.close()


shared_redis = SharedRedis()


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
    """Build settings with one default profile and a free port."""
    return Settings(
        engine=EngineSettings(shards=shards, closed_event_ttl_s=closed_event_ttl_s),
        gateway=GatewaySettings(port=0, **gateway),
        profiles=profiles or {"default": Profile()},
        auth=auth or AuthSettings(),
        limits=limits or LimitSettings(),
        feeds=feeds or {},
    )


async def wait_until(condition: Callable[[], bool], description: str = "the condition", patience_s: float = PATIENCE_S) -> float:
    """Wait for something that must happen, and return the seconds it took. No test depends on how long that is."""
    started_s = time.monotonic()
    try:
        async with asyncio.timeout(patience_s):
            while not condition():
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{description} did not happen within {patience_s:g} s") from None
    return time.monotonic() - started_s


class RunningGateway:
    """A running gateway and the ways to talk to it."""

    def __init__(self, service: GatewayService | Service, http: aiohttp.ClientSession) -> None:
        self.gateway: Gateway = service.gateway
        self.hub: Hub = service.hub
        self.port = service.port
        self.http = http
        self.base = f"http://127.0.0.1:{service.port}"

    async def get(self, path: str, status: int = 200) -> Any:
        """Send a GET request, check the status, and return the JSON body."""
        async with self.http.get(self.base + path) as response:
            assert status == response.status, await response.text()
            return orjson.loads(await response.read())

    async def post(self, path: str, body: bytes, status: int = 200) -> Any:
        """Send a POST request, check the status, and return the JSON body."""
        async with self.http.post(self.base + path, data=body) as response:
            assert status == response.status, await response.text()
            return orjson.loads(await response.read())

    @asynccontextmanager
    async def socket(self, **options: Any) -> AsyncIterator[Socket]:
        """Open a WebSocket."""
        url = self.base.replace("http", "ws") + "/v1/stream"
        async with connect(url, compression=None, max_size=None, **options) as connection:
            yield Socket(connection)


class RunningService(RunningGateway):
    """A running service with all roles, whose sources are fed by the test."""

    def __init__(self, service: Service, http: aiohttp.ClientSession, settings: Settings) -> None:
        super().__init__(service, http)
        self.engine: Engine = service.engine
        self.followers = service.followers
        self.settings = settings
        self._embedded_redis = service.embedded_redis

    @property
    def redis_url(self) -> str:
        """The URL of this service's own Redis (`own_redis`)."""
        assert self._embedded_redis is not None
        return self._embedded_redis.url

    @property
    def redis_pid(self) -> int:
        """The process id of this service's own Redis (`own_redis`)."""
        assert self._embedded_redis is not None
        assert self._embedded_redis.pid is not None
        return self._embedded_redis.pid

    def feed(self, *updates: Any, source: str = "src") -> None:
        """Pass updates of a source to the engine."""
        self.engine.receive(a_batch(*updates, source=source))

    async def wait_published(self) -> None:
        """Wait until the gateway has everything that was fed."""
        pipeline, replica = self.engine.pipeline, self.hub.replica

        def all_published() -> bool:
            return not pipeline.is_dirty and all(
                (owner.epoch, owner.seq) == (copy.epoch, copy.seq)
                for owner, copy in zip(pipeline.offers, replica.offers, strict=True)
            )

        await wait_until(all_published, "publication")


class Socket:
    """A WebSocket client that checks every message against the documented types."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, **message: Any) -> None:
        """Send a JSON message."""
        await self.connection.send(orjson.dumps(message).decode())

    async def receive(self) -> dict[str, Any]:
        """Return the next message."""
        async with asyncio.timeout(PATIENCE_S):
            received = await self.connection.recv()
        decode_server_message(received)
        message = orjson.loads(received)
        assert isinstance(message, dict)
        return message

    async def receive_until(self, *ops: str) -> dict[str, Any]:
        """Return the next message of one of some operations, skipping others."""
        received: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    received.append(await self.receive())
                    if received[-1]["op"] in ops:
                        return received[-1]
        except TimeoutError:
            raise AssertionError(f"no {' or '.join(ops)} within {PATIENCE_S:g} s, only {str(received)[:2000]}") from None

    async def subscribe(self, *channels: str, **options: Any) -> dict[str, Any]:
        """Subscribe and return the answer."""
        await self.send(op="subscribe", id=1, channels=list(channels), **options)
        return await self.receive_until("subscribed")


@asynccontextmanager
async def running_service(
    settings: Settings | None = None,
    *,
    sources: Sequence[str] = ("src",),
    timing: Timing = QUICK_TIMING,
    own_redis: bool = False,
    redis_url: str = "",
    namespace: str = "odds",
) -> AsyncIterator[RunningService]:
    """Run a service whose sources are live and have no markets yet.

    Args:
        settings: the settings; Redis is set here.
        sources: the names of the sources, most preferred first.
        timing: the intervals of the service.
        own_redis: run a Redis for this service alone, which the test may stop. Otherwise all services of a process share one.
        redis_url: a Redis of the test's.
        namespace: the namespace there.
    """
    settings = settings or quick_settings()
    if redis_url:
        settings = msgspec.structs.replace(settings, redis=RedisSettings(url=redis_url, namespace=namespace))
    elif not own_redis:
        redis = RedisSettings(url=shared_redis.url(), namespace=shared_redis.new_namespace())
        settings = msgspec.structs.replace(settings, redis=redis)
    async with run_service(settings, sources, timing=timing) as service, aiohttp.ClientSession() as http:
        await wait_until(lambda: service.hub.replica.ready, "readiness")
        for source in sources:
            service.engine.receive(live(source))
        yield RunningService(service, http, settings)


async def publish_once(redis: Redis, settings: Settings, *events: str) -> None:
    """Leave in Redis what an engine would: claim every shard and publish one open market of each event."""
    shards = settings.engine.shards
    for shard in range(shards):
        offer = OwnedOffer(("default",))
        publisher = Publisher(redis, shard, shard_keys(settings.redis.namespace, shard), offer)
        await publisher.claim(1_000_000)
        for event in events:
            if shard_of(EventId(event), shards) == shard:
                offer.stage_event(an_event(event))
                offer.stage_market(an_offer_of(f"{event}/match_odds", {"home": 2000}))
        batch = offer.commit(0)
        if batch is not None:
            await publisher.publish(prepare(offer, batch))
