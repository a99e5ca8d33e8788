"""The state machine of a stream session, as a table.

    waiting ── connection ──> authenticating ── accepted ──> subscribing ── accepted ──> recovering ── recovered ──> live
    subscribing, recovering ── invalid clock ──> subscribing
    live, verifying ── verify ──> verifying ── verified ──> live

`live` means that the image (or, after a resume, the delta) of the current subscription has been applied in full; before that,
nothing from the source may be offered. While `verifying`, the image of another subscription is awaited, and the stream is as
trusted as before. A trigger without an entry is a breach of the protocol and ends the session, as does a
failure status in any state.

Source: Exchange Stream API documentation, "Connection", "Authentication", "Re-subscription".
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class SessionState(Enum):
    """The state of a stream session."""

    WAITING = "waiting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    RECOVERING = "recovering"
    LIVE = "live"
    VERIFYING = "verifying"


class SessionTrigger(Enum):
    """An event that moves a stream session from state to state."""

    CONNECTION = "connection"
    ACCEPTED = "accepted"
    RECOVERED = "recovered"
    INVALID_CLOCK = "invalid clock"
    VERIFY = "verify"
    VERIFIED = "verified"


#: (state, trigger) -> state; anything else is a breach of the protocol
SESSION_TRANSITIONS: Final[dict[tuple[SessionState, SessionTrigger], SessionState]] = {
    (SessionState.WAITING, SessionTrigger.CONNECTION): SessionState.AUTHENTICATING,
    (SessionState.AUTHENTICATING, SessionTrigger.ACCEPTED): SessionState.SUBSCRIBING,
    (SessionState.SUBSCRIBING, SessionTrigger.ACCEPTED): SessionState.RECOVERING,
    (SessionState.SUBSCRIBING, SessionTrigger.RECOVERED): SessionState.LIVE,  # an image may overtake the subscription's status
    (SessionState.RECOVERING, SessionTrigger.RECOVERED): SessionState.LIVE,
    (SessionState.SUBSCRIBING, SessionTrigger.INVALID_CLOCK): SessionState.SUBSCRIBING,
    (SessionState.RECOVERING, SessionTrigger.INVALID_CLOCK): SessionState.SUBSCRIBING,
    (SessionState.LIVE, SessionTrigger.VERIFY): SessionState.VERIFYING,
    (SessionState.VERIFYING, SessionTrigger.VERIFY): SessionState.VERIFYING,
    (SessionState.VERIFYING, SessionTrigger.VERIFIED): SessionState.LIVE,
}

#: States in which the source is trusted.
TRUSTED: Final = frozenset({SessionState.LIVE, SessionState.VERIFYING})
