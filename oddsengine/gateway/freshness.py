"""Whether what is told can be trusted: warns audiences of a shard that may be out of date, and in time shows it suspended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway import encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.books.changes import Batch
    from oddsengine.gateway.teller import Teller


class Freshness:
    """Listens to the followers (`oddsengine.streams.follower.Listener`); the teller tells what they read.

    A shard that goes stale is fresh, then *stale* (its audiences are warned), then after the configured time *shut* (its markets
    are shown as suspended). Any sign of its owner makes it fresh again; one that was shut is shown anew.

    Args:
        teller: tells all audiences.
        now_ms: the wall clock, Unix milliseconds.
        suspend_stale_s: after how long a stale shard's markets are shown as suspended; 0: never.
    """

    def __init__(self, teller: Teller, now_ms: Callable[[], int], *, suspend_stale_s: float = 0.0) -> None:
        self._teller = teller
        self._replica = teller.replica
        self._now_ms = now_ms
        self._suspend_stale_s = suspend_stale_s

    def replaced(self, shard: int) -> None:
        """Have everyone who draws from a shard sent its channel anew."""
        self._teller.replaced(shard)

    def changed(self, shard: int, batches: list[Batch]) -> None:
        """Have every audience told of what has just been applied to a shard."""
        if shard in self._replica.shut:
            self._reopen(shard)
        else:
            self._teller.changed(shard, batches)

    def went_stale(self, shard: int) -> None:
        """Warn everyone who draws from a shard."""
        self._replica.stale_since[shard] = self._now_ms()
        self._announce("stale", shard, {"since": self._replica.stale_since[shard]})

    def went_live(self, shard: int) -> None:
        """Give the all-clear to everyone who draws from a shard."""
        self._replica.stale_since.pop(shard, None)
        self._announce("live", shard, {})
        if shard in self._replica.shut:
            self._reopen(shard)

    def watch(self) -> None:
        """Show the markets of a shard as suspended once it has been stale for the configured time; call every few ms."""
        now_ms = self._now_ms()
        for shard, since_ms in self._replica.stale_since.items():
            late = self._suspend_stale_s and since_ms and now_ms - since_ms > self._suspend_stale_s * 1000
            if late and shard not in self._replica.shut:
                self._teller.hurry()
                self._teller.tell_all(shard, self._replica.show_shut(shard), now_ms)

    def _reopen(self, shard: int) -> None:
        """Show a shard's markets as they are again."""
        self._replica.show_again(shard)
        self._teller.replaced(shard)

    def _announce(self, op: str, shard: int, fields: dict[str, object]) -> None:
        self._teller.hurry()
        for audience in self._teller.audiences:
            if shard in audience.channel.shards:
                name, taste = audience.channel.name, audience.taste
                payload = encode.message(op, {"channel": name, **fields}, taste.encoding)
                self._teller.tell(audience, taste.framing.wrap(payload))
                for session in audience.members:
                    session.subscriptions[name].told_stale = op == "stale"
        self._teller.settle()
