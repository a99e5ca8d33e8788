"""The bridge to RabbitMQ against a real one: a topic exchange, confirmed, and a connection that breaks."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aio_pika
import msgspec
import pytest
from structlog.testing import capture_logs

from oddsengine.bridge.delivery import BrokerFailed
from oddsengine.bridge.rabbitmq import connect_rabbitmq
from oddsengine.bridge.settings import BridgeSettings, RabbitmqSettings
from oddsengine.runtime.parts.bridge import run_bridge
from oddsengine.runtime.settings import EngineSettings, RedisSettings, Settings
from tests.support.builders import an_offer_of
from tests.support.credentials import Certificates
from tests.support.programs.rabbitmq import needs_rabbitmq, rabbitmq
from tests.support.programs.relay import Relay
from tests.support.service import PATIENCE_S, wait_until
from tests.support.streams.ends import Owner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis


@asynccontextmanager
async def bound(port: int, *keys: str) -> AsyncIterator[asyncio.Queue[aio_pika.abc.AbstractIncomingMessage]]:
    """Bind a queue to routing keys, and yield what arrives there."""
    connection = await aio_pika.connect(host="127.0.0.1", port=port)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange("odds", aio_pika.ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        for key in keys:
            await queue.bind(exchange, key)
        arrived: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(arrived.put, no_ack=True)
        yield arrived


async def until(arrived: asyncio.Queue[Any], **fields: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return routing keys and bodies up to the first body with these values."""
    found: list[tuple[str, dict[str, Any]]] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await arrived.get()
                body = json.loads(message.body)
                assert (message.message_id, message.type) == (body["id"], body["kind"])
                assert message.delivery_mode is aio_pika.DeliveryMode.PERSISTENT
                found.append((message.routing_key, body))
                if all(body.get(key) == value for key, value in fields.items()):
                    return found
    except TimeoutError:
        raise AssertionError(f"no {fields}, only {found[-5:]}") from None


@needs_rabbitmq
async def test_messages_are_routed_and_none_is_lost_with_a_connection(
    redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    certificates = Certificates(tmp_path)
    password = tmp_path / "password"
    password.write_text("guest\n")
    async with rabbitmq(tmp_path, "max_message_size = 20000") as port, Relay(port, certificates).running() as relay:
        broker = RabbitmqSettings(
            url=f"amqps://127.0.0.1:{relay.port}/",
            user="guest",
            password_file=str(password),
            tls_ca=str(certificates.trusted),
            status_interval_s=0.2,
        )
        settings = Settings(
            redis=RedisSettings(url=redis_server.url, namespace="test"),
            engine=EngineSettings(lease_s=0.5),
            bridge=BridgeSettings(rabbitmq=broker),
        )
        with pytest.raises(BrokerFailed, match="there is no virtual host none, or guest may not enter it"):
            await connect_rabbitmq(RabbitmqSettings(url=f"amqp://127.0.0.1:{port}/none"))
        owner = await Owner(redis).claimed()
        await owner.offers(2000)
        async with (
            bound(port, "*.football.cup.e1.match_odds") as of_market,
            bound(port, "#") as arrived,
            run_bridge(settings, redis_server.url, "rabbitmq"),
        ):
            begun = await until(arrived, kind="snapshot")
            assert ("event.football.cup.e1.-", "snapshot.football.cup.e1.match_odds") == tuple(key for key, _ in begun)[-2:]
            first = owner.offer.seq
            for price in range(2001, 2101):
                await owner.offers(price)
                if price in {2030, 2070}:
                    relay.refuses = price == 2030
                    relay.cut()
            relay.refuses = False
            seen = await until(arrived, kind="change", seq=owner.offer.seq)
            assert set(range(first + 1, owner.offer.seq + 1)) == {body["seq"] for _, body in seen if body["kind"] == "change"}
            assert relay.connections > 1
            only = await until(of_market, kind="change", seq=owner.offer.seq)
            assert {"snapshot", "change"} == {body["kind"] for _, body in only}
            assert msgspec.json.encode(only[-1][1]["state"]["selections"]["home"]["price"]) == b"2.1"
            # The broker refuses a message that is too large. That is said once, and others arrive.
            with capture_logs() as logs:
                owner.offer.stage_market(an_offer_of("e1/outright", {f"runner {number}": 2000 for number in range(300)}))
                await owner.flush()
                of_change = "the change of e1/outright"
                await wait_until(lambda: any(of_change in entry.get("error", "") for entry in logs), "a message is refused")
                while not arrived.empty():
                    arrived.get_nowait()
                for _ in range(3):
                    await until(arrived, kind="status")
            (refused,) = [entry for entry in logs if "larger than" in entry.get("error", "")]
            assert "rabbitmq, shard 0" == refused["user"]
            assert "broker available again" not in {entry["event"] for entry in logs}
