"""Access to `/metrics`: on the port of the role, or on a port of its own that no client reaches."""

from __future__ import annotations

import hmac
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import UNKNOWN_ROUTE, RequestRejected, admit, error, healthz, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.proxies import is_direct, is_local_name
from oddsengine.runtime.processes.front import Front, open_front, url_of
from oddsengine.runtime.processes.startup import Step
from oddsengine.runtime.settings.telemetry import MetricsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from prometheus_client import CollectorRegistry

    from oddsengine.common.http import Authorise
    from oddsengine.runtime.processes.startup import Startup

_CHALLENGE: Final = {"WWW-Authenticate": "Bearer"}
_HERE: Final = "localhost"
_log = structlog.get_logger(__name__)


class Scrapes:
    """Admits scrapes, and serves them where they have a port of their own.

    Args:
        settings: where they are served.
        token: what they send; empty for none.
        front: their own port; None if there is none, or if another process has it.
    """

    def __init__(self, settings: MetricsSettings, token: str = "", front: Front | None = None) -> None:
        self._settings = settings
        self._token = token.encode()
        self._front = front

    def guard(self, otherwise: Authorise | None) -> Authorise:
        """Return what admits scrapes on the port of a role.

        Args:
            otherwise: admits clients by their role, where no token of scrapes was sent; None admits all.
        """
        if self._settings.port is not None:
            return _refuse

        async def authorise(request: web.Request) -> None:
            if self._has_token(request):
                return
            has_no_role = otherwise is None or not request.headers.get("Authorization")
            # Whoever may connect to this machine without a token, strangers behind a proxy are not meant: it may hand on the
            # name that they have asked for.
            is_near = is_direct(request) and (otherwise is not None or is_local_name(request.headers.get("Host", _HERE)))
            if has_no_role and (self._token or not is_near):
                raise RequestRejected(error(401, ErrorCode.UNAUTHORISED, "a token is required", _CHALLENGE))
            if otherwise is not None:
                await otherwise(request)

        return authorise

    @asynccontextmanager
    async def serving(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """Serve metrics on their own port while the context is open, if they have one here."""
        if self._front is None:
            yield
            return
        app = web.Application()
        app.router.add_get("/healthz", healthz)
        authorise = self._require_token if self._token else None
        app.router.add_get("/metrics", admit(authorise, metrics_handler(registry), InternalErrors()))
        app.add_routes([UNKNOWN_ROUTE])
        async with self._front.serving(app):
            yield

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        # Bytes that are no UTF-8 arrive as surrogates.
        given = token.strip().encode("utf-8", "surrogateescape")
        return bool(self._token) and scheme.lower() == "bearer" and hmac.compare_digest(given, self._token)

    async def _require_token(self, request: web.Request) -> None:
        if not self._has_token(request):
            raise RequestRejected(error(401, ErrorCode.UNAUTHORISED, "the token of scrapes is required", _CHALLENGE))


async def _refuse(request: web.Request) -> None:
    raise RequestRejected(error(404, ErrorCode.NOT_FOUND, f"no resource at {request.path}"))


#: Scrapes on the port of the role, without a token of their own.
SHARED_PORT: Final = Scrapes(MetricsSettings())


@asynccontextmanager
async def open_scrapes(settings: MetricsSettings, startup: Startup, *, binds: bool = True) -> AsyncIterator[Scrapes]:
    """Read the token of scrapes, and bind their port if they have one, until the context is left.

    Args:
        settings: where metrics are served.
        startup: its steps are SECRETS and BIND meanwhile.
        binds: whether this process serves them on that port; otherwise another one does for it.
    """
    with startup.doing(Step.SECRETS):
        try:
            token = settings.read_token()
        except ValueError as problem:
            raise ValueError(f"metrics.{problem}") from None
    if settings.port is None or not binds:
        yield Scrapes(settings, token)
        return
    async with open_front(settings.host, settings.port, startup, announced=False) as front:
        _log.info("listening", url=url_of(settings.host, front.port), serves="metrics")
        yield Scrapes(settings, token, front)
