"""The state machines of one sport, as tables: its recovery, and the verification of its odds.

    awaiting fixtures ── fixtures ──> awaiting changes ── changes ──> current
    awaiting changes, current ── restart ──> awaiting fixtures

A snapshot may have been cached for a minute, so it is held back until the changes since it have been applied; only then is a
sport current, and only a current sport is verified.

    idle ── requested ──> snapshot due ── snapshot ──> changes due ── changes ──> idle
    snapshot due, changes due ── requested ──> snapshot due;  any ── reconnected ──> idle

A trigger without an entry changes nothing, such as an answer that a restart has overtaken.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class RecoveryState(Enum):
    """The part of a sport that is known on this connection."""

    AWAITING_FIXTURES = "awaiting fixtures"
    AWAITING_CHANGES = "awaiting changes"
    CURRENT = "current"


class RecoveryTrigger(Enum):
    """An event that moves a sport's recovery."""

    FIXTURES = "fixtures"
    CHANGES = "changes"
    RESTART = "restart"


class VerificationState(Enum):
    """The progress of a sport's verification."""

    IDLE = "idle"
    SNAPSHOT_DUE = "snapshot due"
    CHANGES_DUE = "changes due"


class VerificationTrigger(Enum):
    """An event that moves a sport's verification."""

    REQUESTED = "requested"
    SNAPSHOT = "snapshot"
    CHANGES = "changes"
    RECONNECTED = "reconnected"


_FIXTURES, _CHANGES, _CURRENT = RecoveryState.AWAITING_FIXTURES, RecoveryState.AWAITING_CHANGES, RecoveryState.CURRENT

#: (state, trigger) -> state; anything else changes nothing
RECOVERY_TRANSITIONS: Final[dict[tuple[RecoveryState, RecoveryTrigger], RecoveryState]] = {
    (_FIXTURES, RecoveryTrigger.FIXTURES): _CHANGES,
    (_CHANGES, RecoveryTrigger.CHANGES): _CURRENT,
    (_CHANGES, RecoveryTrigger.RESTART): _FIXTURES,
    (_CURRENT, RecoveryTrigger.RESTART): _FIXTURES,
}

_IDLE, _SNAPSHOT_DUE, _CHANGES_DUE = VerificationState.IDLE, VerificationState.SNAPSHOT_DUE, VerificationState.CHANGES_DUE

#: (state, trigger) -> state; anything else changes nothing
VERIFICATION_TRANSITIONS: Final[dict[tuple[VerificationState, VerificationTrigger], VerificationState]] = {
    (_IDLE, VerificationTrigger.REQUESTED): _SNAPSHOT_DUE,
    (_SNAPSHOT_DUE, VerificationTrigger.SNAPSHOT): _CHANGES_DUE,
    (_SNAPSHOT_DUE, VerificationTrigger.RECONNECTED): _IDLE,
    (_CHANGES_DUE, VerificationTrigger.CHANGES): _IDLE,
    (_CHANGES_DUE, VerificationTrigger.REQUESTED): _SNAPSHOT_DUE,
    (_CHANGES_DUE, VerificationTrigger.RECONNECTED): _IDLE,
}
