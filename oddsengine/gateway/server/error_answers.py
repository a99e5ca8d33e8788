"""Every request's way through its handler: its errors are answered in the API's form, as are paths and methods nobody has.

These are wrapped around each handler, not middlewares: aiohttp would keep the frames of those for the life of every WebSocket.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from oddsengine.gateway.access.admission import Refused
from oddsengine.gateway.protocol.codes import ErrorCode, error

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

_NOT_FOUND: Final = 404
_log = structlog.get_logger(__name__)


def answering(handler: Handler) -> Handler:
    """Let a handler raise; an error that is ours is logged and says nothing of our inside."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Refused, web.HTTPException) as problem:
            return refusal(problem)
        except Exception:  # noqa: BLE001 - the last resort; the error is logged whole
            _log.exception("request failed", path=request.path)
            return error(500, ErrorCode.INTERNAL, "internal error; it has been logged")

    return answered


def refusal(problem: Refused | web.HTTPException) -> web.StreamResponse:
    """Answer what was refused, in the API's form."""
    if isinstance(problem, Refused):
        return problem.response
    code = ErrorCode.NOT_FOUND if problem.status == _NOT_FOUND else ErrorCode.BAD_REQUEST
    return error(problem.status, code, problem.reason)


async def unknown(request: web.Request) -> web.StreamResponse:
    """Answer a path or a method that no handler has; the route of all paths, after all others."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource is not request.match_info.route.resource:
            _, methods = await resource.resolve(request)
            allowed |= methods
    if allowed:
        methods_text = ", ".join(sorted(allowed))
        return error(405, ErrorCode.BAD_REQUEST, f"{request.path} takes {methods_text}", {"Allow": methods_text})
    return error(404, ErrorCode.NOT_FOUND, f"nothing is at {request.path}")


UNKNOWN: Final = web.route("*", "/{path:.*}", unknown)
