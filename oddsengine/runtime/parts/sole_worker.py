"""Runs what one process of an installation does by lease (archiving, a bridge, webhooks), and serves its health and metrics."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from aiohttp import web

from oddsengine.common.http import UNKNOWN_ROUTE, admit, healthz, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.common.tasks import end_tasks
from oddsengine.gateway.access.grants import Role
from oddsengine.runtime.telemetry.metrics import build_registry
from oddsengine.streams.connection import keep_on_primary, open_client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable

    from redis.asyncio import Redis

    from oddsengine.gateway.access.admission import Admission
    from oddsengine.runtime.processes.front import Front
    from oddsengine.runtime.telemetry.http_observer import HttpObserver
    from oddsengine.runtime.telemetry.scrapes import Scrapes


class Runs(Protocol):
    """Work by lease."""

    async def run(self) -> None:
        """Work while this process is the one that does, until cancelled or stopped."""
        ...

    async def stop(self) -> None:
        """Release the work for another process. May be called again."""
        ...


class HasHealth(Protocol):
    """Work by lease in a process of its own."""

    @property
    def is_active(self) -> bool:
        """Return whether this process is the one that works."""
        ...

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], float]]:
        """Yield its metrics."""
        ...


_Worker = TypeVar("_Worker", bound=Runs)


@asynccontextmanager
async def run_worker(
    redis_url: str,
    build: Callable[[Redis], _Worker],
    beside: Callable[[_Worker], Coroutine[Any, Any, None]] | None = None,
) -> AsyncIterator[_Worker]:
    """Run work by lease until the context is left; yield it.

    Args:
        redis_url: the Redis with the streams. It is reached by a client of its own: whatever that waits for keeps no connection
            from those who publish.
        build: makes the work, with that client.
        beside: what else runs as long; None for nothing.
    """
    redis = open_client(redis_url)
    worker = build(redis)
    runs = [worker.run(), keep_on_primary(redis), *([] if beside is None else [beside(worker)])]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in runs]
            try:
                yield worker
            finally:
                await worker.stop()
                await end_tasks(tasks)
    finally:
        await redis.aclose()


@asynccontextmanager
async def serve_worker_api(
    worker: HasHealth,
    front: Front,
    admission: Admission,
    scrapes: Scrapes,
    observer: HttpObserver,
    *,
    local: bool,
    describe: Callable[[], dict[str, Any]] = dict,
) -> AsyncIterator[None]:
    """Serve `/healthz`, `/readyz` and `/metrics` while the context is open.

    Args:
        worker: the work.
        front: where it listens.
        admission: admits requests.
        scrapes: admits scrapes.
        observer: is called with every answer.
        local: whether only this machine can connect, so that `/metrics` needs no token.
        describe: returns what `/readyz` says beside whether the work is done here.
    """

    async def readyz(_request: web.Request) -> web.Response:
        return web.json_response({"status": "ready", "active": worker.is_active, **describe()})

    registry = build_registry([worker.samples, observer.samples])
    authorise_scrape = scrapes.guard(None if local else partial(admission.authorise, role=Role.service))
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", admit(authorise_scrape, metrics_handler(registry), InternalErrors()))
    app.add_routes([UNKNOWN_ROUTE])
    async with front.serving(app, observer), scrapes.serving(registry):
        yield
