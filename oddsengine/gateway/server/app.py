"""The gateway's HTTP application: stream, API, health, metrics, API documents and page, on one port."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import orjson
from aiohttp import hdrs, web

from oddsengine.common.http import UNKNOWN_ROUTE, answer_errors, error, healthz, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.cors import Cors
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.commands.account_api import AccountApi
from oddsengine.gateway.dialects.centrifuge.dialect import CentrifugeDialect
from oddsengine.gateway.dialects.dialect import SessionAccess
from oddsengine.gateway.dialects.native import NativeDialect
from oddsengine.gateway.documents.asyncapi import asyncapi
from oddsengine.gateway.documents.openapi import openapi
from oddsengine.gateway.documents.pages import CONTENT_SECURITY_POLICY, http_page, streams_page
from oddsengine.gateway.documents.swagger_files import swagger_routes
from oddsengine.gateway.http.conditional import conditional
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.server.connections import Connections
from oddsengine.gateway.server.event_stream_endpoint import EventStreamEndpoint
from oddsengine.gateway.server.rest import RestApi
from oddsengine.gateway.server.sockets.endpoint import WebSocketEndpoint
from oddsengine.gateway.server.timeouts import HandshakeTimeouts
from oddsengine.gateway.web import CONTENT_TYPES, PAGE_FILES, PAGES, console_page, page_file

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiohttp.typedefs import Handler
    from prometheus_client import CollectorRegistry

    from oddsengine.common.http import Authorise
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.console.engine_answers import EngineAnswers
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.rest import ResultFinder

#: The page may load its own resources only.
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_SWITCHED: Final = 101
_MAX_BODY_BYTES: Final = 4 * 1024 * 1024


class Api(Protocol):
    """A part of the HTTP API."""

    def routes(self) -> list[web.RouteDef]:
        """Return its routes."""
        ...


class Gateway:
    """The application of one gateway and its live connections.

    Args:
        hub: sessions and audiences.
        admission: admits requests.
        registry: the metrics of `/metrics`.
        engines: answers of the engines; None if nobody can be asked.
        handshakes: notified when requests have arrived; None for no timeout.
        results: finds markets that have left the offer; None if none are kept.
        errors: counts unexpected errors.
        apis: what else is served: commands, the sign-in to the console.
        scrapes: admits requests for the metrics, given what admits traders; None: traders are admitted.
        offered: names what the console may ask this gateway for now; see `console_page`.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        hub: Hub,
        admission: Admission,
        registry: CollectorRegistry,
        engines: EngineAnswers | None = None,
        handshakes: HandshakeTimeouts | None = None,
        results: ResultFinder | None = None,
        errors: InternalErrors | None = None,
        apis: Sequence[Api] = (),
        scrapes: Callable[[Authorise], Authorise] | None = None,
        offered: Callable[[], Sequence[str]] = tuple,
    ) -> None:
        self.hub = hub
        handshakes = handshakes or HandshakeTimeouts(0.0, time.monotonic)
        errors = errors or InternalErrors()
        self.connections = Connections(hub)
        sessions = SessionAccess(hub, admission)
        dialects = (NativeDialect(hub, sessions), CentrifugeDialect(hub, sessions))
        event_streams = EventStreamEndpoint(hub, admission, self.connections)
        self.app = web.Application(client_max_size=_MAX_BODY_BYTES)
        authorise_trader = partial(admission.authorise, role=Role.trader)
        authorise_scrape = authorise_trader if scrapes is None else scrapes(authorise_trader)
        cors = Cors(admission.origins)
        cors.register(self.app)
        self.app.on_response_prepare.append(self._end_connections)
        routes = [
            web.get("/healthz", healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", _admitted(authorise_scrape, metrics_handler(registry))),
            web.post("/v1/tickets", admission.issue_ticket),
            *RestApi(hub, engines, admission, results).routes(),
            *AccountApi(hub, admission).routes(),
            *(route for api in apis for route in api.routes()),
            *(
                web.get(path, conditional(_limited(admission, handler), is_fixed=True))
                for path, handler in _public(offered).items()
            ),
            cors.preflights(_limited(admission, UNKNOWN_ROUTE.handler)),
            web.route(UNKNOWN_ROUTE.method, UNKNOWN_ROUTE.path, _limited(admission, UNKNOWN_ROUTE.handler)),
        ]
        #: what opens sockets, by path
        self.sockets = {
            dialect.path: WebSocketEndpoint(hub, admission, handshakes, self.connections, errors, dialect, sessions)
            for dialect in dialects
        }
        self.app.add_routes(web.get(path, endpoint.handle, allow_head=False) for path, endpoint in self.sockets.items())
        self.app.add_routes(
            web.RouteDef(route.method, route.path, handshakes.completing(answer_errors(route.handler, errors)), route.kwargs)
            for route in [web.get("/v1/sse", event_streams.handle), *map(_revalidated, routes)]
        )

    async def _end_connections(self, _request: web.Request, response: web.StreamResponse) -> None:
        """Announce with each answer that a drain is about to close its connection."""
        if self.connections.draining and response.status != _SWITCHED:
            response.force_close()
            # aiohttp has written its own headers by now.
            response.headers[hdrs.CONNECTION] = "close"

    async def _readyz(self, _request: web.Request) -> web.Response:
        """Answer that the gateway is ready: every shard is loaded and current, and it is not draining."""
        if self.connections.draining:
            return error(503, ErrorCode.NOT_READY, "draining")
        stale = sorted(self.hub.replica.stale_since)
        if stale:
            return error(503, ErrorCode.NOT_READY, f"shards not current: {', '.join(map(str, stale))}")
        return web.json_response({"status": "ready"})


def _public(offered: Callable[[], Sequence[str]] = tuple) -> dict[str, Handler]:
    """Return what is served without a token, by path: the pages, which are empty without one, and the API's documents."""
    return {
        **{PAGES.get(name, f"/{name}"): _page(name, offered) for name in PAGE_FILES},
        "/console/": _moved("../console"),
        "/docs/": _moved("../docs"),
        "/docs": _document("text/html", http_page()),
        "/docs/streams": _document("text/html", streams_page()),
        **swagger_routes(),
        "/docs/openapi.json": _document("application/json", orjson.dumps(openapi()).decode()),
        "/docs/asyncapi.json": _document("application/json", orjson.dumps(asyncapi()).decode()),
        # Where tools look for them.
        "/openapi.json": _document("application/json", orjson.dumps(openapi(root=".")).decode()),
        "/asyncapi.json": _document("application/json", orjson.dumps(asyncapi()).decode()),
    }


def public_paths() -> frozenset[str]:
    """Return the paths that are served without a token, apart from `/healthz` and `/readyz`."""
    return frozenset(_public())


def _limited(admission: Admission, handler: Handler) -> Handler:
    """Wrap a handler so that its requests count towards the rate of their address."""

    async def limited(request: web.Request) -> web.StreamResponse:
        admission.check_rate(request)
        return await handler(request)

    return limited


def _revalidated(route: web.RouteDef) -> web.RouteDef:
    """Return a route whose answers, if they may be kept, have a validator and are compressed."""
    if route.method != hdrs.METH_GET:
        return route
    return web.RouteDef(route.method, route.path, conditional(route.handler), route.kwargs)


def _admitted(authorise: Authorise, handler: Handler) -> Handler:
    """Wrap a handler so that it serves only requests that are admitted."""

    async def authorised(request: web.Request) -> web.StreamResponse:
        await authorise(request)
        return await handler(request)

    return authorised


def _page(name: str, offered: Callable[[], Sequence[str]]) -> Handler:
    plain = page_file(name)
    is_console = PAGES.get(name) == "/console"
    content_type = CONTENT_TYPES[name.rpartition(".")[2]]

    async def handler(_request: web.Request) -> web.Response:
        body = console_page(plain, offered()) if is_console else plain
        return web.Response(body=body, content_type=content_type, charset="utf-8", headers=_PAGE_HEADERS)

    return handler


def _moved(location: str) -> Handler:
    """Redirect to a path that is relative to the request's, so that it holds below a path of a proxy too."""

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": location})

    return handler


def _document(content_type: str, text: str) -> Handler:
    headers = {**_PAGE_HEADERS, "Content-Security-Policy": CONTENT_SECURITY_POLICY}

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=headers)

    return handler
