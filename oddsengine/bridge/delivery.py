"""Delivers messages to a broker, whatever becomes of it: connects, sends until all are acknowledged, and tries again for ever."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Final, Protocol

from oddsengine.common.reporting.outages import Outage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from oddsengine.bridge.messages import Message

BROKER_OUTAGE: Final = Outage("broker unavailable", "broker available again")
_BACKOFF_START_S: Final = 0.1
_BACKOFF_CEILING_S: Final = 15.0


class BrokerFailed(Exception):
    """A broker did not do what it was asked to.

    Args:
        cause: what went wrong, a word or two.
        detail: more about it.
        is_lost: whether the connection can't be used any more.
    """

    def __init__(self, cause: str, detail: str = "", *, is_lost: bool = True) -> None:
        self.cause = cause
        self.detail = detail
        self.is_lost = is_lost
        super().__init__(f"{cause}: {detail}" if detail else cause)


class Broker(Protocol):
    """A connection to a broker."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Send messages in order and wait until all are acknowledged. Raises BrokerFailed; then some may have been."""
        ...

    async def close(self) -> None:
        """Close the connection. Never raises."""
        ...


class Counters:
    """Counts of what a bridge has done in this process."""

    __slots__ = ("behind_s", "failures", "messages", "snapshots", "waiting_ms")

    def __init__(self) -> None:
        self.messages: Counter[str] = Counter()
        self.snapshots: Counter[str] = Counter()
        self.failures = 0
        #: by shard, how old the last entry was when it was acknowledged
        self.behind_s: dict[int, float] = {}
        #: by shard, when the entry was published that is not acknowledged yet, Unix milliseconds
        self.waiting_ms: dict[int, int] = {}

    def behind(self, now_ms: int) -> Iterator[tuple[int, float]]:
        """Yield by how many seconds each shard is behind: with what is not acknowledged yet that grows."""
        for shard, behind_s in (self.behind_s | dict.fromkeys(self.waiting_ms, 0.0)).items():
            waiting_ms = self.waiting_ms.get(shard)
            yield shard, behind_s if waiting_ms is None else max(0.0, (now_ms - waiting_ms) / 1000)


def largest_of(messages: Sequence[Message]) -> str:
    """Return which of some messages is the largest: that one a broker may have refused."""
    found = max(messages, key=lambda message: len(message.body))
    return f"the largest message is the {found.kind} of {found.key}, {len(found.body):,} bytes"


class Delivery:
    """The way to a broker, shared by all shards.

    Nothing is queued here: whoever sends waits, and reads nothing meanwhile. So a broker that is slow or away delays this bridge,
    and nobody else. Failures are counted for each sender: one whose message is refused again and again waits ever longer, while
    the others are acknowledged.

    Args:
        name: the broker's name for logs.
        connect: connects; raises BrokerFailed.
        counters: what is counted.
        random: returns a number from 0 to 1.
    """

    def __init__(
        self, name: str, connect: Callable[[], Awaitable[Broker]], counters: Counters, random: Callable[[], float]
    ) -> None:
        self._name = name
        self._connect = connect
        self._counters = counters
        self._random = random
        self._broker: Broker | None = None
        self._connecting = asyncio.Lock()
        self._failures: Counter[str] = Counter()

    async def send(self, sender: str, messages: Sequence[Message]) -> None:
        """Send messages, and wait until the broker has acknowledged all of them. After a failure all are sent again.

        Args:
            sender: who sends, one thing at a time.
            messages: the messages.
        """
        while messages:
            broker: Broker | None = None
            try:
                broker = await self._connected()
                await broker.send(messages)
            except BrokerFailed as error:
                self._counters.failures += 1
                BROKER_OUTAGE.failed(self._user(sender), error.cause, error=error.detail)
                if error.is_lost and broker is not None and broker is self._broker:
                    await self._leave()
                await self._back_off(sender)
            else:
                self._failures.pop(sender, None)
                BROKER_OUTAGE.worked(self._user(sender))
                self._counters.messages.update(message.kind for message in messages)
                return

    async def close(self) -> None:
        """Close the connection, if there is one. Nobody sends any more."""
        for sender in self._failures:
            BROKER_OUTAGE.worked(self._user(sender))
        await self._leave()

    async def _leave(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.close()

    def _user(self, sender: str) -> str:
        return f"{self._name}, {sender}"

    async def _connected(self) -> Broker:
        if self._broker is None:
            async with self._connecting:
                if self._broker is None:
                    self._broker = await self._connect()
        return self._broker

    async def _back_off(self, sender: str) -> None:
        self._failures[sender] += 1
        ceiling_s = min(_BACKOFF_CEILING_S, _BACKOFF_START_S * 2 ** min(self._failures[sender], 20))
        await asyncio.sleep(ceiling_s * (0.5 + self._random() / 2))
