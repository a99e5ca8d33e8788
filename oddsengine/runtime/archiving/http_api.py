"""The HTTP API of an archiver: health and metrics."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from oddsengine.common.http import UNKNOWN_ROUTE, admit, healthz, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.grants import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.history.archive.archiver import Archiver
    from oddsengine.runtime.processes.front import Front
    from oddsengine.runtime.telemetry.scrapes import Scrapes


@asynccontextmanager
async def serve_archiver_api(
    archiver: Archiver, registry: CollectorRegistry, front: Front, admission: Admission, scrapes: Scrapes, *, local: bool
) -> AsyncIterator[None]:
    """Serve it while the context is open.

    Args:
        archiver: the archiver.
        registry: the metrics of `/metrics`.
        front: where it listens.
        admission: admits requests.
        scrapes: admits scrapes.
        local: whether only this machine can connect, so that `/metrics` needs no token.
    """

    async def readyz(_request: web.Request) -> web.Response:
        behind_s = round(archiver.counters.behind_s, 1)
        return web.json_response({"status": "ready", "active": archiver.is_active, "behind_s": behind_s})

    authorise_scrape = scrapes.guard(None if local else partial(admission.authorise, role=Role.service))
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", admit(authorise_scrape, metrics_handler(registry), InternalErrors()))
    app.add_routes([UNKNOWN_ROUTE])
    async with front.serving(app), scrapes.serving(registry):
        yield
