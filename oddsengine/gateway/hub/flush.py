"""The record of a flush in progress."""

from __future__ import annotations

from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING

from oddsengine.common import speedups
from oddsengine.gateway.fanout.broadcast import Broadcast, Recipients, coalesce
from oddsengine.gateway.hub.states import Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.fanout.batches import DeltaBatch
    from oddsengine.gateway.fanout.session import Session


class Flush:
    """A flush from its first batch to its last frame. There is one record, used for one flush after the other.

    Attributes:
        batches: what is still to be encoded, in order.
        moved: sessions that joined or left an audience since it began: they may have seen what is in it already, and more.
        broadcast: what is written.
        batches_written: the batches that it writes, each of another shard.
        suspended_ms: when the suspensions in them were published, Unix milliseconds; None without any.
        callbacks: to be called once it is complete.
    """

    __slots__ = ("_undelivered", "batches", "batches_written", "broadcast", "callbacks", "moved", "suspended_ms")

    def __init__(self) -> None:
        self.batches: deque[DeltaBatch] = deque()
        self.moved: set[Session] = set()
        self.broadcast: Broadcast[Session] = _NOTHING
        self.batches_written: list[DeltaBatch] = []
        self.suspended_ms: int | None = None
        self.callbacks: dict[Callable[[], None], None] = {}
        #: what an interrupted broadcast still owes to sessions
        self._undelivered: dict[Session, bytes] = {}

    def reset(self) -> list[Callable[[], None]]:
        """Forget everything. Return the callbacks."""
        callbacks = list(self.callbacks)
        self.callbacks.clear()
        self.moved.clear()
        self.broadcast = _NOTHING
        self.batches_written = []
        self.suspended_ms = None
        return callbacks

    def put_first(self, batches: list[DeltaBatch]) -> None:
        """Encode these batches before all others."""
        self.batches.extendleft(batches[::-1])

    def drop(self, shard: int) -> None:
        """Drop the batches of a shard that are not encoded yet."""
        if self.batches:
            self.batches = deque([batch for batch in self.batches if batch.shard != shard])

    def take(self) -> list[DeltaBatch]:
        """Take what is written next: a batch, with those without suspensions of other shards that follow one without."""
        taken = [self.batches.popleft()]
        shards = {taken[0].shard}
        while taken[0].suspended_ms is None and self.batches:
            batch = self.batches[0]
            if batch.suspended_ms is not None or batch.shard in shards:
                break
            shards.add(batch.shard)
            taken.append(self.batches.popleft())
        return taken

    def start(self, batches: list[DeltaBatch], due: list[tuple[Audience[Session], bytes]]) -> None:
        """Start to write batches, together with what an interrupted broadcast still owes.

        Args:
            batches: the batches.
            due: what each audience is sent of them, in their order.
        """
        self.batches_written = batches
        self.suspended_ms = batches[0].suspended_ms
        undelivered = self._undelivered
        if len(due) == 1 and not undelivered:
            ((audience, framed),) = due
            self.broadcast = Broadcast(audience.recipients, repeat(framed), self.moved)
            return
        if speedups.gateway_loops is not None and not undelivered:
            *recipients, payloads = speedups.gateway_loops.coalesce(due)
            self.broadcast = Broadcast(Recipients(*recipients), payloads, self.moved)
            return
        coalesced = coalesce((audience.members, framed) for audience, framed in due)
        if undelivered:
            for session, earlier in undelivered.items():
                coalesced[session] = [earlier, *coalesced.get(session, ())]
            self._undelivered = {}
        self.broadcast = Broadcast(Recipients.of(coalesced), map(b"".join, coalesced.values()), self.moved)

    def interrupt(self) -> list[Session]:
        """Cancel the broadcast. Return the sessions that have to catch up from where they were before it."""
        broadcast = self.broadcast
        self._undelivered = broadcast.cancel()
        return [*broadcast.skipped, *broadcast.backpressured]

    def forget_moves(self) -> None:
        """Begin with a new set of moved sessions if no batch is left that they may have seen."""
        if not self.batches:
            self.moved = set()

    def remainder(self) -> Trigger:
        """Return what is left to do once a batch is written."""
        if not self.batches:
            return Trigger.COMPLETED
        has_suspensions = any(batch.suspended_ms is not None for batch in self.batches)
        return Trigger.SUSPENSIONS_REMAIN if has_suspensions else Trigger.BATCHES_REMAIN


_NOTHING: Broadcast[Session] = Broadcast(Recipients((), (), ()), iter(()), frozenset())
