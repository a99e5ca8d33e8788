"""The HTTP API of a feeder: health, metrics, and the status of its feeds."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import UNKNOWN_ROUTE, answer_errors, error, healthz, json_answer, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.grants import Role
from oddsengine.streams.leases.keeper import LAPSED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp.typedefs import Handler
    from prometheus_client import CollectorRegistry

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.runtime.feeding.running import SharedFeeds
    from oddsengine.runtime.processes.front import Front


@asynccontextmanager
async def serve_feeder_api(
    shared: SharedFeeds, registry: CollectorRegistry, front: Front, admission: Admission, *, local: bool
) -> AsyncIterator[None]:
    """Serve it while the context is open.

    Args:
        shared: the feeds.
        registry: the metrics of `/metrics`.
        front: where it listens.
        admission: admits requests.
        local: whether only this machine can connect, so that `/metrics` needs no token.
    """
    errors = InternalErrors()

    def require(role: Role | None, handler: Handler) -> Handler:
        async def authorised(request: web.Request) -> web.StreamResponse:
            if role is not None:
                await admission.authorise(request, role)
            return await handler(request)

        return answer_errors(authorised, errors)

    async def readyz(_request: web.Request) -> web.Response:
        if shared.feeder is None or not shared.feeder.lease.is_held():
            return error(503, ErrorCode.NOT_READY, f"no feed can be given to this feeder: {LAPSED}")
        return web.json_response(shared.feeder.status())

    async def feeds(_request: web.Request) -> web.Response:
        return json_answer(orjson.dumps({"feeds": shared.status()}))

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", require(None if local else Role.service, metrics_handler(registry)))
    app.router.add_get("/v1/feeds", require(Role.trader, feeds))
    app.add_routes([UNKNOWN_ROUTE])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    await front.hand_over()
    try:
        for each in front.sockets:
            await web.SockSite(runner, each.dup()).start()
        yield
    finally:
        await runner.cleanup()
