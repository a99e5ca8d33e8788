"""Warn the audiences of a shard that may be out of date, and suspend its markets if it stays so."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.hub.dispatcher import Dispatcher
    from oddsengine.offer.entries.entry import Entry


class StalenessMonitor:
    """Listens to the followers (`oddsengine.streams.follower.Listener`) and passes on what they read to the dispatcher.

    A shard is live, then *stale*: its audiences are warned. The configured time after the last message of its owner it is
    *stale-suspended*: clients see all its markets suspended. The silence of an owner that has never written counts from the start
    of this process, because an unknown age is too old. Any message of the owner makes the shard live again; the audiences of
    one that was stale-suspended are sent a snapshot.

    Args:
        dispatcher: sends to all audiences.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        stale_suspend_after_s: how long after the last message of its owner a shard is stale-suspended; 0: never.
    """

    def __init__(
        self, dispatcher: Dispatcher, clock: Callable[[], float], now_ms: Callable[[], int], *, stale_suspend_after_s: float = 0.0
    ) -> None:
        self._dispatcher = dispatcher
        self._replica = dispatcher.replica
        self._clock = clock
        self._now_ms = now_ms
        self._stale_suspend_after_s = stale_suspend_after_s
        #: when each shard's owner last wrote, monotonic seconds
        self._last_write_s = dict.fromkeys(range(len(self._replica.offers)), clock())
        #: shards found stale here, of which the follower knows nothing: it will not call `went_live`
        self._hung: set[int] = set()
        for shard in self._replica.stale_since:
            self._replica.stale_since[shard] = now_ms()

    def use(self, stale_suspend_after_s: float) -> None:
        """Stale-suspend after another time from now on. A shard that is stale-suspended stays so until its owner writes."""
        self._stale_suspend_after_s = stale_suspend_after_s

    def replaced(self, shard: int) -> None:
        """Send a snapshot to every audience of a shard that was loaded again."""
        self._dispatcher.replaced(shard)

    def changed(self, shard: int, entries: list[Entry]) -> None:
        """Dispatch what was just applied to a shard."""
        self._last_write_s[shard] = self._clock()
        if shard in self._replica.stale_suspended:
            self._lift_suspension(shard)
        else:
            self._dispatcher.changed(shard, entries)
        if shard in self._hung:
            self.went_live(shard)

    def epoch_opened(self, shard: int) -> None:
        """Note that a shard's owner is alive: it has opened an epoch, whose state is not loaded yet."""
        if shard not in self._replica.stale_suspended:
            self._last_write_s[shard] = self._clock()

    def went_stale(self, shard: int) -> None:
        """Warn every audience of a shard."""
        self._hung.discard(shard)
        self._replica.stale_since[shard] = self._now_ms()
        self._dispatcher.announce_staleness(shard)

    def went_live(self, shard: int) -> None:
        """Send `live` to every audience of a shard."""
        self._hung.discard(shard)
        self._last_write_s[shard] = self._clock()
        self._replica.stale_since.pop(shard, None)
        self._dispatcher.announce_staleness(shard)
        if shard in self._replica.stale_suspended:
            self._lift_suspension(shard)

    def watch(self) -> None:
        """Stale-suspend every shard whose owner was silent for the configured time; call every few ms.

        Measures the silence itself: a follower whose Redis hangs cannot report that it is stale.
        """
        if not self._stale_suspend_after_s:
            return
        now_s = self._clock()
        for shard, written_s in self._last_write_s.items():
            if now_s - written_s > self._stale_suspend_after_s and shard not in self._replica.stale_suspended:
                if shard not in self._replica.stale_since:
                    self.went_stale(shard)
                    self._hung.add(shard)
                self._dispatcher.flush_now()
                self._dispatcher.publish_delta(shard, self._replica.suspend_stale(shard), self._now_ms())

    def _lift_suspension(self, shard: int) -> None:
        """Send clients the real state of a shard again."""
        self._replica.lift_stale_suspension(shard)
        self._dispatcher.replaced(shard)
