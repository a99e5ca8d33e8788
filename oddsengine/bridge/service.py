"""The bridge to one broker: by lease, one process of an installation publishes, and the others wait."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.bridge.command_bridge import CommandBridge
from oddsengine.bridge.delivery import Counters, Delivery
from oddsengine.bridge.messages import status_message
from oddsengine.bridge.positions import PositionStore
from oddsengine.bridge.shard_bridge import ShardBridge
from oddsengine.common.tasks import end_tasks
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.leases.sole_worker import SoleWorker

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from redis.asyncio import Redis

    from oddsengine.bridge.delivery import Broker
    from oddsengine.bridge.settings import KafkaSettings, RabbitmqSettings

_CHECK_S: Final = 0.25
_log = structlog.get_logger(__name__)


class Bridge:
    """The bridge of one process.

    Args:
        name: the process's name, unique in its installation.
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: how many shards there are.
        kind: `kafka` or `rabbitmq`.
        settings: the bridge's settings.
        connect: connects to the broker; raises BrokerFailed.
        lease_s: how long the lease lasts.
        now_ms: Unix milliseconds.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        name: str,
        redis: Redis,
        namespace: str,
        shards: int,
        kind: str,
        settings: KafkaSettings | RabbitmqSettings,
        connect: Callable[[], Awaitable[Broker]],
        *,
        lease_s: float,
        now_ms: Callable[[], int],
    ) -> None:
        self._redis = redis
        self._namespace = namespace
        self._shards = shards
        self._kind = kind
        self._settings = settings
        self._connect = connect
        self._now_ms = now_ms
        self._counters = Counters()
        self._worker = SoleWorker(name, redis, namespace, f"bridge:{kind}", lease_s, self._work)

    @property
    def is_active(self) -> bool:
        """Whether this process is the one that publishes."""
        return self._worker.is_working

    async def run(self) -> None:
        """Publish while this process is the one that does, until cancelled or stopped."""
        await self._worker.run()

    async def stop(self) -> None:
        """Release the bridge for another process. May be called again."""
        await self._worker.stop()

    async def _work(self) -> None:
        """Publish until cancelled."""
        _log.info("bridging", broker=self._kind, shards=self._shards)
        lease = self._worker.lease
        self._counters.behind_s.clear()
        self._counters.waiting_ms.clear()
        store = PositionStore(self._redis, self._namespace, self._kind)
        delivery = Delivery(self._kind, self._connect, self._counters, random.random)
        keys = [shard_keys(self._namespace, shard) for shard in range(self._shards)]
        reader = SharedReader(self._redis, [each.changes for each in keys], time.monotonic)
        bridges = [
            ShardBridge(
                shard,
                reader,
                each,
                store,
                delivery,
                lease,
                self._counters,
                profile=self._settings.profile,
                odds_format=self._settings.odds_format,
                clock=time.monotonic,
                now_ms=self._now_ms,
            )
            for shard, each in enumerate(keys)
        ]
        commands = CommandBridge(CommandLog(self._redis, self._namespace), store, delivery, lease)
        # Not a task group, which cancels its tasks once only (see `end_tasks`).
        runs = [reader.run(), commands.run(), self._publish_status(bridges, delivery), *(each.run() for each in bridges)]
        tasks = [asyncio.create_task(each) for each in runs]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await end_tasks(tasks)
            finally:
                await delivery.close()

    async def _publish_status(self, bridges: Sequence[ShardBridge], delivery: Delivery) -> None:
        """Publish the state of every shard periodically, and of one at once when it has changed."""
        published: dict[int, bool] = {}
        due_s = time.monotonic()
        while True:
            await self._worker.lease.until_held()
            now_s = time.monotonic()
            is_due = now_s >= due_s
            if is_due:
                due_s = now_s + self._settings.status_interval_s
            states = {each.shard: each.is_live for each in bridges}
            await delivery.send(
                "status",
                [
                    status_message(each.shard, each.position, self._now_ms(), is_live=states[each.shard])
                    for each in bridges
                    if is_due or published.get(each.shard) is not states[each.shard]
                ],
            )
            published = states
            await asyncio.sleep(min(_CHECK_S, self._settings.status_interval_s))

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], float]]:
        """Yield the metrics of the bridge (see `oddsengine.runtime.telemetry.metrics`)."""
        kind, counters = self._kind, self._counters
        yield "oddsengine_bridge_active", (kind,), self.is_active
        yield "oddsengine_bridge_failures_total", (kind,), counters.failures
        for message_kind, count in counters.messages.items():
            yield "oddsengine_bridge_messages_total", (kind, message_kind), count
        for cause, count in counters.snapshots.items():
            yield "oddsengine_bridge_snapshots_total", (kind, cause), count
        if self.is_active:
            for shard, behind_s in counters.behind(self._now_ms()):
                yield "oddsengine_bridge_behind_seconds", (kind, str(shard)), behind_s
