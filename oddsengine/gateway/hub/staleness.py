"""Whether what is told can be trusted: warns audiences of a shard that may be out of date, and in time shows it suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.protocol import encoders

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.changes import Batch
    from oddsengine.gateway.hub.dispatcher import Dispatcher


class StalenessMonitor:
    """Listens to the followers (`oddsengine.streams.follower.Listener`); the dispatcher tells what they read.

    A shard is fresh, then *stale* (its audiences are warned), then, the configured time after the last sign of its owner, *shut*
    (its markets are shown as suspended). A shard whose owner was never heard counts from the start of this process: an unknown
    age is too old. Any sign of its owner makes it fresh again; one that was shut is shown anew.

    Args:
        dispatcher: tells all audiences.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        stale_suspend_after_s: how long after the last sign of its owner a shard's markets are shown as suspended; 0: never.
    """

    def __init__(
        self, dispatcher: Dispatcher, clock: Callable[[], float], now_ms: Callable[[], int], *, stale_suspend_after_s: float = 0.0
    ) -> None:
        self._dispatcher = dispatcher
        self._replica = dispatcher.replica
        self._clock = clock
        self._now_ms = now_ms
        self._suspend_stale_s = stale_suspend_after_s
        #: when each shard's owner was last heard, monotonic seconds
        self._heard_s = dict.fromkeys(range(len(self._replica.offers)), clock())
        for shard in self._replica.stale_since:
            self._replica.stale_since[shard] = now_ms()

    def replaced(self, shard: int) -> None:
        """Have everyone who draws from a shard sent its channel anew."""
        self._dispatcher.replaced(shard)

    def changed(self, shard: int, batches: list[Batch]) -> None:
        """Have every audience told of what has just been applied to a shard."""
        self._heard_s[shard] = self._clock()
        if shard in self._replica.shut:
            self._reopen(shard)
        else:
            self._dispatcher.changed(shard, batches)

    def went_stale(self, shard: int) -> None:
        """Warn everyone who draws from a shard."""
        self._replica.stale_since[shard] = self._now_ms()
        self._announce("stale", shard, {"since": self._replica.stale_since[shard]})

    def went_live(self, shard: int) -> None:
        """Give the all-clear to everyone who draws from a shard."""
        self._heard_s[shard] = self._clock()
        self._replica.stale_since.pop(shard, None)
        self._announce("live", shard, {})
        if shard in self._replica.shut:
            self._reopen(shard)

    def watch(self) -> None:
        """Show the markets of every shard as suspended whose owner was not heard for the configured time; call every few ms.

        It looks at the silence itself: a follower whose server hangs can't say that it is stale.
        """
        if not self._suspend_stale_s:
            return
        now_s = self._clock()
        for shard, heard_s in self._heard_s.items():
            if now_s - heard_s > self._suspend_stale_s and shard not in self._replica.shut:
                if shard not in self._replica.stale_since:
                    self.went_stale(shard)
                self._dispatcher.hurry()
                self._dispatcher.tell_all(shard, self._replica.show_shut(shard), self._now_ms())

    def _reopen(self, shard: int) -> None:
        """Show a shard's markets as they are again."""
        self._replica.show_again(shard)
        self._dispatcher.replaced(shard)

    def _announce(self, op: str, shard: int, fields: dict[str, object]) -> None:
        self._dispatcher.hurry()
        for audience in self._dispatcher.audiences:
            if shard in audience.channel.shards:
                name, options = audience.channel.name, audience.options
                payload = encoders.message(op, {"channel": name, **fields}, options.encoding)
                self._dispatcher.tell(audience, options.framing.wrap(payload))
                for session in audience.members:
                    session.subscriptions[name].told_stale = op == "stale"
        self._dispatcher.settle()
