"""The gateway's HTTP application: the stream, the API, health, metrics and the page, on one port."""

from __future__ import annotations

import time
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import orjson
import structlog
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from oddsengine.domain.ids import MarketId
from oddsengine.gateway.protocol.api_documents import asyncapi, openapi, page
from oddsengine.gateway.protocol.codes import ErrorCode, error
from oddsengine.gateway.server.error_answers import UNKNOWN, answering
from oddsengine.gateway.server.listener import HandshakeTimeouts
from oddsengine.gateway.server.rest import HttpApi
from oddsengine.gateway.server.stream_endpoint import StreamEndpoint

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp.typedefs import Handler
    from prometheus_client import CollectorRegistry

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.rest import EngineView

_PAGE: Final = {
    "index.html": "text/html",
    "app.js": "text/javascript",
    "client.js": "text/javascript",
    "store.js": "text/javascript",
    "view.js": "text/javascript",
    "style.css": "text/css",
    "icon.svg": "image/svg+xml",
}
#: What the page needs and nothing else: no script but its own, no other site.
_PAGE_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
_log = structlog.get_logger(__name__)


class Gateway:
    """One gateway: its application and its live sockets.

    Args:
        hub: sessions and audiences.
        door: who is let in.
        registry: what `/metrics` shows.
        engine: what only an engine knows; None where none runs in this process.
        handshakes: notes who has said what it wants.
    """

    def __init__(
        self,
        hub: Hub,
        door: Admission,
        registry: CollectorRegistry,
        engine: EngineView | None = None,
        handshakes: HandshakeTimeouts | None = None,
    ) -> None:
        self.hub = hub
        handshakes = handshakes or HandshakeTimeouts(0.0, time.monotonic)
        self.stream = StreamEndpoint(hub, door, handshakes)
        self.app = web.Application(client_max_size=4 * 1024 * 1024)
        routes = [
            web.get("/healthz", _healthz),
            web.get("/readyz", self._readyz),
            web.get("/metrics", _metrics(registry)),
            web.get("/v1/sse", self.stream.handle_events),
            *HttpApi(hub, engine, door).routes(),
            web.get("/docs", _document("text/html", page())),
            web.get("/docs/openapi.json", _document("application/json", orjson.dumps(openapi()).decode())),
            web.get("/docs/asyncapi.json", _document("application/json", orjson.dumps(asyncapi()).decode())),
            web.get("/", _page("index.html")),
            *(web.get(f"/{name}", _page(name)) for name in _PAGE if name != "index.html"),
            UNKNOWN,
        ]
        self.app.add_routes([web.get("/v1/stream", self.stream.handle)])
        self.app.add_routes(
            web.RouteDef(route.method, route.path, handshakes.noting(answering(route.handler)), route.kwargs) for route in routes
        )

    async def _readyz(self, _request: web.Request) -> web.Response:
        """Ready is: every shard loaded and current, and not about to stop."""
        if self.stream.draining:
            return error(503, ErrorCode.NOT_READY, "draining")
        stale = sorted(self.hub.replica.stale_since)
        if stale:
            return error(503, ErrorCode.NOT_READY, f"shards not current: {', '.join(map(str, stale))}")
        return web.json_response({"status": "ready"})


def engine_app(engine: EngineView, registry: CollectorRegistry) -> web.Application:
    """Build what an engine without a gateway serves; it is for the installation's own network, and asks for no token.

    Args:
        engine: the engine.
        registry: what `/metrics` shows.
    """

    async def explained(request: web.Request) -> web.Response:
        key = unquote(request.match_info["id"])
        explanation = engine.explain(MarketId(key))
        if explanation is None:
            return error(404, ErrorCode.NOT_FOUND, f"no market {key!r} is on offer")
        return web.Response(body=orjson.dumps(explanation), content_type="application/json")

    async def feeds(_request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps({"feeds": engine.feeds()}), content_type="application/json")

    async def unmatched(_request: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps({"unmatched": engine.unmatched()}), content_type="application/json")

    app = web.Application()
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/metrics", _metrics(registry))
    app.router.add_get("/v1/markets/{id:.+}/explain", answering(explained))
    app.router.add_get("/v1/feeds", answering(feeds))
    app.router.add_get("/v1/unmatched", answering(unmatched))
    app.add_routes([UNKNOWN])
    return app


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _metrics(registry: CollectorRegistry) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return handler


def _page(name: str) -> Handler:
    resource: Path | Any = files("oddsengine.gateway").joinpath("web", name)
    body = resource.read_bytes()

    async def handler(_request: web.Request) -> web.Response:
        return web.Response(body=body, content_type=_PAGE[name], charset="utf-8", headers=_PAGE_HEADERS)

    return handler


def _document(kind: str, text: str) -> Handler:
    async def handler(_request: web.Request) -> web.Response:
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=_PAGE_HEADERS)

    return handler
