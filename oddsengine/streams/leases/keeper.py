"""Keeps one member's lease: writes its value in time, reads the table, and knows whether the member may work."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.leases.state import LeaseState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.streams.leases.state import Decision, Local
    from oddsengine.streams.leases.table import LeaseTable
    from oddsengine.streams.leases.values import Operation

LEASE_S: Final = 2.0
#: Why a member does nothing.
LAPSED: Final = "its lease has ended, Redis does not answer"
_RETRY_S: Final = 0.1
#: A process that wakes so much later than it wanted to stood still, and reads for so long before it publishes.
_STALL_S: Final = 1.0
_CATCH_UP_S: Final = 0.5
_log = structlog.get_logger(__name__)


class Lease:
    """Whether this member may work on what it owns, by its monotonic clock."""

    def __init__(self, state: LeaseState, clock: Callable[[], float]) -> None:
        self._state = state
        self._clock = clock
        self._renewed = asyncio.Event()
        self._not_before_s = float("-inf")

    def is_held(self) -> bool:
        """Check whether it may."""
        now_s = self._clock()
        return now_s >= self._not_before_s and self._state.is_held(now_s)

    def hold_back(self) -> None:
        """Hold writes back for a moment: the process stood still, and first has to read what has arrived meanwhile."""
        self._not_before_s = self._clock() + _CATCH_UP_S

    async def until_held(self) -> None:
        """Wait until it may."""
        while not self.is_held():
            self._renewed.clear()
            held_back_s = self._not_before_s - self._clock()
            try:
                async with asyncio.timeout(held_back_s if held_back_s > 0.0 else None):
                    await self._renewed.wait()
            except TimeoutError:
                pass  # the moment is over

    def renewed(self) -> None:
        """Wake those that wait."""
        self._renewed.set()


class LeaseKeeper:
    """The lease of one member of a group. One call to Redis renews it for everything that the member owns.

    Args:
        name: the member's name, unique in its group, also over time.
        table: where the leases are.
        group: what is owned, for logs.
        items: all that is owned by somebody.
        lease_s: how long the lease lasts.
        rebalance: see `LeaseState`.
        announces: likewise.
        is_patient: likewise.
        clock: monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        name: str,
        table: LeaseTable,
        group: str,
        items: Sequence[str],
        lease_s: float,
        *,
        rebalance: bool = True,
        announces: bool = False,
        is_patient: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.lease_s = lease_s
        self.state = LeaseState(name, items, lease_s, rebalance=rebalance, announces=announces, is_patient=is_patient)
        self.lease = Lease(self.state, clock)
        self._table = table
        self._group = group
        self._user = f"leases of {group}"
        self._clock = clock
        self._operations: list[Operation] = []
        self._has_left = False
        #: whether the lease was held after the last step
        self.was_held = False
        #: set to end a pause: something has changed that others should know
        self.changed = asyncio.Event()
        self._stepped = asyncio.Event()
        self._observations = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing of what was decided is still to be written."""
        return not self._operations

    def use(self, items: Sequence[str]) -> None:
        """Own other items from now on; see `LeaseState.use`."""
        self.state.use(items)
        self.changed.set()

    def others(self) -> list[str]:
        """Return the other members that are alive and stay."""
        return self.state.others(self._clock())

    async def step(self, rank: int, *, is_leaving: bool) -> bool:
        """Write our value and what was decided, and read the table. Return whether that has worked; if not, wait a moment.

        Args:
            rank: how much we are able to do; the higher, the more likely we are given something.
            is_leaving: whether we want to be given nothing, and to hand over what we own.
        """
        self._stepped.set()
        if self._has_left:
            return False
        operations, self._operations = self._operations, []
        sent_s = self._clock()
        value = self.state.value(sent_s, rank, is_leaving=is_leaving)
        try:
            table = await self._table.write(self.name, value, operations)
        except UNAVAILABLE as error:
            note_outage(self._user, error)
            self.note()
            await asyncio.sleep(_RETRY_S)
            return False
        REDIS_OUTAGE.worked(self._user)
        if self._has_left:
            return False
        self.state.observe(sent_s, self._clock(), value, table)
        self._observations += 1
        return True

    def decide(self, local: Local) -> Decision:
        """Decide what to do; what is to be written is written with the next step."""
        decision = self.state.decide(self._clock(), local)
        self._operations = decision.operations
        return decision

    def note(self) -> None:
        """Wake those that wait for the lease, and log whether it is held. Call it once it is known what was lost."""
        is_held = self.lease.is_held()
        if is_held:
            self.lease.renewed()
        if is_held != self.was_held:
            if self.was_held:
                _log.warning("lease lapsed, nothing is published", of=self._group, lease_s=self.lease_s)
            elif self.state.until_s > float("-inf"):
                _log.info("lease held", of=self._group, member=self.name, lease_s=self.lease_s)
            self.was_held = is_held

    async def pause(self) -> None:
        """Wait until the table is to be read again, or something of ours has changed."""
        if self._operations:
            return
        now_s = self._clock()
        at_s = max(now_s, self.state.next_beat_s(now_s))
        try:
            async with asyncio.timeout(at_s - now_s):
                await self.changed.wait()
        except TimeoutError:
            pass
        self.changed.clear()
        if (late_s := self._clock() - at_s) > _STALL_S:
            _log.warning("process stood still", seconds=round(late_s, 1))
            self.lease.hold_back()

    async def until_given_up(self, owns: Callable[[], bool]) -> None:
        """Wait, while we are leaving and steps go on, until we own nothing any more, or nobody is there to take it.

        Args:
            owns: returns whether we still own something.
        """
        self.changed.set()
        # The last look may be from before somebody has joined, and one may be on its way.
        enough = self._observations + 2
        while owns() and self.lease.is_held() and (self._observations < enough or self.others()):
            self._stepped.clear()
            await self._stepped.wait()

    async def leave(self) -> None:
        """Release the lease and what is owned, so that others need not wait for its end. No-op after the first time."""
        if self._has_left:
            return
        self._has_left = True
        self.changed.set()
        if self.state.until_s == float("-inf"):
            return  # we have never joined
        try:
            async with asyncio.timeout(self.lease_s):
                await self._table.write(self.name, b"", self.state.releases())
        except (*UNAVAILABLE, TimeoutError) as error:
            _log.warning("lease not released, it will end by itself", of=self._group, error=str(error) or type(error).__name__)
