"""The webhooks of one process: by lease, one process of an installation watches and delivers, and the others wait."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.common.tasks import end_tasks
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.connection import until_answered
from oddsengine.streams.leases.sole_worker import SoleWorker
from oddsengine.webhooks.deliverer import Counters, Deliverer, Endpoint, open_session
from oddsengine.webhooks.outbox import Outbox
from oddsengine.webhooks.watch import EngineView, Watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from redis.asyncio import Redis

_RETRY_S: Final = 0.2
_USER: Final = "webhooks"
_log = structlog.get_logger(__name__)


class Webhooks:
    """The webhooks of one process.

    Args:
        name: the process's name, unique in its installation.
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: how many shards there are.
        engine: the engine of this process.
        endpoints: the endpoints; without any, nothing is watched.
        lease_s: how long the lease lasts.
        now_ms: Unix milliseconds by a clock that is never set.
        wall_ms: Unix milliseconds by the system's clock.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        name: str,
        redis: Redis,
        namespace: str,
        shards: int,
        engine: EngineView,
        endpoints: Sequence[Endpoint],
        *,
        lease_s: float,
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int],
    ) -> None:
        self._redis = redis
        self._namespace = namespace
        self._shards = shards
        self._engine = engine
        self._endpoints = endpoints
        self._now_ms = now_ms
        self._wall_ms = wall_ms
        self._outbox = Outbox(redis, namespace)
        # A fault of ours must not end the engine beside it.
        self._worker = SoleWorker(name, redis, namespace, "webhooks", lease_s, self._work)
        self._counters: dict[str, Counters] = {}
        self._is_configured = asyncio.Event()
        self._note_endpoints()

    def _note_endpoints(self) -> None:
        for endpoint in self._endpoints:
            self._counters.setdefault(endpoint.settings.label, Counters())
        if self._endpoints:
            self._is_configured.set()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """The endpoints that are delivered to."""
        return self._endpoints

    def use(self, endpoints: Sequence[Endpoint]) -> None:
        """Deliver to other endpoints from now on. Those that stay go on where they are."""
        self._endpoints = endpoints
        self._note_endpoints()
        self._worker.restart()

    async def run(self) -> None:
        """Watch and deliver while this process is the one that does, until cancelled or stopped."""
        try:
            await self._is_configured.wait()
            await self._worker.run()
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Release watching and delivery for another process. May be called again."""
        await self._worker.stop()

    async def _work(self) -> None:
        """Watch and deliver until cancelled."""
        labels = [endpoint.settings.label for endpoint in self._endpoints]
        _log.info("delivering webhooks", webhooks=labels)
        async with open_session() as session:
            noted = await until_answered(_USER, lambda: self._begin(labels), _RETRY_S)
            watch = Watch(
                self._redis,
                self._namespace,
                self._shards,
                outbox=self._outbox,
                log=CommandLog(self._redis, self._namespace),
                engine=self._engine,
                endpoints=[endpoint.settings for endpoint in self._endpoints],
                lease=self._worker.lease,
                now_ms=self._now_ms,
                noted=noted,
            )
            deliverers = [
                Deliverer(
                    endpoint,
                    self._outbox,
                    session,
                    self._worker.lease,
                    self._counters[endpoint.settings.label],
                    now_ms=self._now_ms,
                    wall_ms=self._wall_ms,
                    random=random.random,
                    begin_again=self._worker.restart,
                )
                for endpoint in self._endpoints
            ]
            # Not a task group, which cancels its tasks once only (see `end_tasks`).
            tasks = [asyncio.create_task(watch.run()), *(asyncio.create_task(each.run()) for each in deliverers)]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                await end_tasks(tasks)

    async def _begin(self, labels: Iterable[str]) -> dict[str, str]:
        """Begin for endpoints that are new, before anything is noted, and return what was noted before."""
        await self._outbox.forget_others(labels)
        for label in labels:
            await self._outbox.cursor(label)
        return await self._outbox.noted()

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], float]]:
        """Yield the metrics of webhooks (see `oddsengine.runtime.telemetry.metrics`)."""
        if self._endpoints:
            yield "oddsengine_webhooks_delivering", (), self._worker.is_working
        for label, counters in self._counters.items():
            yield "oddsengine_webhook_delivered_total", (label,), counters.delivered
            yield "oddsengine_webhook_failures_total", (label,), counters.failures
            yield "oddsengine_webhook_dropped_total", (label,), counters.dropped
            yield "oddsengine_webhook_pending", (label,), counters.pending
