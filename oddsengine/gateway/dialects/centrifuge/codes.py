"""Centrifugo's codes for what ours say. Its SDKs decide by them whether to try again.

Sources: centrifugal.dev, "Client protocol", error codes and disconnect codes. From 3500 on, and from 4500 on, an SDK does not
reconnect; an error with `temporary` is tried again.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from oddsengine.gateway.protocol.codes import Close, ErrorCode


class Disconnect(IntEnum):
    """Closing codes of Centrifugo."""

    SHUTDOWN = 3001
    SERVER_ERROR = 3004
    EXPIRED = 3005
    SLOW = 3008
    FORCE_RECONNECT = 3011
    NO_PONG = 3012
    TOO_MANY_REQUESTS = 3013
    INVALID_TOKEN = 3500
    BAD_REQUEST = 3501
    INAPPROPRIATE_PROTOCOL = 3506


class Failure(NamedTuple):
    """An error of Centrifugo."""

    code: int
    message: str
    temporary: bool = False


INTERNAL: Final = Failure(100, "internal server error", temporary=True)
UNAUTHORIZED: Final = Failure(101, "unauthorized")
ALREADY_SUBSCRIBED: Final = Failure(105, "already subscribed")
BAD_REQUEST: Final = Failure(107, "bad request")
NOT_AVAILABLE: Final = Failure(108, "not available")
TOKEN_EXPIRED: Final = Failure(109, "token expired")
#: The gateway, or what verifies tokens, is not ready.
NOT_READY: Final = Failure(100, "not ready", temporary=True)

_DISCONNECTS: Final = {
    Close.BAD_MESSAGE: Disconnect.BAD_REQUEST,
    # Tokens that are not valid are refused with codes of their own: this is one that has expired.
    Close.UNAUTHORISED: Disconnect.EXPIRED,
    Close.FORBIDDEN: Disconnect.FORCE_RECONNECT,
    # Not 3502, as Centrifugo: an SDK would not try again, though the network or this gateway may have been slow.
    Close.AUTH_TIMEOUT: Disconnect.SLOW,
    Close.OVER_LIMIT: Disconnect.TOO_MANY_REQUESTS,
    Close.INTERNAL: Disconnect.SERVER_ERROR,
    Close.DRAINING: Disconnect.SHUTDOWN,
    Close.OVERLOADED: Disconnect.SLOW,
}
_FAILURES: Final = {
    ErrorCode.UNKNOWN_CHANNEL: Failure(102, "unknown channel", temporary=True),
    ErrorCode.FORBIDDEN: Failure(103, "permission denied"),
    ErrorCode.OVER_LIMIT: Failure(106, "limit exceeded"),
    ErrorCode.BAD_REQUEST: BAD_REQUEST,
    ErrorCode.UNSUPPORTED_FORMAT: BAD_REQUEST,
    ErrorCode.NOT_READY: NOT_READY,
}
#: An SDK does not subscribe again after it.
UNSUBSCRIBED_BY_SERVER: Final = 2000


def disconnect_code(code: int) -> int:
    """Return the closing code of Centrifugo for one of ours; one of Centrifugo's is returned unchanged."""
    return _DISCONNECTS[Close(code)] if code in _DISCONNECTS else code


def failure_of(code: ErrorCode, text: str) -> Failure:
    """Return the error of Centrifugo for one of ours, with our text.

    Args:
        code: our code.
        text: what happened.
    """
    return _FAILURES.get(code, INTERNAL)._replace(message=text)
