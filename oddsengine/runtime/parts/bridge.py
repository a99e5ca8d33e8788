"""Runs the bridge to a broker."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, Literal

from oddsengine.bridge.credentials import client_context, credentials_of
from oddsengine.bridge.service import Bridge
from oddsengine.common.clock import CLOCK
from oddsengine.runtime.feeding.running import member_name
from oddsengine.runtime.parts.sole_worker import run_worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from oddsengine.bridge.delivery import Broker
    from oddsengine.bridge.settings import KafkaSettings, RabbitmqSettings
    from oddsengine.runtime.settings import Settings

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
    name, namespace, shards = member_name(), settings.redis.namespace, settings.engine.shards
    options: Any = {"lease_s": settings.engine.lease_s, "now_ms": CLOCK.now_ms}
    connect = broker_of(bridging)
    async with run_worker(
        redis_url, lambda redis: Bridge(name, redis, namespace, shards, kind, bridging, connect, **options)
    ) as bridge:
        yield bridge
