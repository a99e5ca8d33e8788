"""Owns one shard: takes what was staged, writes it, and goes on with what gathered meanwhile.

The flush clocks itself: at once when idle; while a write runs, changes gather, and the next takes them all. Load makes
batches bigger, not queues longer.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog
from redis.exceptions import RedisError

from oddsengine.engine.pipeline import RECOVERING
from oddsengine.streams.errors import PositionLost
from oddsengine.streams.publisher import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.streams.publisher import Publication, Publisher

#: An idle owner writes this often, so that followers can tell silence from trouble.
HEARTBEAT_S: Final = 1.0
_RETRY_S: Final = 0.1
_RETIRE_EVERY_S: Final = 5.0
_log = structlog.get_logger(__name__)


class ShardWriter:
    """The owner of one shard.

    Args:
        pipeline: what there is to publish.
        shard: which of its offers.
        publisher: writes it.
        now_ms: the wall clock, Unix milliseconds.
        closed_event_ttl_s: how long an event stays on offer after its last market closed.
    """

    def __init__(
        self, pipeline: Pipeline, shard: int, publisher: Publisher, now_ms: Callable[[], int], closed_event_ttl_s: float
    ) -> None:
        self._pipeline = pipeline
        self._shard = shard
        self._publisher = publisher
        self._now_ms = now_ms
        self._keep_closed_ms = round(closed_event_ttl_s * 1000)
        self._wake = asyncio.Event()
        self._next_retire_ms = 0
        self._next_pass_ms = 0
        self.flushes = 0
        self.claims = 0

    def wake(self) -> None:
        """Say that there may be something to publish."""
        self._wake.set()

    async def take_over(self) -> None:
        """Load what the last owner published, suspend what was open, and open an epoch; waits for Redis to answer."""
        while True:
            try:
                await self._publisher.load()
                self._publisher.offer.suspend_all(RECOVERING)
                self._publisher.offer.commit(self._now_ms())
                await self._claim()
            except (RedisError, OSError) as error:
                _log.warning("redis unreachable, waiting", shard=self._shard, error=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def run(self) -> None:
        """Publish until cancelled. Raises `Fenced` when another engine has taken the shard over."""
        offer = self._publisher.offer
        last_write_ms = self._now_ms()
        while True:
            idle_s = HEARTBEAT_S - (self._now_ms() - last_write_ms) / 1000
            try:
                async with asyncio.timeout(max(idle_s, 0.0)):
                    await self._wake.wait()
            except TimeoutError:
                pass  # time for a sign of life
            self._wake.clear()
            now_ms = self._now_ms()
            if now_ms >= self._next_retire_ms:
                self._next_retire_ms = now_ms + round(_RETIRE_EVERY_S * 1000)
                self._pipeline.retire(self._shard, now_ms, self._keep_closed_ms)
            if now_ms >= self._next_pass_ms:
                self._next_pass_ms = now_ms + round(HEARTBEAT_S * 1000)
                self._pipeline.tick(now_ms)
            self._pipeline.flush(self._shard, now_ms)
            due = now_ms - last_write_ms >= HEARTBEAT_S * 1000
            batch = offer.commit(now_ms, heartbeat=due)
            if batch is not None:
                await self._write(prepare(offer, batch))
                self.flushes += 1
                last_write_ms = self._now_ms()

    async def _write(self, publication: Publication) -> None:
        while True:
            try:
                await self._publisher.publish(publication)
            except PositionLost as lost:
                _log.error("claiming the shard anew", reason=str(lost))
                await self._claim_until_done()
                return
            except (RedisError, OSError) as error:
                _log.warning("redis unreachable, writing again", shard=self._shard, error=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _claim_until_done(self) -> None:
        while True:
            try:
                await self._claim()
            except (RedisError, OSError) as error:
                _log.warning("redis unreachable, claiming again", shard=self._shard, error=str(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    async def _claim(self) -> None:
        await self._publisher.claim(self._now_ms())
        self.claims += 1
