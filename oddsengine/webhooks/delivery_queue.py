"""The schedule of one endpoint: when each event of the outbox is sent, and when it is given up. Pure: time is an argument.

Events are sent one at a time, in order. While an endpoint fails, everything waits for it. An event that the endpoint refuses
waits by itself, and others overtake it. What is not delivered yet begins after `cursor`, so that a restart goes on there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.webhooks.events import OutboxEvent

#: How many events may be on their way to one endpoint: what it refuses, and what overtakes that.
WINDOW: Final = 64
_BACKOFF_START_MS: Final = 1000
_BACKOFF_CEILING_MS: Final = 300_000
_MAX_RETRY_AFTER_MS: Final = 3_600_000


def backoff_ms(failures: int, random: float) -> int:
    """Return how long to wait after failures in a row.

    Args:
        failures: how many, at least 1. The wait doubles with each, up to five minutes.
        random: from 0 to 1; the wait is between half of that and all of it.
    """
    full_ms = min(_BACKOFF_CEILING_MS, _BACKOFF_START_MS << min(failures - 1, 20))
    return round(full_ms * (0.5 + random / 2))


class PendingEvent:
    """An event that is not delivered yet."""

    __slots__ = ("attempts", "due_ms", "event", "seq")

    def __init__(self, seq: int, event: OutboxEvent) -> None:
        self.seq = seq
        self.event = event
        self.attempts = 0
        self.due_ms = 0


class DeliveryQueue:
    """The events on their way to one endpoint.

    Args:
        cursor: everything up to here was delivered or given up.
        retry_for_ms: how old an event may become before it is given up.
        random: returns a number from 0 to 1.
    """

    def __init__(self, cursor: int, retry_for_ms: int, random: Callable[[], float]) -> None:
        #: how far the outbox was read
        self.position = cursor
        self._retry_for_ms = retry_for_ms
        self._random = random
        self._pending: dict[int, PendingEvent] = {}
        self._failures = 0
        self._blocked_until_ms = 0

    @property
    def cursor(self) -> int:
        """Everything up to here was delivered or given up."""
        return min(self._pending, default=self.position + 1) - 1

    @property
    def has_room(self) -> bool:
        """Whether more may be added."""
        return len(self._pending) < WINDOW

    def add(self, seq: int, event: OutboxEvent | None) -> None:
        """Add the next event of the outbox; None if the endpoint does not want it."""
        self.position = seq
        if event is not None:
            self._pending[seq] = PendingEvent(seq, event)

    def due(self, now_ms: int) -> PendingEvent | None:
        """Return the first event to be sent now, None if there is none."""
        if now_ms < self._blocked_until_ms:
            return None
        return next((each for each in self._pending.values() if each.due_ms <= now_ms), None)

    def delivered(self, pending: PendingEvent) -> None:
        """Note that an event was accepted."""
        self._failures = 0
        del self._pending[pending.seq]

    def failed(self, pending: PendingEvent, now_ms: int, *, is_refused: bool, retry_after_ms: int = 0) -> bool:
        """Note that an attempt has failed. Return whether the event is given up.

        Args:
            pending: the event.
            now_ms: the present time, Unix milliseconds.
            is_refused: whether the endpoint refuses this event, and may accept others.
            retry_after_ms: how long the endpoint asks to wait.
        """
        pending.attempts += 1
        if is_refused:
            self._failures = 0
            pending.due_ms = now_ms + backoff_ms(pending.attempts, self._random())
        else:
            self._failures += 1
            wait_ms = max(backoff_ms(self._failures, self._random()), min(retry_after_ms, _MAX_RETRY_AFTER_MS))
            self._blocked_until_ms = now_ms + wait_ms
        if now_ms - pending.event.at_ms < self._retry_for_ms:
            return False
        del self._pending[pending.seq]
        return True
