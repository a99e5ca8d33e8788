"""Observes what a role has answered: durations for the metrics, lines for the access log, spans for traces.

aiohttp calls it once an answer is written, so it delays none. Neither a query nor a header is ever logged: both may hold secrets.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp.abc import AbstractAccessLogger

from oddsengine.common.histogram import Histogram
from oddsengine.common.http import UNKNOWN_PATH
from oddsengine.gateway.access.admission import ACCESS
from oddsengine.gateway.access.grants import Role

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp import web

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.access.rate_limits import ClientAddresses
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.server.connections import Opened
    from oddsengine.runtime.telemetry.metrics import Sample
    from oddsengine.runtime.telemetry.tracing import Tracing

_BOUNDS_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: What every probe asks: it is counted, but not logged.
_PROBES: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_OTHER: Final = "other"
_EVENT_STREAM: Final = "text/event-stream"
_SWITCHED: Final = 101
_OK: Final = 200
_log = structlog.get_logger("oddsengine.access")


class HttpObserver(AbstractAccessLogger):
    """Observes the answers of one role, and the sessions of a gateway.

    Args:
        addresses: distinguishes proxies from clients.
        logs: whether to write an access log.
        tracing: makes spans of requests; None if nothing is traced.
    """

    def __init__(self, addresses: ClientAddresses, *, logs: bool = False, tracing: Tracing | None = None) -> None:
        super().__init__(logging.getLogger("oddsengine.access"), "")
        self._addresses = addresses
        #: whether an access log is written
        self.logs = logs
        self._tracing = tracing
        #: by method, route and class of status; as many as the application has
        self._seconds: dict[tuple[str, str, int], Histogram] = {}

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Observe an answer that was written. Sessions are those of `session_ended`.

        Args:
            request: what was asked.
            response: what was answered.
            time: how long it took, in seconds.
        """
        if response.status == _SWITCHED:
            return
        method, route = _route_of(request)
        if response.content_type == _EVENT_STREAM:
            return
        kind = method, route, response.status // 100
        seconds = self._seconds.get(kind)
        if seconds is None:
            seconds = self._seconds[kind] = Histogram(_BOUNDS_S)
        seconds.observe(time)
        if self._tracing is not None and route not in _PROBES:
            access = request.get(ACCESS)
            is_trusted = access is not None and access.role >= Role.service
            self._tracing.request(request.headers, method, route, response.status, time, is_trusted=is_trusted)
        if self.logs and (route not in _PROBES or response.status != _OK):
            _log.info(
                "http request",
                method=request.method,
                route=route,
                status=response.status,
                ms=round(1000 * time, 1),
                bytes=response.body_length,
                client=self._addresses.client(request.remote or "", request.headers.getall("X-Forwarded-For", ())),
                **_who(request.get(ACCESS)),
            )

    def session_ended(self, session: Session, opened: Opened, now_s: float) -> None:
        """Log a session that has ended.

        Args:
            session: the session.
            opened: how it was opened.
            now_s: monotonic seconds.
        """
        if self.logs:
            _log.info(
                "session ended",
                session=session.session_id,
                method="GET",
                route=opened.path,
                status=_OK if session.framing.are_events else _SWITCHED,
                ms=round(1000 * (now_s - opened.since_s), 1),
                bytes=opened.sent_bytes,
                client=opened.address,
                code=session.close_code or None,
                **_who(session.access),
            )

    def samples(self) -> Iterable[Sample]:
        """Yield how long requests took."""
        for (method, route, status), seconds in self._seconds.items():
            yield "oddsengine_http_request_seconds", (method, route, f"{status}xx"), seconds


def _route_of(request: web.BaseRequest) -> tuple[str, str]:
    """Return the method and the route of a request, of which there are few, whatever clients ask for."""
    try:
        resource = request.match_info.route.resource  # type: ignore[attr-defined] # of a request that could be read
    except (AttributeError, AssertionError):
        return _OTHER, _OTHER
    if resource is None or resource.canonical == UNKNOWN_PATH:
        return _OTHER, _OTHER
    return request.method, resource.canonical


def _who(access: Access | None) -> dict[str, str | None]:
    if access is None:
        return {"role": None, "subject": None}
    return {"role": Role(access.role).name, "subject": access.subject}
