"""The state machine of the dispatcher, as a table; `python -m oddsengine.gateway.hub.states` draws it.

A flush is encoded in batches, and each batch is written in time slices. Between two slices, other work gets its turn of the
event loop. At rest, no flush is in progress:

- `idle`                 every change is dispatched.
- `deferred`             changes wait for a turn of the event loop or, under load, for the end of a pause between flushes.

While a flush is in progress, later price changes wait until it is complete, and go out as one:

- `encoding`             a batch is encoded once per audience.
- `broadcasting`         a batch without suspensions is written. A suspension interrupts it.
- `suspending`           a batch with suspensions is written. Nothing interrupts it: otherwise the last sessions would never be
                         reached while there are many suspensions.
- `interrupted`          the broadcast is cancelled. What it still owed goes out with the batch that is encoded now, before it.
- `suspensions_pending`  a batch is written, and others with suspensions are still to be encoded.
- `batches_pending`      a batch is written, and others, without suspensions, are still to be encoded.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Final

from oddsengine.common.state_diagram import state_diagram


class DispatchState(StrEnum):
    """A state of the dispatcher. A `StrEnum`, because its members are hashed in C."""

    IDLE = "idle"
    DEFERRED = "deferred"
    ENCODING = "encoding"
    BROADCASTING = "broadcasting"
    SUSPENDING = "suspending"
    INTERRUPTED = "interrupted"
    SUSPENSIONS_PENDING = "suspensions_pending"
    BATCHES_PENDING = "batches_pending"


class Trigger(StrEnum):
    """An event that moves the dispatcher from state to state."""

    #: changes have to wait
    DEFER = "defer"
    #: no change is left to wait for: a snapshot has superseded it
    SUPERSEDE = "supersede"
    #: a flush begins
    FLUSH = "flush"
    #: a suspension goes first
    OVERTAKE = "suspension"
    #: the next batch of the flush
    NEXT_BATCH = "next batch"
    ENCODED = "encoded"
    SUSPENSIONS_ENCODED = "suspensions encoded"
    #: a batch is written to every session; what of the flush remains
    SUSPENSIONS_REMAIN = "written, suspensions remain"
    BATCHES_REMAIN = "written, batches remain"
    COMPLETED = "completed"


_IDLE, _DEFERRED, _ENCODING = DispatchState.IDLE, DispatchState.DEFERRED, DispatchState.ENCODING
_BROADCASTING, _SUSPENDING, _INTERRUPTED = DispatchState.BROADCASTING, DispatchState.SUSPENDING, DispatchState.INTERRUPTED
_SUSPENSIONS_PENDING, _BATCHES_PENDING = DispatchState.SUSPENSIONS_PENDING, DispatchState.BATCHES_PENDING

#: (state, what happens) -> state; anything else is illegal
TRANSITIONS: Final[dict[tuple[DispatchState, Trigger], DispatchState]] = {
    (_IDLE, Trigger.DEFER): _DEFERRED,
    (_IDLE, Trigger.FLUSH): _ENCODING,
    (_DEFERRED, Trigger.FLUSH): _ENCODING,
    (_DEFERRED, Trigger.SUPERSEDE): _IDLE,
    (_ENCODING, Trigger.ENCODED): _BROADCASTING,
    (_ENCODING, Trigger.SUSPENSIONS_ENCODED): _SUSPENDING,
    (_BROADCASTING, Trigger.OVERTAKE): _INTERRUPTED,
    (_BROADCASTING, Trigger.BATCHES_REMAIN): _BATCHES_PENDING,
    (_BROADCASTING, Trigger.COMPLETED): _IDLE,
    (_INTERRUPTED, Trigger.ENCODED): _BROADCASTING,
    (_INTERRUPTED, Trigger.SUSPENSIONS_ENCODED): _SUSPENDING,
    (_SUSPENDING, Trigger.SUSPENSIONS_REMAIN): _SUSPENSIONS_PENDING,
    (_SUSPENDING, Trigger.BATCHES_REMAIN): _BATCHES_PENDING,
    (_SUSPENDING, Trigger.COMPLETED): _IDLE,
    (_SUSPENSIONS_PENDING, Trigger.NEXT_BATCH): _ENCODING,
    (_SUSPENSIONS_PENDING, Trigger.COMPLETED): _IDLE,
    (_BATCHES_PENDING, Trigger.NEXT_BATCH): _ENCODING,
    (_BATCHES_PENDING, Trigger.OVERTAKE): _ENCODING,
    (_BATCHES_PENDING, Trigger.COMPLETED): _IDLE,
}
#: no flush is in progress
AT_REST: Final = frozenset({_IDLE, _DEFERRED})
#: frames are written, a slice a turn
WRITING: Final = frozenset({_BROADCASTING, _SUSPENDING})
#: where a suspension is dispatched at once
INTERRUPTIBLE: Final = AT_REST | {state for state, trigger in TRANSITIONS if trigger is Trigger.OVERTAKE}


class IllegalTransition(RuntimeError):
    """Something happened in a state in which it must not: a fault of ours.

    Args:
        state: the state it happened in.
        trigger: what happened.
    """

    def __init__(self, state: DispatchState, trigger: Trigger) -> None:
        self.state = state
        self.trigger = trigger
        super().__init__(f"no transition from {state.value!r} on {trigger.value!r}")


class DispatchMachine:
    """The present state of a dispatcher."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.state = DispatchState.IDLE

    def move(self, trigger: Trigger) -> None:
        """Change the state.

        Raises:
            IllegalTransition: the table has no such transition.
        """
        state = TRANSITIONS.get((self.state, trigger))
        if state is None:
            raise IllegalTransition(self.state, trigger)
        self.state = state


def diagram() -> str:
    """Return the table as a Mermaid state diagram."""
    return state_diagram(TRANSITIONS, _IDLE)


if __name__ == "__main__":
    sys.stdout.write(diagram() + "\n")
