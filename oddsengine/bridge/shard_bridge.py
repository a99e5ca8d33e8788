"""Passes one shard on: reads entries, sends their messages, and moves its position once all are acknowledged."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.bridge.encoding import ShardEncoder
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.follower import STALE_AFTER_S
from oddsengine.streams.positions import ORIGIN
from oddsengine.streams.tailing.reloading_tail import Reload, ReloadingTail

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.bridge.delivery import Counters, Delivery
    from oddsengine.bridge.encoding import Encoded
    from oddsengine.bridge.positions import PositionStore
    from oddsengine.streams.follower import StreamReader
    from oddsengine.streams.keys import ShardKeys
    from oddsengine.streams.leases.keeper import Lease
    from oddsengine.streams.tailing.reloading_tail import StreamEntry

_RETRY_S: Final = 0.2
#: How old, by two machines' clocks, the newest entry of a shard may be that is called live: more, and the bridge is behind.
_MAX_AGE_MS: Final = 5000
_log = structlog.get_logger(__name__)


class ShardBridge:
    """The way of one shard to a broker.

    Args:
        shard: the shard's number.
        reader: reads its stream.
        keys: its keys.
        store: keeps its position.
        delivery: the way to the broker.
        lease: whether this process is the one that publishes.
        counters: what is counted.
        profile: whose prices to publish.
        odds_format: their format.
        clock: monotonic seconds.
        now_ms: Unix milliseconds.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        shard: int,
        reader: StreamReader,
        keys: ShardKeys,
        store: PositionStore,
        delivery: Delivery,
        lease: Lease,
        counters: Counters,
        *,
        profile: str,
        odds_format: str,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self.shard = shard
        self._reader = reader
        self._keys = keys
        self._store = store
        self._delivery = delivery
        self._lease = lease
        self._counters = counters
        self._profile = profile
        self._format = odds_format
        self._clock = clock
        self._now_ms = now_ms
        self._user = f"bridge of shard {shard}"
        self._last_entry_s = float("-inf")
        self._published_ms = 0
        #: everything up to here is acknowledged
        self.position = ORIGIN

    @property
    def is_live(self) -> bool:
        """Whether its owner has written lately, as an idle one does every second, and that was passed on."""
        is_recent = self._now_ms() - self._published_ms < _MAX_AGE_MS
        return is_recent and self._clock() - self._last_entry_s < STALE_AFTER_S

    async def run(self) -> None:
        """Pass the shard on until cancelled."""
        stored = await self._store.load(self.shard)
        self.position = stored.position
        tail = ReloadingTail(self._reader, self.shard, self._keys, self.position)
        encoder = ShardEncoder(self.shard, self._profile, self._format, stored.published, stored.profiles)
        with REDIS_OUTAGE.used_by(self._user):
            while True:
                await self._lease.until_held()
                try:
                    found = await self._read(tail, encoder)
                except UNAVAILABLE as error:
                    note_outage(self._user, error)
                    await asyncio.sleep(_RETRY_S)
                    continue
                REDIS_OUTAGE.worked(self._user)
                if isinstance(found, Reload):
                    self._counters.snapshots[found.cause] += 1
                    log = _log.info if found.cause in {"start", "epoch"} else _log.warning
                    log(
                        "bridge publishes a snapshot",
                        shard=self.shard,
                        cause=found.cause,
                        after=None if found.after == ORIGIN else found.after.stream_id(),
                        up_to=found.resumes.stream_id(),
                    )
                    now_ms = self._now_ms()
                    encoded = encoder.reload(found, now_ms)
                    await self._store.save_profiles(self.shard, encoder.profiles)
                    await self._pass_on(tail, encoded, now_ms)
                elif found:
                    await self._pass_on(tail, encoder.entries(found), found[-1].batch.ts_ms)

    async def _read(self, tail: ReloadingTail, encoder: ShardEncoder) -> Reload | list[StreamEntry]:
        # Before entries are read, which are read once.
        if not encoder.is_loaded and tail.position != ORIGIN:
            state = await tail.load()
            if state is None:
                await asyncio.sleep(_RETRY_S)
                return []
            encoder.load(state.top.position, state.records)
        return await tail.read()

    async def _pass_on(self, tail: ReloadingTail, encoded: Encoded, published_ms: int) -> None:
        read_s = self._clock()
        self._counters.waiting_ms[self.shard] = published_ms
        await self._store.add(self.shard, encoded.added)
        # A process that stood still after it has read may not be the one that publishes any more.
        await self._lease.until_held()
        await self._delivery.send(f"shard {self.shard}", encoded.messages)
        await self._store.save(self.shard, tail.position, encoded.gone)
        self.position = tail.position
        self._last_entry_s, self._published_ms = read_s, published_ms
        self._counters.behind_s[self.shard] = max(0.0, (self._now_ms() - published_ms) / 1000)
        del self._counters.waiting_ms[self.shard]
