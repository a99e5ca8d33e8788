"""Runs a gateway: a replica of every shard, and the server for its subscribers."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from aiohttp import web

from oddsengine.common.clock import CLOCK, wall_clock_ms
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.gateway.access.tickets import Tickets
from oddsengine.gateway.console.engine_answers import EngineAnswers
from oddsengine.gateway.console.follower import ConsoleFollower
from oddsengine.gateway.hub.hub import Hub
from oddsengine.gateway.quotes.keys import QuoteKeys
from oddsengine.gateway.server.app import Gateway
from oddsengine.gateway.server.listener import Acceptor
from oddsengine.gateway.server.timeouts import HandshakeTimeouts
from oddsengine.gateway.state.replica import Replica
from oddsengine.runtime.certificates import server_context
from oddsengine.runtime.parts.access import access_part, build_admission, build_authenticator
from oddsengine.runtime.parts.apis import build_apis
from oddsengine.runtime.parts.maintenance import SWEEP_S, certificate_renewal, maintenance, run_tasks
from oddsengine.runtime.parts.serving import (
    accept_limits,
    access_log_part,
    draining_part,
    hub_settings,
    serving_part,
    use_drain,
)
from oddsengine.runtime.processes.front import Front, open_front, url_of
from oddsengine.runtime.processes.startup import Startup, Step
from oddsengine.runtime.telemetry.gateway_samples import (
    connection_samples,
    follower_samples,
    hub_samples,
    rejection_samples,
)
from oddsengine.runtime.telemetry.http_observer import HttpObserver
from oddsengine.runtime.telemetry.loop_delay import LoopDelay
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.runtime.telemetry.scrapes import SHARED_PORT
from oddsengine.runtime.timing import DEFAULT_TIMING
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.connection import keep_on_primary, open_client
from oddsengine.streams.floor.board import FloorBoard
from oddsengine.streams.floor.questions import Asker
from oddsengine.streams.follower import Follower
from oddsengine.streams.installation import Installation
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.results import Results

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence

    from prometheus_client import CollectorRegistry
    from redis.asyncio import Redis

    from oddsengine.gateway.console.engine_answers import EngineView
    from oddsengine.runtime.past.sources import HistorySource
    from oddsengine.runtime.reload import ReloadedPart
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.metrics import Source
    from oddsengine.runtime.telemetry.scrapes import Scrapes
    from oddsengine.runtime.telemetry.tracing import Tracing
    from oddsengine.runtime.timing import Timing

_SHUTDOWN_TIMEOUT_S: Final = 2.0
_LOAD_POLL_S: Final = 0.005
_REPORT_AFTER_S: Final = 2.0
#: longer than an idle owner takes to write again
_LIVE_WITHIN_S: Final = 2.0
_log = structlog.get_logger(__name__)


class GatewayService:
    """A running gateway and the port it listens on."""

    def __init__(
        self,
        gateway: Gateway,
        hub: Hub,
        followers: list[Follower],
        port: int,
        history: HistorySource,
        parts: Sequence[ReloadedPart] = (),
    ) -> None:
        self.gateway = gateway
        self.hub = hub
        self.followers = followers
        self.port = port
        #: where the history is that clients ask about
        self.history = history
        #: what a reload can change of it
        self.parts = parts

    async def withdraw(self, startup: Startup) -> None:
        """Report unready but serve on, until balancers have noticed; leave the gateway's context then, which drains it."""
        connections = self.gateway.connections
        connections.draining = True
        if connections.delay_s:
            _log.info("unready, serving on", delay_s=connections.delay_s, sessions=len(self.hub.sessions))
            await startup.linger(connections.delay_s)


class GatewayFront(NamedTuple):
    """A gateway that is bound, and answers that it is starting."""

    front: Front
    authenticator: Authenticator
    #: whether connections wait until this gateway can serve
    silent: bool = False


def read_secrets(settings: Settings) -> tuple[Authenticator, ssl.SSLContext | None]:
    """Read the keys and the certificate of a gateway.

    Raises:
        OSError: if a file of the certificate can't be used.
        UnusableKey: if a key can't.
        ValueError: if a key that signs quotes can't.
    """
    gateway = settings.gateway
    QuoteKeys(settings.quotes)
    tls = server_context(gateway.tls_cert, gateway.tls_key) if gateway.tls_cert else None
    return build_authenticator(settings), tls


@asynccontextmanager
async def open_gateway(
    settings: Settings, startup: Startup, *, inherited: Sequence[int] = (), silent_s: float = 0.0
) -> AsyncIterator[GatewayFront]:
    """Read the keys and the certificate, bind the port and answer that the gateway is starting, until the context is left.

    Args:
        settings: the configuration.
        startup: its steps are SECRETS and BIND meanwhile.
        inherited: the file descriptors of sockets to listen on; empty to bind the port.
        silent_s: see `open_front`.
    """
    gateway = settings.gateway
    with startup.doing(Step.SECRETS):
        authenticator, tls = read_secrets(settings)
    async with open_front(gateway.host, gateway.port, startup, tls=tls, inherited=inherited, silent_s=silent_s) as front:
        _log.info("listening", url=url_of(gateway.host, front.port, tls=tls is not None))
        yield GatewayFront(front, authenticator, silent_s > 0)


@asynccontextmanager
async def run_gateway(  # noqa: PLR0913 - it is wired once
    settings: Settings,
    redis_url: str,
    engine: EngineView | None = None,
    metrics: Sequence[Source] = (),
    *,
    opened: GatewayFront | None = None,
    registry_of: Callable[[Sequence[Source]], CollectorRegistry] = build_registry,
    startup: Startup | None = None,
    timing: Timing = DEFAULT_TIMING,
    scrapes: Scrapes = SHARED_PORT,
    tracing: Tracing | None = None,
) -> AsyncIterator[GatewayService]:
    """Follow every shard and serve subscribers; drain when the context is left.

    Args:
        settings: the configuration.
        redis_url: the Redis to follow.
        engine: the engine in this process, or None.
        metrics: more sources of `/metrics`.
        registry_of: builds the metrics of `/metrics` from their sources.
        opened: where it listens; None to bind the configured port.
        startup: its steps are SECRETS and BIND meanwhile, unless it is opened.
        timing: the intervals of its checks and heartbeats.
        scrapes: who may read the metrics, and where.
        tracing: makes spans; None if nothing is traced.

    Raises:
        UnsuitableRedis: in an exception group, when what is published is not of this installation.
    """
    startup = startup or Startup()
    async with AsyncExitStack() as stack:
        if opened is None:
            opened = await stack.enter_async_context(open_gateway(settings, startup))
        front = opened.front

        redis = open_client(redis_url, timing.socket_timeout_s)
        stack.push_async_callback(redis.aclose)
        hub = _build_hub(settings)
        reader, followers = _followers(settings, hub, redis, timing)
        session_limiter = SessionLimiter(redis, settings.redis.namespace)
        stack.push_async_callback(session_limiter.finish)
        tickets = Tickets(redis, settings.redis.namespace, CLOCK.wall_ms)
        admission = build_admission(settings, session_limiter, opened.authenticator, tickets)
        handshakes = HandshakeTimeouts(settings.limits.handshake_timeout_s, time.monotonic, settings.limits.idle_timeout_s)
        errors = InternalErrors()
        observer = HttpObserver(admission.addresses, logs=settings.log.access, tracing=tracing)
        loop_delay = LoopDelay(SWEEP_S)
        acceptors: list[Acceptor] = []
        sources: list[Source] = [
            lambda: hub_samples(hub),
            lambda: rejection_samples(hub, admission, handshakes),
            lambda: follower_samples(followers),
            lambda: [("oddsengine_internal_errors_total", (), errors.total)],
            lambda: (sample for acceptor in acceptors for sample in connection_samples(acceptor)),
            observer.samples,
            loop_delay.samples,
        ]
        if tracing is not None:
            hub.trace_deliveries(tracing.delivery)
            sources.append(tracing.samples)
        results = Results(redis, settings.redis.namespace, settings.engine.shards)
        log = CommandLog(redis, settings.redis.namespace)
        registry = registry_of([*metrics, *sources])
        apis = build_apis(settings, hub, admission, log, timing)
        stack.push_async_callback(apis.past.pool.close)
        board = FloorBoard(redis, settings.redis.namespace)
        asker = Asker(redis, settings.redis.namespace)
        stack.push_async_callback(asker.close)
        engines = EngineAnswers(engine, board, asker)
        gateway = Gateway(hub, admission, registry, engines, handshakes, results, errors, apis, scrapes.guard, apis.offered)
        gateway.connections.observer = observer
        use_drain(gateway.connections, settings)
        console = ConsoleFollower(hub.console, log, board, clock=time.monotonic, now_ms=wall_clock_ms, world_ms=CLOCK.wall_ms)
        running = [
            ("console commands", console.follow_commands()),
            ("console reports", console.follow_reports()),
            *maintenance(hub, admission, session_limiter, handshakes, loop_delay),
            *certificate_renewal(front, settings, timing),
            ("primary", keep_on_primary(redis)),
            ("reader", reader.run()),
            *(("follower", follower.run()) for follower in followers),
        ]
        limits = accept_limits(settings)

        def acceptor_of(server: web.Server) -> Acceptor:
            return Acceptor(
                server, front.sockets, front.tls, handshakes, admission.addresses, limits, errors, observer, gateway.sockets
            )

        await stack.enter_async_context(run_tasks(running))
        await stack.enter_async_context(scrapes.serving(registry))
        acceptors.append(await stack.enter_async_context(_accepting(gateway, opened, startup, acceptor_of)))
        served = serving_part(hub, handshakes, acceptors, apis.past)
        parts = [access_part(admission), *apis.parts(), served, draining_part(gateway.connections), access_log_part(observer)]
        yield GatewayService(gateway, hub, followers, front.port, apis.past.source, parts)


def _followers(settings: Settings, hub: Hub, redis: Redis, timing: Timing) -> tuple[SharedReader, list[Follower]]:
    """Return the follower of each shard, and what reads for all of them."""
    namespace, shards = settings.redis.namespace, settings.engine.shards
    installation = Installation(redis, namespace, shards)
    keys = [shard_keys(namespace, shard) for shard in range(shards)]
    reader = SharedReader(redis, [each.changes for each in keys], time.monotonic)
    followers = [
        Follower(
            reader,
            shard,
            keys[shard],
            offer,
            hub.staleness,
            time.monotonic,
            stale_after_s=timing.stale_after_s,
            check_installation=installation.check,
        )
        for shard, offer in enumerate(hub.replica.offers)
    ]
    return reader, followers


@asynccontextmanager
async def _accepting(
    gateway: Gateway, opened: GatewayFront, startup: Startup, acceptor_of: Callable[[web.Server], Acceptor]
) -> AsyncIterator[Acceptor]:
    """Take over the port from the front and accept connections; drain when the context is left."""
    runner = web.AppRunner(gateway.app, access_log=None, shutdown_timeout=_SHUTDOWN_TIMEOUT_S)
    try:
        await runner.setup()
        assert runner.server is not None  # noqa: S101 - it was set up
        if opened.silent:
            await startup.unless_stopped(_as_current_as_others(gateway.hub.replica, startup))
        await opened.front.hand_over()
        # A worker's sockets may be bound only: connections come to those of workers that serve.
        opened.front.listen()
        async with acceptor_of(runner.server) as acceptor:
            yield acceptor
    finally:
        opened.front.stop_listening()
        try:
            await gateway.connections.drain()
        finally:
            await runner.cleanup()


async def wait_loaded(service: GatewayService, startup: Startup) -> None:
    """Wait until every shard was loaded once. Meanwhile the gateway answers that it is starting.

    Raises:
        Stopped: if the process is asked to stop.
    """
    with startup.doing(Step.LOAD):
        await startup.unless_stopped(_loaded(service.hub.replica, startup))
    startup.ready()


async def _loaded(replica: Replica, startup: Startup) -> None:
    began_s, reported = time.monotonic(), False
    while missing := replica.unloaded():
        startup.waiting_for = f"shards {', '.join(map(str, missing))}: nothing was published in this namespace yet"
        if not reported and time.monotonic() - began_s > _REPORT_AFTER_S:
            _log.warning("waiting for an engine to publish", shards=missing)
            reported = True
        await asyncio.sleep(_LOAD_POLL_S)


async def _as_current_as_others(replica: Replica, startup: Startup) -> None:
    """Wait until every shard is loaded and live: another worker has told subscribers what this one has not read yet.

    Shards whose owners are silent are stale in the other workers too: they are not waited for.
    """
    await _loaded(replica, startup)
    with suppress(TimeoutError):
        async with asyncio.timeout(_LIVE_WITHIN_S):
            while not replica.ready:  # noqa: ASYNC110 - it is set by many places
                await asyncio.sleep(_LOAD_POLL_S)


def _build_hub(settings: Settings) -> Hub:
    return Hub(Replica(settings.engine.shards), time.monotonic, wall_clock_ms, hub_settings(settings))
