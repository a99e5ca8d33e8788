"""Kafka, by aiokafka."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.conn import create_conn
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    LeaderNotAvailableError,
    MessageSizeTooLargeError,
    NotLeaderForPartitionError,
    UnknownTopicOrPartitionError,
)

from oddsengine.bridge.credentials import client_context, credentials_of
from oddsengine.bridge.delivery import BrokerFailed, largest_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.bridge.messages import Message
    from oddsengine.bridge.settings import KafkaSettings

_REQUEST_S: Final = 10.0
#: Longer than the client itself tries.
_SEND_S: Final = 30.0
#: Shorter than `end_tasks` waits until it cancels once more.
_CLOSE_S: Final = 0.4
_LINGER_MS: Final = 2
#: More than any broker takes: its own limit counts.
_MAX_BYTES: Final = 64_000_000
#: How many replicas a topic gets, where there are as many brokers.
_REPLICAS: Final = 3
_EXISTS: Final = 36
#: `LookupError`: the client looks for a proof in the answer of a broker that refuses ours.
_FAILURES: Final = (KafkaError, OSError, TimeoutError, ValueError, LookupError)
#: What the client says once it has not found a topic for as long as it tries.
_TOPIC_MISSING: Final = (UnknownTopicOrPartitionError, NotLeaderForPartitionError, LeaderNotAvailableError)


class KafkaBroker:
    """A producer. One batch of a partition is on its way at a time, so messages of one key keep their order.

    Args:
        producer: it is started.
        settings: the settings.
    """

    def __init__(self, producer: AIOKafkaProducer, settings: KafkaSettings) -> None:
        self._producer = producer
        self._settings = settings
        self._topics = {key: getattr(settings.topics, key) for key in settings.topics.__struct_fields__}

    async def send(self, messages: Sequence[Message]) -> None:
        """Send messages and wait until all in-sync replicas have them. Raises BrokerFailed."""
        sent: list[asyncio.Future[Any]] = []
        failed: BaseException | None = None
        try:
            async with asyncio.timeout(_SEND_S):
                for message in messages:
                    topic = self._topics[message.topic]
                    if topic:
                        sent.append(await self._send(topic, message))
                # All are awaited, also after one has failed: nothing older may arrive once they are sent again.
                found = await asyncio.gather(*sent, return_exceptions=True)
        except TimeoutError as error:
            # The client itself gives up earlier: it has ended.
            raise BrokerFailed("TIMEOUT", f"no acknowledgement within {_SEND_S:g} s") from error
        except _FAILURES as error:
            await asyncio.wait(sent, timeout=_SEND_S) if sent else None
            failed = error
        else:
            failed = next((each for each in found if isinstance(each, BaseException)), None)
        if failed is not None:
            hint = f"; {largest_of(messages)}" if isinstance(failed, MessageSizeTooLargeError) else ""
            if isinstance(failed, _TOPIC_MISSING) and self._settings.create_topics:
                # Somebody has deleted it.
                hint = await self._create_topics()
            raise BrokerFailed(type(failed).__name__, f"{failed}{hint}", is_lost=False) from failed

    async def _create_topics(self) -> str:
        """Create the topics that are missing, and return what to add to an error."""
        try:
            await _create_topics(self._settings, _arguments(self._settings))
        except (*_FAILURES, BrokerFailed) as error:
            return f"; its topic can't be created: {error}"
        return "; its topic was missing, and is created"

    async def _send(self, topic: str, message: Message) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = await self._producer.send(
            topic,
            None if message.is_tombstone else message.body,
            key=message.key.encode(),
            headers=[("id", message.id.encode()), ("kind", message.kind.encode())],
        )
        return future

    async def close(self) -> None:
        """Close the connections. Messages that are not acknowledged are given up: they are sent again."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._producer.stop()
        except TimeoutError:
            # It waits for a broker that is away.
            sender = self._producer._sender  # noqa: SLF001 - nothing public ends it
            if sender is not None:
                await sender.close()
            await self._producer.client.close()
        except _FAILURES:
            pass


async def connect_kafka(settings: KafkaSettings) -> KafkaBroker:
    """Connect, and create the topics that are missing.

    Raises:
        BrokerFailed: if no broker answers, or one refuses.
    """
    try:
        arguments = _arguments(settings)
    except ValueError as error:
        raise _failure(error) from error
    try:
        if settings.create_topics:
            await _create_topics(settings, arguments)
        producer = AIOKafkaProducer(
            acks="all",
            linger_ms=_LINGER_MS,
            max_request_size=_MAX_BYTES,
            compression_type=None if settings.compression == "none" else settings.compression,
            **arguments,
        )
        broker = KafkaBroker(producer, settings)
        try:
            await producer.start()
        except BaseException:
            await broker.close()
            raise
    except KafkaConnectionError as error:
        raise _failure(await _refusal_of(settings, arguments) or error) from error
    except _FAILURES as error:
        raise _failure(error) from error
    return broker


async def _refusal_of(settings: KafkaSettings, arguments: dict[str, Any]) -> BaseException | None:
    """Return why a broker does not let us in. A client that connects says only that none of them does."""
    options = {name: value for name, value in arguments.items() if name != "bootstrap_servers"}
    for broker in settings.brokers:
        host, _, port = broker.rpartition(":")
        try:
            connection = await create_conn(host, int(port), **options)
        except _FAILURES as error:
            return error
        connection.close()
    return None


def _arguments(settings: KafkaSettings) -> dict[str, Any]:
    user, password = credentials_of(settings)
    security = ("SASL_" if user else "") + ("SSL" if settings.tls else "PLAINTEXT")
    arguments: dict[str, Any] = {
        "bootstrap_servers": list(settings.brokers),
        "client_id": "oddsengine-bridge",
        "request_timeout_ms": round(_REQUEST_S * 1000),
        "security_protocol": security,
        "ssl_context": client_context(settings) if settings.tls else None,
    }
    if user:
        arguments |= {"sasl_mechanism": settings.sasl, "sasl_plain_username": user, "sasl_plain_password": password}
    return arguments


async def _create_topics(settings: KafkaSettings, arguments: dict[str, Any]) -> None:
    admin = AIOKafkaAdminClient(**arguments)
    try:
        await admin.start()
        present = set(await admin.list_topics())
        wanted = [name for key in settings.topics.__struct_fields__ if (name := getattr(settings.topics, key))]
        factor = settings.replication_factor
        if not factor:
            # The version of the request that the client knows has no default of the broker's.
            factor = min(_REPLICAS, len((await admin.describe_cluster())["brokers"]))
        policy = {"cleanup.policy": settings.cleanup}
        missing = [NewTopic(name, settings.partitions, factor, topic_configs=policy) for name in wanted if name not in present]
        if missing:
            answer = await admin.create_topics(missing)
            for name, code, *text in answer.topic_errors:
                if code not in {0, _EXISTS}:
                    raise BrokerFailed("TOPIC", f"{name} can't be created: {' '.join(map(str, text))} (error {code})")
    finally:
        await admin.close()


def _failure(error: BaseException, *, is_lost: bool = True) -> BrokerFailed:
    return BrokerFailed(type(error).__name__, str(error), is_lost=is_lost)
