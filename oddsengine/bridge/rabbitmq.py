"""RabbitMQ, by aio-pika: a durable topic exchange, persistent messages, publisher confirms."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import aio_pika
from aio_pika import DeliveryMode, ExchangeType
from aio_pika.exceptions import AMQPException, ChannelPreconditionFailed, InvalidFrameError

from oddsengine.bridge.credentials import client_context, credentials_of
from oddsengine.bridge.delivery import BrokerFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aio_pika.abc import AbstractConnection, AbstractExchange

    from oddsengine.bridge.messages import Message
    from oddsengine.bridge.settings import RabbitmqSettings

_CONNECT_S: Final = 10.0
_CONFIRM_S: Final = 30.0
#: Shorter than `end_tasks` waits until it cancels once more.
_CLOSE_S: Final = 0.4
#: How many messages may be on their way.
_WINDOW: Final = 500
_PORTS: Final = {"amqp": 5672, "amqps": 5671}
#: `RuntimeError`: the connection was closed while it was used.
_FAILURES: Final = (AMQPException, OSError, TimeoutError, RuntimeError, ValueError)


class RabbitmqBroker:
    """A connection with one channel.

    Args:
        connection: it is open.
        exchange: where messages go.
    """

    def __init__(self, connection: AbstractConnection, exchange: AbstractExchange) -> None:
        self._connection = connection
        self._exchange = exchange

    async def send(self, messages: Sequence[Message]) -> None:
        """Send messages and wait until all are confirmed. Raises BrokerFailed."""
        try:
            async with asyncio.timeout(_CONFIRM_S + len(messages) / 1000):
                for start in range(0, len(messages), _WINDOW):
                    await asyncio.gather(*(self._publish(message) for message in messages[start : start + _WINDOW]))
        except asyncio.CancelledError as error:
            # The client cancels what waits for a confirmation when its connection is lost.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise BrokerFailed("CONNECTION", "lost while messages were on their way") from error
        except ChannelPreconditionFailed as error:
            # The channel is closed for all who send.
            refused = next((each for each in messages if f"size {len(each.body)} " in str(error)), None)
            if refused is None:
                raise BrokerFailed("CHANNEL", "closed because of what another has sent") from error
            raise BrokerFailed(type(error).__name__, f"{error}: the {refused.kind} of {refused.key}") from error
        except _FAILURES as error:
            raise _failure(error) from error

    async def _publish(self, message: Message) -> None:
        packed = aio_pika.Message(
            message.body,
            message_id=message.id,
            type=message.kind,
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            headers={"key": message.key},
        )
        # Nobody needs to be bound yet.
        await self._exchange.publish(packed, message.routing_key, mandatory=False)

    async def close(self) -> None:
        """Close the connection."""
        try:
            async with asyncio.timeout(_CLOSE_S):
                await self._connection.close()
        except _FAILURES:
            pass


async def connect_rabbitmq(settings: RabbitmqSettings) -> RabbitmqBroker:
    """Connect and declare the exchange.

    Raises:
        BrokerFailed: if the broker does not answer, or refuses.
    """
    parts = urlsplit(settings.url)
    host = parts.path.removeprefix("/") or "/"
    try:
        user, password = credentials_of(settings)
        arguments: dict[str, Any] = {"ssl_context": client_context(settings)} if parts.scheme == "amqps" else {}
        connection = await aio_pika.connect(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            login=user or "guest",
            password=password or "guest",
            virtualhost=host,
            ssl=parts.scheme == "amqps",
            timeout=_CONNECT_S,
            client_properties={"connection_name": "oddsengine-bridge"},
            **arguments,
        )
        try:
            async with asyncio.timeout(_CONNECT_S):
                channel = await connection.channel(publisher_confirms=True)
                exchange = await channel.declare_exchange(settings.exchange, ExchangeType.TOPIC, durable=True)
        except BaseException:
            await connection.close()
            raise
    except InvalidFrameError as error:
        # The client does not say why the broker has closed the connection in place of opening it.
        raise BrokerFailed("VHOST", f"there is no virtual host {host}, or {user or 'guest'} may not enter it") from error
    except _FAILURES as error:
        raise _failure(error) from error
    return RabbitmqBroker(connection, exchange)


def _failure(error: BaseException) -> BrokerFailed:
    return BrokerFailed(type(error).__name__, str(error))
