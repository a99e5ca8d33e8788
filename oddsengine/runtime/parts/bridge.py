"""Runs the bridge to a broker, and its API: health and metrics."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal

from aiohttp import web

from oddsengine.bridge.credentials import client_context, credentials_of
from oddsengine.bridge.service import Bridge
from oddsengine.common.clock import CLOCK
from oddsengine.common.http import UNKNOWN_ROUTE, admit, healthz, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.common.tasks import end_tasks
from oddsengine.gateway.access.grants import Role
from oddsengine.runtime.feeding.running import member_name
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.streams.connection import keep_on_primary, open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from oddsengine.bridge.delivery import Broker
    from oddsengine.bridge.settings import KafkaSettings, RabbitmqSettings
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.runtime.processes.front import Front
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.telemetry.scrapes import Scrapes

BridgeKind = Literal["kafka", "rabbitmq"]
#: Broker -> the package that speaks to it.
_CLIENTS: Final[dict[BridgeKind, str]] = {"kafka": "aiokafka", "rabbitmq": "aio_pika"}
_BROKER_CONNECTS_S: Final = 5.0


class ClientMissing(ValueError):
    """The package that speaks to a broker is not installed."""

    def __init__(self, kind: BridgeKind) -> None:
        super().__init__(f"bridge.{kind}: {_CLIENTS[kind]} is not installed: pip install 'oddsengine[bridge]'")


def check_bridge(kind: BridgeKind, settings: KafkaSettings | RabbitmqSettings) -> None:
    """Check that a bridge has what it needs on this machine: its client, secrets and certificates.

    Raises:
        ValueError: naming what is missing.
    """
    if find_spec(_CLIENTS[kind]) is None:
        raise ClientMissing(kind)
    try:
        credentials_of(settings)
        client_context(settings)
    except ValueError as error:
        raise ValueError(f"bridge.{kind}.{error}") from None


def broker_of(settings: KafkaSettings | RabbitmqSettings) -> Callable[[], Awaitable[Broker]]:
    """Return what connects to the broker of a bridge. Its client must be installed."""
    from oddsengine.bridge.settings import KafkaSettings  # noqa: PLC0415 - beside what decides by it

    if isinstance(settings, KafkaSettings):
        from oddsengine.bridge.kafka import connect_kafka  # noqa: PLC0415 - an extra

        return lambda: connect_kafka(settings)
    from oddsengine.bridge.rabbitmq import connect_rabbitmq  # noqa: PLC0415 - an extra

    return lambda: connect_rabbitmq(settings)


async def reach_broker(settings: KafkaSettings | RabbitmqSettings) -> None:
    """Connect to a broker and leave it. Raises BrokerFailed, or TimeoutError."""
    async with asyncio.timeout(_BROKER_CONNECTS_S):
        broker = await broker_of(settings)()
    await broker.close()


@asynccontextmanager
async def run_bridge(settings: Settings, redis_url: str, kind: BridgeKind) -> AsyncIterator[Bridge]:
    """Publish to a broker until the context is left, if no other process of the installation does.

    Args:
        settings: the configuration. It has the bridge.
        redis_url: the Redis with the streams.
        kind: which bridge.
    """
    bridging = getattr(settings.bridge, kind)
    redis = open_client(redis_url)
    bridge = Bridge(
        member_name(),
        redis,
        settings.redis.namespace,
        settings.engine.shards,
        kind,
        bridging,
        broker_of(bridging),
        lease_s=settings.engine.lease_s,
        now_ms=CLOCK.now_ms,
    )
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(bridge.run(), name="bridge"),
                group.create_task(keep_on_primary(redis), name="primary"),
            ]
            try:
                yield bridge
            finally:
                await end_tasks(tasks)
    finally:
        await redis.aclose()


@asynccontextmanager
async def serve_bridge_api(
    bridge: Bridge, front: Front, admission: Admission, scrapes: Scrapes, *, local: bool
) -> AsyncIterator[None]:
    """Serve `/healthz`, `/readyz` and `/metrics` while the context is open.

    Args:
        bridge: the bridge.
        front: where it listens.
        admission: admits requests.
        scrapes: admits scrapes.
        local: whether only this machine can connect, so that `/metrics` needs no token.
    """

    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ready", "active": bridge.is_active})

    registry = build_registry([bridge.samples])
    authorise_scrape = scrapes.guard(None if local else partial(admission.authorise, role=Role.service))
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", admit(authorise_scrape, metrics_handler(registry), InternalErrors()))
    app.add_routes([UNKNOWN_ROUTE])
    async with front.serving(app), scrapes.serving(registry):
        yield
