"""Every code a client can be told: closing codes of the socket, error codes of messages and HTTP."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Close(IntEnum):
    """WebSocket closing codes; those under 4000 are RFC 6455's."""

    BAD_MESSAGE = 4400
    UNAUTHORISED = 4401
    FORBIDDEN = 4403
    AUTH_TIMEOUT = 4408
    OVER_LIMIT = 4429
    DRAINING = 1012
    OVERLOADED = 1013


class ErrorCode(StrEnum):
    """What went wrong with a request."""

    BAD_MESSAGE = "bad_message"
    BAD_REQUEST = "bad_request"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNSUPPORTED_FORMAT = "unsupported_format"
    OVER_LIMIT = "over_limit"
    NOT_FOUND = "not_found"
    NOT_READY = "not_ready"
    INTERNAL = "internal"
