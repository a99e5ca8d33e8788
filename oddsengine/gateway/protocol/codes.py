"""Every code a client can be told: closing codes of the socket, error codes of messages and HTTP, and the error body."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping


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
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    UNSUPPORTED_FORMAT = "unsupported_format"
    OVER_LIMIT = "over_limit"
    NOT_FOUND = "not_found"
    NOT_READY = "not_ready"
    INTERNAL = "internal"


def error(status: int, code: ErrorCode, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Answer with an error in the API's form."""
    body = orjson.dumps({"error": {"code": code, "message": text}})
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)
