"""The error codes of HTTP answers and stream messages; docs/protocol.md lists them."""

from __future__ import annotations

from enum import StrEnum


class ErrorCode(StrEnum):
    """The fault of a request."""

    BAD_MESSAGE = "bad_message"
    BAD_REQUEST = "bad_request"
    UNKNOWN_CHANNEL = "unknown_channel"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    UNSUPPORTED_FORMAT = "unsupported_format"
    OVER_LIMIT = "over_limit"
    NOT_FOUND = "not_found"
    NOT_READY = "not_ready"
    INTERNAL = "internal"
