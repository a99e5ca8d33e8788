"""Answer pages of other origins (Fetch Standard, section 3.3, "CORS protocol"), as far as they are allowed to connect."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

from oddsengine.common.excerpts import echoed
from oddsengine.common.http import allowed_methods, error
from oddsengine.gateway.protocol.codes import ErrorCode

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler

    from oddsengine.gateway.access.origins import AllowedOrigins

#: Request headers that pages may set beside those that are always allowed: `Traceparent` and `Tracestate` (W3C Trace Context);
#: libraries for event streams set the last three.
_REQUEST_HEADERS: Final = (
    "Authorization, Content-Type, Idempotency-Key, If-None-Match, Traceparent, Tracestate, Last-Event-ID, Cache-Control, "
    "X-Requested-With"
)
#: Answer headers that pages may read beside those that they always may.
_ANSWER_HEADERS: Final = "Retry-After, Allow, ETag, WWW-Authenticate, Location"
#: Chromium remembers a preflight for two hours at most. A change of the allowed origins should not take that long.
_MAX_AGE_S: Final = "600"


class Cors:
    """Adds to every answer which pages may read it, and answers preflights.

    Pages of origins that are named may send credentials, as cookies that a proxy checks. Where any page may connect, none may:
    the header that allows it would open what a proxy protects to every page on the web.

    Args:
        origins: the pages that may connect.
    """

    def __init__(self, origins: AllowedOrigins) -> None:
        self._origins = origins

    def register(self, app: web.Application) -> None:
        """Add the headers to all answers of an application. Call it once."""
        # A signal and no middleware: aiohttp would keep the frames of a middleware for the life of every WebSocket.
        app.on_response_prepare.append(self._prepare)

    def preflights(self, otherwise: Handler) -> web.RouteDef:
        """Return the route of all preflights; add it after all routes with methods of their own.

        Args:
            otherwise: handles OPTIONS requests that are none.
        """

        async def handler(request: web.Request) -> web.StreamResponse:
            method = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
            origin = request.headers.get(hdrs.ORIGIN)
            if method is None or origin is None:
                return await otherwise(request)
            if not self._origins.allows(origin):
                return error(403, ErrorCode.FORBIDDEN, f"origin {echoed(origin)} is not allowed")
            methods = await allowed_methods(request)
            if not methods:
                return error(404, ErrorCode.NOT_FOUND, f"no resource at {request.path}")
            headers = {
                hdrs.ACCESS_CONTROL_ALLOW_METHODS: ", ".join(methods),
                hdrs.ACCESS_CONTROL_ALLOW_HEADERS: _REQUEST_HEADERS,
                hdrs.ACCESS_CONTROL_MAX_AGE: _MAX_AGE_S,
            }
            return web.Response(status=204, headers=headers)

        return web.options("/{path:.*}", handler)

    async def _prepare(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        if self._origins.allows_any:
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = "*"
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _ANSWER_HEADERS
            return
        # Also where there is no origin: a cache must not give that answer to a page (RFC 9110, section 12.5.5).
        others = headers.get(hdrs.VARY)
        headers[hdrs.VARY] = f"{others}, {hdrs.ORIGIN}" if others else hdrs.ORIGIN
        origin = request.headers.get(hdrs.ORIGIN)
        if origin is not None and self._origins.allows(origin):
            headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
            headers[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS] = "true"
            headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = _ANSWER_HEADERS
