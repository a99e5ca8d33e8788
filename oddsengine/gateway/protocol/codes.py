"""Every code a client can be sent: closing codes of the socket, and error codes of messages and HTTP answers."""

from __future__ import annotations

from enum import IntEnum

from oddsengine.common.error_codes import ErrorCode

__all__ = ["Close", "ErrorCode"]


class Close(IntEnum):
    """WebSocket closing codes; those under 4000 are registered (RFC 6455, section 7.4)."""

    BAD_MESSAGE = 4400
    UNAUTHORISED = 4401
    FORBIDDEN = 4403
    AUTH_TIMEOUT = 4408
    OVER_LIMIT = 4429
    INTERNAL = 1011
    DRAINING = 1012
    OVERLOADED = 1013
