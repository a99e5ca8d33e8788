"""The roles a process can play, wired: an engine, a gateway, or both with a Redis of their own."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from redis.asyncio import Redis

from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.engine.engine import Engine
from oddsengine.engine.http_api import EngineApi, engine_app
from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.grants import SessionLimits
from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.gateway.hub.hub import Hub
from oddsengine.gateway.hub.settings import HubSettings
from oddsengine.gateway.server.app import Gateway
from oddsengine.gateway.server.listener import HandshakeTimeouts, listening
from oddsengine.gateway.state.replica import Replica
from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.streams.embedded import EmbeddedRedis
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import shard_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from prometheus_client import CollectorRegistry

    from oddsengine.gateway.server.rest import EngineView
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.metrics import Sample, Source

_SWEEP_S: Final = 0.02
#: All sessions are looked at twice a second, some at a time.
_HEARTBEAT_CHECK_S: Final = 0.02
_HEARTBEAT_SHARE: Final = 0.04
_CERTIFICATE_CHECK_S: Final = 5.0
#: Above the longest blocking read, below the time after which a shard counts as stale.
_SOCKET_TIMEOUT_S: Final = 2.0
_log = structlog.get_logger(__name__)


class Service:
    """What runs in one process that plays every role, for those who start it."""

    def __init__(self, engine: Engine, serving: GatewayService, embedded_redis: EmbeddedRedis | None) -> None:
        self.engine = engine
        self.gateway = serving.gateway
        self.hub = serving.hub
        self.followers = serving.followers
        self.port = serving.port
        self.embedded_redis = embedded_redis


class GatewayService:
    """A running gateway, and where it listens."""

    def __init__(self, gateway: Gateway, hub: Hub, followers: list[Follower]) -> None:
        self.gateway = gateway
        self.hub = hub
        self.followers = followers
        self.port = 0


@asynccontextmanager
async def serving(settings: Settings, sources: Sequence[str], metrics: Sequence[Source] = ()) -> AsyncIterator[Service]:
    """Run engine, followers and gateway; drain the gateway and stop them all on leaving.

    Args:
        settings: the configuration; its feeds are not started here.
        sources: the names of the feeds that will speak, most preferred first.
        metrics: what else `/metrics` shows.
    """
    async with (
        redis_of(settings) as (url, embedded),
        engine_running(settings, url, sources) as engine,
        gateway_running(settings, url, EngineApi(engine), [engine.samples, *metrics]) as gateway,
    ):
        yield Service(engine, gateway, embedded)


@asynccontextmanager
async def redis_of(settings: Settings) -> AsyncIterator[tuple[str, EmbeddedRedis | None]]:
    """Give the URL of the configured Redis, or start one of our own and keep it running."""
    if settings.redis.url:
        yield settings.redis.url, None
        return
    async with EmbeddedRedis() as embedded, asyncio.TaskGroup() as group:
        keeping = group.create_task(embedded.keep_running(), name="redis")
        try:
            yield embedded.url, embedded
        finally:
            await end_tasks([keeping])


@asynccontextmanager
async def engine_running(settings: Settings, url: str, sources: Sequence[str]) -> AsyncIterator[Engine]:
    """Own every shard and publish; raises `Fenced`, in a group, when another engine has taken over."""
    async with AsyncExitStack() as stack:
        writing = Redis.from_url(url, socket_timeout=_SOCKET_TIMEOUT_S)
        stack.push_async_callback(writing.aclose)
        engine = Engine(
            writing,
            settings.redis.namespace,
            Pricer(settings.profiles, settings.tiers),
            sources,
            shards=settings.engine.shards,
            closed_event_ttl_s=settings.engine.closed_event_ttl_s,
            now_ms=wall_clock_ms,
            sourcing=settings.sourcing,
            matching=settings.matching,
        )
        await engine.take_over()
        async with asyncio.TaskGroup() as group:
            running = group.create_task(engine.run(), name="engine")
            try:
                yield engine
            finally:
                await end_tasks([running])


@asynccontextmanager
async def gateway_running(
    settings: Settings,
    url: str,
    engine: EngineView | None = None,
    metrics: Sequence[Source] = (),
    *,
    reuse_port: bool = False,
) -> AsyncIterator[GatewayService]:
    """Follow every shard and serve subscribers; drain on leaving.

    Args:
        settings: the configuration.
        url: the Redis to follow.
        engine: the engine in this process; None if there is none.
        metrics: what else `/metrics` shows.
        reuse_port: whether other processes may listen on the same port.
    """
    async with AsyncExitStack() as stack:
        gateway_settings, limits = settings.gateway, settings.limits
        replica = Replica(settings.engine.shards)
        hub_settings = HubSettings(
            heartbeat_ms=gateway_settings.heartbeat_ms,
            profile=gateway_settings.profile,
            slow_client_timeout_s=limits.slow_client_timeout_s,
            history_ms=round(gateway_settings.quote_history_s * 1000),
            stale_suspend_after_s=gateway_settings.stale_suspend_after_s,
        )
        hub = Hub(replica, time.monotonic, wall_clock_ms, hub_settings)
        followers: list[Follower] = []
        for shard in range(settings.engine.shards):
            reading = Redis.from_url(url, socket_timeout=_SOCKET_TIMEOUT_S)
            stack.push_async_callback(reading.aclose)
            keys = shard_keys(settings.redis.namespace, shard)
            followers.append(Follower(reading, shard, keys, replica.offers[shard], hub.staleness, time.monotonic))
        counting = Redis.from_url(url, socket_timeout=_SOCKET_TIMEOUT_S)
        stack.push_async_callback(counting.aclose)
        session_limiter = SessionLimiter(counting, settings.redis.namespace)
        admission = build_admission(settings, session_limiter)
        handshakes = HandshakeTimeouts(limits.handshake_timeout_s, time.monotonic)
        registry = build_registry([*metrics, lambda: _gateway_samples(hub, admission, handshakes, followers)])
        gateway = Gateway(hub, admission, registry, engine, handshakes)
        service = GatewayService(gateway, hub, followers)
        certificate = _tls(settings)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(_sweeping(hub), name="sweep"),
                group.create_task(_heartbeats(hub), name="heartbeats"),
                group.create_task(session_limiter.renew(), name="session-leases"),
                *(group.create_task(follower.run(), name="follower") for follower in followers),
            ]
            if certificate is not None:
                tasks.append(group.create_task(_renewing(certificate, settings), name="certificate"))
            tasks.append(group.create_task(handshakes.watch(), name="handshakes"))
            runner = web.AppRunner(gateway.app, access_log=None, shutdown_timeout=2.0)
            try:
                await runner.setup()
                assert runner.server is not None  # noqa: S101 - it was set up
                tracked = handshakes.track(runner.server)
                host, port = gateway_settings.host, gateway_settings.port
                # Twice: who merely does not read is told why before the system cuts it off.
                lost_s = 2 * limits.slow_client_timeout_s
                async with listening(tracked, host, port, certificate, reuse_port=reuse_port, lost_s=lost_s) as service.port:
                    yield service
            finally:
                await gateway.connections.drain()
                await runner.cleanup()
                await end_tasks(tasks)


@asynccontextmanager
async def engine_api(engine: Engine, registry: CollectorRegistry, host: str, port: int) -> AsyncIterator[int]:
    """Serve the engine's own HTTP API, `/healthz` and `/metrics`, and yield the port.

    Args:
        engine: the engine.
        registry: what `/metrics` shows.
        host: where to listen.
        port: 0 takes a free one.
    """
    runner = web.AppRunner(engine_app(engine, registry), access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def build_admission(settings: Settings, session_limiter: SessionLimiter | None = None) -> Admission:
    """Build the admission of requests. Raises UnusableKey if a configured key is not valid."""
    limits, gateway = settings.limits, settings.gateway
    of_a_session = SessionLimits(sessions=limits.sessions, channels=limits.channels, messages_per_s=limits.messages_per_s)
    authenticator = Authenticator(settings.auth, of_a_session)
    authenticator.validate_keys()
    if authenticator.anonymous is not None:
        _log.warning("anonymous access enabled", role=authenticator.anonymous.role.name)
    return Admission(authenticator, limits, gateway.allowed_origins, gateway.trusted_proxies, time.monotonic, session_limiter)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if not settings.gateway.tls_cert:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.gateway.tls_cert, settings.gateway.tls_key)
    return context


async def _renewing(context: ssl.SSLContext, settings: Settings) -> None:
    """Serve a renewed certificate to whoever connects from then on; one that can't be used is reported."""
    cert, key = settings.gateway.tls_cert, settings.gateway.tls_key
    loaded = _modified(cert, key)
    while True:
        await asyncio.sleep(_CERTIFICATE_CHECK_S)
        try:
            found = _modified(cert, key)
            if found != loaded:
                context.load_cert_chain(cert, key)
                loaded = found
                _log.info("certificate renewed", file=cert)
        except (OSError, ssl.SSLError) as error:
            _log.error("certificate not renewed, the old one stays", file=cert, error=str(error))


def _modified(*files: str) -> list[int]:
    return [Path(file).stat().st_mtime_ns for file in files]


async def _sweeping(hub: Hub) -> None:
    while True:
        await asyncio.sleep(_SWEEP_S)
        hub.sweep()


async def _heartbeats(hub: Hub) -> None:
    while True:
        await asyncio.sleep(_HEARTBEAT_CHECK_S)
        hub.heartbeat(_HEARTBEAT_SHARE)


def _gateway_samples(
    hub: Hub, admission: Admission, handshakes: HandshakeTimeouts, followers: list[Follower]
) -> Iterable[Sample]:
    counters = hub.counters
    yield "oddsengine_sessions", (), len(hub.sessions)
    yield "oddsengine_sessions_opened_total", (), counters.opened
    yield "oddsengine_sent_frames_total", (), counters.frames
    yield "oddsengine_sent_bytes_total", (), counters.bytes
    yield "oddsengine_sent_deltas_total", (), counters.deltas
    yield "oddsengine_sent_snapshots_total", (), counters.snapshots
    yield "oddsengine_resumed_subscriptions_total", (), counters.resumed
    yield "oddsengine_slow_consumers_total", (), counters.slow_consumers
    yield "oddsengine_slow_consumer_disconnects_total", (), counters.slow_consumer_disconnects
    yield "oddsengine_catch_ups_total", (), counters.catch_ups
    yield "oddsengine_bad_messages_total", (), counters.bad_messages
    yield "oddsengine_suspension_seconds", (), counters.suspension_seconds
    rejected = {
        "token": admission.authenticator.rejected,
        "expired": counters.expired,
        "origin": admission.rejected_origins,
        "sessions_per_address": admission.rejected_sessions,
        "handshakes": admission.handshakes.rejected,
        "requests": admission.requests.rejected,
        "session_limit": counters.over_limit,
        "slow_handshake": handshakes.timed_out,
    }
    for reason, count in rejected.items():
        yield "oddsengine_rejected_total", (reason,), count
    for shard, follower in enumerate(followers):
        yield "oddsengine_snapshot_reloads_total", (str(shard),), follower.snapshot_reloads
        yield "oddsengine_shard_stale", (str(shard),), follower.stale
