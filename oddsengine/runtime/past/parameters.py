"""Parameters of questions about the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.common.http import RequestRejected, error
from oddsengine.common.times.reading import parse_time
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.history.questions.cursors import decode_cursor

if TYPE_CHECKING:
    from aiohttp import web

    from oddsengine.gateway.access.grants import Access

_MAX_MS: Final = 253_402_300_799_999
_MAX_DIGITS: Final = 20


def rejected(text: str, status: int = 400, code: ErrorCode = ErrorCode.BAD_REQUEST) -> RequestRejected:
    """Return what rejects a request."""
    return RequestRejected(error(status, code, text))


def time_of(request: web.Request, name: str) -> int | None:
    """Parse a time: Unix milliseconds, or RFC 3339; what says no zone is UTC. Raises RequestRejected if it is neither."""
    text = request.query.get(name)
    if text is None:
        return None
    try:
        # Eight digits are a date in the basic format of ISO 8601.
        if text.isascii() and text.isdigit() and len(text) != len("20261126"):
            at_ms = int(text) if len(text) <= _MAX_DIGITS else -1
        else:
            # An unescaped `+` of a zone has become a space.
            at_ms = parse_time(text.replace(" ", "+") if "T" in text.upper() else text)
    except (ValueError, OverflowError):
        at_ms = -1
    if not 0 <= at_ms <= _MAX_MS:
        raise rejected(f"{name} must be Unix milliseconds or a time as 2026-11-26T20:00:00Z, not {text[:100]!r}")
    return at_ms


def limit_of(request: web.Request, default: int, maximum: int) -> int:
    """Parse `limit`. Raises RequestRejected if it is not between 1 and the maximum."""
    text = request.query.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) < len("1000000000") and 1 <= int(text) <= maximum):
        raise rejected(f"limit must be 1 to {maximum}, not {text[:100]!r}")
    return int(text)


def cursor_of(request: web.Request, parts: int) -> tuple[int, ...] | None:
    """Parse `cursor`. Raises RequestRejected if it is none of ours."""
    text = request.query.get("cursor")
    if text is None:
        return None
    try:
        return decode_cursor(text[:200], parts)
    except ValueError:
        raise rejected("cursor must be the next of an earlier page, with the same other parameters") from None


def author_of(request: web.Request) -> str | None:
    """Parse `author`. Raises RequestRejected if nobody can be called that, as PostgreSQL stores no NUL."""
    text = request.query.get("author")
    if text is not None and "\0" in text:
        raise rejected("author must not contain a NUL")
    return text


def profile_of(request: web.Request, access: Access, default: str | None) -> str | None:
    """Return the profile that is asked for, None for the first. Raises RequestRejected if the token is of another one."""
    asked = request.query.get("profile")
    if asked is None:
        return default
    if access.profile not in {None, asked} and access.role is not Role.admin:
        raise rejected(f"the token is of the profile {access.profile}, not of {asked[:100]}", 403, ErrorCode.FORBIDDEN)
    return asked
