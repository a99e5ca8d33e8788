"""Warn the audiences of a shard that may be out of date, and suspend its markets if it stays so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.streams.state_age import StateAge

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.hub.dispatcher import Dispatcher
    from oddsengine.offer.entries.entry import Entry

#: A stale-suspended shard opens once what is read of it is no older than this share of the limit, or it would close at once.
_LIFTED_BELOW: Final = 0.5
#: For how long nothing may have been checked, though that is done every few ms, before what has arrived meanwhile is read first.
#: What is known of an idle shard is up to so old as well.
_STOOD_STILL_S: Final = 1.0
#: An entry that is younger than this when it is read has no others behind it.
_READ_ON_S: Final = 0.5


class StalenessMonitor:
    """Listens to the followers (`oddsengine.streams.follower.Listener`) and passes on what they read to the dispatcher.

    A shard is live, then *stale*: its audiences are warned. Once what is known of it is older than the configured time it is
    *stale-suspended*: clients see all its markets suspended. An age has everything in it from the feeder on: what the owner says
    of the age of its sources, how long its entry was on its way, and the silence since. That of an owner that has never written
    counts from the start of this process, because an unknown age is too old. An entry that is young enough makes the shard live
    again; the audiences of one that was stale-suspended are sent a snapshot.

    After this process has stood still, what was published meanwhile waits to be read: until then no bet may rest on what it has.

    Args:
        dispatcher: sends to all audiences.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        stale_suspend_after_s: how old what is known of a shard may be, before it is stale-suspended; 0: never.
    """

    def __init__(
        self, dispatcher: Dispatcher, clock: Callable[[], float], now_ms: Callable[[], int], *, stale_suspend_after_s: float = 0.0
    ) -> None:
        self._dispatcher = dispatcher
        self._replica = dispatcher.replica
        self._clock = clock
        self._now_ms = now_ms
        self._stale_suspend_after_s = stale_suspend_after_s
        self._ages = [StateAge(clock()) for _ in self._replica.offers]
        #: the epoch of each shard's age: in another one, another owner may write, with another clock
        self._epochs = [0] * len(self._ages)
        #: shards found stale here, of which the follower knows nothing: it will not call `went_live`
        self._hung: set[int] = set()
        #: when `watch` was called last; None before the first time, at which nothing is shown yet
        self._watched_s: float | None = None
        #: when this process moved again after it had stood still
        self._woke_s = 0.0
        #: shards of which nothing new was read since this process stood still
        self._behind: set[int] = set()
        for shard in self._replica.stale_since:
            self._replica.stale_since[shard] = now_ms()

    def use(self, stale_suspend_after_s: float) -> None:
        """Stale-suspend at another age from now on. A shard that is stale-suspended stays so until its owner writes."""
        self._stale_suspend_after_s = stale_suspend_after_s

    def replaced(self, shard: int) -> None:
        """Send a snapshot to every audience of a shard that was loaded again."""
        self._dispatcher.replaced(shard)

    def changed(self, shard: int, entries: list[Entry]) -> None:
        """Dispatch what was just applied to a shard."""
        self._note_age(shard, entries[-1])
        self._check(shard, self._clock())
        if shard not in self._replica.stale_suspended:
            self._dispatcher.changed(shard, entries)
        if shard in self._hung or shard in self._replica.stale_suspended:
            self._confirm(shard)

    def epoch_opened(self, shard: int, age_s: float) -> None:
        """Note that a shard's owner is alive: it has opened an epoch, whose state, of some age, is not loaded yet."""
        if shard not in self._replica.stale_suspended:
            self._ages[shard].note(self._clock() - age_s)

    def went_stale(self, shard: int) -> None:
        """Warn every audience of a shard."""
        self._hung.discard(shard)
        self._replica.stale_since[shard] = self._now_ms()
        self._dispatcher.announce_staleness(shard)

    def went_live(self, shard: int) -> None:
        """Send `live` to every audience of a shard, once what is read of it is young enough."""
        self._behind.discard(shard)
        self._hung.add(shard)
        self._confirm(shard)

    def is_current(self, shard: int) -> bool:
        """Check whether a bet may rest on what is known of a shard: not while it is stale, nor behind."""
        return shard not in self._replica.stale_since and shard not in self._behind

    def watch(self) -> None:
        """Stale-suspend every shard of which what is known is too old; call every few ms.

        Measures the silence itself: a follower whose Redis hangs cannot report that it is stale.
        """
        now_s = self._clock()
        if self._watched_s is not None and now_s - self._watched_s > _STOOD_STILL_S:
            self._behind.update(range(len(self._ages)))
            self._woke_s = now_s
        self._watched_s = now_s
        for shard in range(len(self._ages)):
            self._check(shard, now_s)

    def _check(self, shard: int, now_s: float) -> None:
        limit_s = self._stale_suspend_after_s
        if not limit_s or self._ages[shard].age_s(now_s) <= limit_s or shard in self._replica.stale_suspended:
            return
        if shard not in self._replica.stale_since:
            self.went_stale(shard)
            self._hung.add(shard)
        self._dispatcher.flush_now()
        self._dispatcher.publish_delta(shard, self._replica.suspend_stale(shard), self._now_ms())

    def _note_age(self, shard: int, entry: Entry) -> None:
        """Note how old the state is that an entry has completed. An earlier release does not say it: it counts from now on."""
        age, now_s, epoch = self._ages[shard], self._clock(), self._replica.offers[shard].epoch
        # The first entry by another clock says nothing of how long it took.
        is_comparable = self._epochs[shard] == epoch
        if not is_comparable:
            self._epochs[shard] = epoch
            age.forget_clock()
        written_s = age.measure(entry.sent_ms, now_s) if entry.sent_ms else now_s
        age.note(written_s - entry.age_ms / 1000 if entry.sent_ms else now_s)
        # Where every entry takes longer than it once did, none is so young, but a later one still has those before it.
        if is_comparable and (now_s - written_s < _READ_ON_S or written_s > self._woke_s):
            self._behind.discard(shard)

    def _confirm(self, shard: int) -> None:
        """Send clients `live` and the real state of a shard again, if what is known of it is young enough."""
        limit_s, is_suspended = self._stale_suspend_after_s, shard in self._replica.stale_suspended
        if is_suspended and limit_s and self._ages[shard].age_s(self._clock()) > _LIFTED_BELOW * limit_s:
            return
        if is_suspended:
            self._replica.lift_stale_suspension(shard)
            self._dispatcher.replaced(shard)
        if shard in self._hung:
            self._hung.discard(shard)
            self._replica.stale_since.pop(shard, None)
            self._dispatcher.announce_staleness(shard)
