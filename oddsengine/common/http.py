"""HTTP answers of both the engine and the gateway: JSON bodies, errors, unknown paths, health and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import orjson
from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.excerpts import bounded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from aiohttp.typedefs import Handler

    from oddsengine.common.internal_errors import InternalErrors

    #: raises `RequestRejected` if a request is not admitted
    Authorise = Callable[[web.Request], Awaitable[object]]

_JSON: Final = "application/json"
_UNCACHED: Final = {"Cache-Control": "no-store"}
_NOT_FOUND: Final = 404


class RequestRejected(Exception):
    """A request that is answered with an error.

    Args:
        response: the answer.
    """

    def __init__(self, response: web.Response) -> None:
        self.response = response
        super().__init__(response.status)


def error(status: int, code: ErrorCode, text: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error answer. A text that repeats what a client sent is cut."""
    body = orjson.dumps({"error": {"code": code, "message": bounded(text)}})
    # Another client, or the same in a moment, may get another one: a cache may keep a 404 unless told not to (RFC 9111, 4.2.2).
    return web.Response(status=status, body=body, content_type=_JSON, headers={**_UNCACHED, **(headers or {})})


def json_answer(body: bytes) -> web.Response:
    """Return an answer whose body is encoded JSON."""
    return web.Response(body=body, content_type=_JSON)


def answer_errors(handler: Handler, errors: InternalErrors) -> Handler:
    """Wrap a handler so that whatever it raises becomes an error answer.

    This wraps each handler and is no middleware: aiohttp would keep the frames of a middleware for the life of every WebSocket.

    Args:
        handler: the handler.
        errors: counts unexpected errors.
    """

    async def wrapped(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Exception as problem:  # noqa: BLE001 - the one door for all of them
            return error_answer(problem, request, errors)

    return wrapped


def admit(authorise: Authorise | None, handler: Handler, errors: InternalErrors) -> Handler:
    """Wrap a handler as `answer_errors` does, so that it answers only requests that are admitted.

    Args:
        authorise: admits requests; None admits all.
        handler: the handler.
        errors: counts unexpected errors.
    """

    async def admitted(request: web.Request) -> web.StreamResponse:
        if authorise is not None:
            await authorise(request)
        return await handler(request)

    return answer_errors(admitted, errors)


def error_answer(problem: Exception, request: web.Request, errors: InternalErrors) -> web.Response:
    """Return the error answer for an exception. An unexpected one is counted and logged, and the answer does not reveal it."""
    if isinstance(problem, RequestRejected):
        return problem.response
    if isinstance(problem, web.HTTPException):
        code = ErrorCode.NOT_FOUND if problem.status == _NOT_FOUND else ErrorCode.BAD_REQUEST
        return error(problem.status, code, problem.reason)
    if isinstance(problem, web.RequestPayloadError):
        return error(400, ErrorCode.BAD_REQUEST, "the body can't be read")
    if not isinstance(problem, ConnectionError):  # else the client is gone
        resource = request.match_info.route.resource
        errors.note("" if resource is None else resource.canonical, problem)
    return error(500, ErrorCode.INTERNAL, "internal error; it has been logged")


async def allowed_methods(request: web.Request) -> list[str]:
    """Return the methods that a path supports, in order; none if there is nothing. Routes of every path do not count."""
    allowed: set[str] = set()
    for resource in request.app.router.resources():
        if resource.canonical != UNKNOWN_PATH:
            _, methods = await resource.resolve(request)
            allowed |= methods
    return sorted(allowed)


async def _unknown(request: web.Request) -> web.StreamResponse:
    """Answer a path or method that no other route handles."""
    if allowed := await allowed_methods(request):
        methods_text = ", ".join(allowed)
        return error(405, ErrorCode.BAD_REQUEST, f"{request.path} accepts {methods_text}", {"Allow": methods_text})
    return error(404, ErrorCode.NOT_FOUND, f"no resource at {request.path}")


#: Matches every path; add it after all other routes.
UNKNOWN_ROUTE: Final = web.route("*", "/{path:.*}", _unknown)
#: How aiohttp names the resource of such routes.
UNKNOWN_PATH: Final = "/{path}"


async def healthz(_request: web.Request) -> web.Response:
    """Answer that the process is up."""
    return web.json_response({"status": "ok"})


class RefreshedRegistry(CollectorRegistry):
    """Metrics that must be brought up to date before they are read."""

    async def refresh(self) -> None:
        """Bring them up to date."""
        raise NotImplementedError


def metrics_handler(registry: CollectorRegistry) -> Handler:
    """Return a handler that answers with a registry's metrics in the Prometheus text format."""

    async def handler(_request: web.Request) -> web.Response:
        if isinstance(registry, RefreshedRegistry):
            await registry.refresh()
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handler
