"""The HTTP API of a feeder: health, metrics, and the status of its feeds."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import UNKNOWN_ROUTE, admit, error, healthz, json_answer, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.grants import Role
from oddsengine.streams.leases.keeper import LAPSED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.runtime.feeding.running import SharedFeeds
    from oddsengine.runtime.processes.front import Front
    from oddsengine.runtime.telemetry.http_observer import HttpObserver
    from oddsengine.runtime.telemetry.scrapes import Scrapes


@asynccontextmanager
async def serve_feeder_api(
    shared: SharedFeeds,
    registry: CollectorRegistry,
    front: Front,
    admission: Admission,
    scrapes: Scrapes,
    observer: HttpObserver,
    *,
    local: bool,
) -> AsyncIterator[None]:
    """Serve it while the context is open.

    Args:
        shared: the feeds.
        registry: the metrics of `/metrics`.
        front: where it listens.
        admission: admits requests.
        scrapes: admits scrapes.
        observer: is called with every answer.
        local: whether only this machine can connect, so that `/metrics` needs no token.
    """

    async def readyz(_request: web.Request) -> web.Response:
        if shared.feeder is None or not shared.feeder.lease.is_held():
            return error(503, ErrorCode.NOT_READY, f"no feed can be given to this feeder: {LAPSED}")
        return web.json_response(shared.feeder.status())

    async def feeds(_request: web.Request) -> web.Response:
        return json_answer(orjson.dumps({"feeds": shared.status()}))

    errors = InternalErrors()
    authorise = partial(admission.authorise, role=Role.trader)
    authorise_scrape = scrapes.guard(None if local else partial(admission.authorise, role=Role.service))
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", admit(authorise_scrape, metrics_handler(registry), errors))
    app.router.add_get("/v1/feeds", admit(authorise, feeds, errors))
    app.add_routes([UNKNOWN_ROUTE])
    async with front.serving(app, observer), scrapes.serving(registry):
        yield
