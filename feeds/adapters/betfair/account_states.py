"""The state machine of a Betfair account's session, as a table.

    logged out ── request ──> logging in ── answer, logged in ──> idle <── answer / request ──> requesting
    idle, requesting ── session expired ──> logged out (once the outstanding request is answered)

At most one request is outstanding. Every request and every answer passes through this table; a trigger without an entry changes
nothing, such as the answer to a request of an earlier connection.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class AccountState(Enum):
    """The state of an account's session."""

    LOGGED_OUT = "logged out"
    LOGGING_IN = "logging in"
    #: a session token is held, no request is outstanding
    IDLE = "idle"
    #: a session token is held, a keep-alive or a request for names is outstanding
    REQUESTING = "requesting"
    #: the session expired while a request was outstanding
    EXPIRED = "expired"


class AccountTrigger(Enum):
    """An event that moves an account from state to state."""

    REQUEST = "request sent"
    ANSWER = "answer received"
    LOGGED_IN = "logged in"
    SESSION_EXPIRED = "session expired"
    RECONNECTED = "reconnected"


_LOGGED_OUT, _LOGGING_IN = AccountState.LOGGED_OUT, AccountState.LOGGING_IN
_IDLE, _REQUESTING, _EXPIRED = AccountState.IDLE, AccountState.REQUESTING, AccountState.EXPIRED

#: (state, trigger) -> state; anything else changes nothing
ACCOUNT_TRANSITIONS: Final[dict[tuple[AccountState, AccountTrigger], AccountState]] = {
    (_LOGGED_OUT, AccountTrigger.REQUEST): _LOGGING_IN,
    (_LOGGED_OUT, AccountTrigger.LOGGED_IN): _IDLE,
    (_LOGGING_IN, AccountTrigger.ANSWER): _LOGGED_OUT,  # a successful login follows with LOGGED_IN
    (_LOGGING_IN, AccountTrigger.RECONNECTED): _LOGGED_OUT,
    (_IDLE, AccountTrigger.REQUEST): _REQUESTING,
    (_IDLE, AccountTrigger.SESSION_EXPIRED): _LOGGED_OUT,
    (_REQUESTING, AccountTrigger.ANSWER): _IDLE,
    (_REQUESTING, AccountTrigger.RECONNECTED): _IDLE,
    (_REQUESTING, AccountTrigger.SESSION_EXPIRED): _EXPIRED,
    (_EXPIRED, AccountTrigger.ANSWER): _LOGGED_OUT,
    (_EXPIRED, AccountTrigger.RECONNECTED): _LOGGED_OUT,
}
#: states in which no new request may be sent
AWAITING_ANSWER: Final = frozenset({_LOGGING_IN, _REQUESTING, _EXPIRED})
