"""Autobahn's WebSocket cases, run by kosoku against the gateway's socket with an echo handler.

Each row is a section, with the number of its cases that passed. A case passes as in Autobahn's own report: its behaviour and its
close are OK, NON-STRICT or INFORMATIONAL.
"""

from __future__ import annotations

import asyncio
import importlib
from collections import Counter
from contextlib import asynccontextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from kosoku import FailureError, _caseindex, run_fuzzingclient
from rich.console import Console

from bench.load.serving import serving
from bench.reporting.progress import report_progress
from bench.reporting.row import Row
from oddsengine.gateway.server.http_connection import HttpConnection
from oddsengine.gateway.server.sockets.connection import Content, Control, SocketConnection, Wait
from oddsengine.gateway.server.sockets.handshake import Switched, Upgrade, accept

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

#: The sections that take seconds; 9, 12 and 13 (limits, compression) take minutes.
QUICK: Final = tuple(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10))
_MAX_MESSAGE_BYTES: Final = 64 * 1024 * 1024
_PARALLELISM: Final = 4


class _Echo:
    """Echoes every message of a socket unchanged."""

    def __init__(self, transport: asyncio.Transport, upgrade: Upgrade) -> None:
        self._transport = transport
        self._upgrade = upgrade

    def received(self, content: Content) -> Wait | None:
        if not isinstance(content, Control):
            payload = content.encode() if isinstance(content, str) else content
            self._transport.write(self._upgrade.framing(text=isinstance(content, str)).wrap(payload))
        return None

    def ended(self) -> None: ...

    def failed(self, problem: Exception) -> None:
        raise problem

    def lost(self) -> None: ...


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """Accept a socket and echo its messages."""
    upgrade = accept(request, ())
    http, transport = request.protocol, request.transport
    if isinstance(http, HttpConnection) and transport is not None:
        connection = SocketConnection(http, transport, _MAX_MESSAGE_BYTES, is_compressed=upgrade.deflate_bits > 0)
        transport.write(upgrade.head)
        connection.set_listener(_Echo(transport, upgrade))
        http.hand_over(connection)
        connection.begin()
    return Switched()


@asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """Serve `echo`. Yield the address."""
    app = web.Application()
    app.add_routes([web.get("/{anything:.*}", echo)])
    async with serving(app) as port:
        yield f"127.0.0.1:{port}"


def _patch_driver() -> None:
    """Make the compression cases hash the echoed messages.

    They were written for Python 2, where a string was bytes; kosoku (0.1.0) passes them short messages as text.
    """
    _caseindex.initialize_shims()
    cases = importlib.import_module("case12_x_x")
    for case in (*cases.Case12_X_X, *cases.Case13_X_X):
        case.onMessage = _with_bytes(case.onMessage)


def _with_bytes(on_message: Callable[..., None]) -> Callable[..., None]:
    if hasattr(on_message, "__wrapped__"):
        return on_message

    @wraps(on_message)
    def patched(case: Any, message: str | bytes, binary: bool) -> None:  # noqa: FBT001 - Autobahn's signature
        on_message(case, message.encode("latin-1") if isinstance(message, str) else message, binary)

    return patched


async def run_cases(cases: Sequence[str]) -> list[Any]:
    """Run the cases that match. Return kosoku's results."""
    _patch_driver()
    async with echo_server() as address:
        try:
            return list(await run_fuzzingclient(f"ws://{address}", list(cases), concurrency=_PARALLELISM))
        except FailureError as failure:
            return failure.results


def run(*, quick: bool) -> list[Row]:
    """Run all cases, or only the quick sections. Return one row per section."""
    report_progress("Autobahn's cases" + (", quick sections" if quick else ", takes some minutes"))
    found = asyncio.run(run_cases(QUICK if quick else ("*",)))
    console = Console(stderr=True)
    passed: Counter[int] = Counter()
    total: Counter[int] = Counter()
    for result in found:
        section = int(result.case_id.partition(".")[0])
        total[section] += 1
        passed[section] += result.passed
        if not result.passed:
            console.print(
                f"{result.case_id}: {result.behavior.value}, close {result.behavior_close.value}: "
                f"{result.result} {result.result_close}",
                highlight=False,
            )
    rows = [
        Row(
            scenario="conformance",
            metric=f"section {section} passed",
            value=passed[section],
            unit="cases",
            reference="cases",
            ratio=passed[section] / total[section],
            goal=1.0,
            met=passed[section] == total[section],
        )
        for section in sorted(total)
    ]
    everything = sum(total.values())
    rows.append(
        Row(
            scenario="conformance",
            metric="all passed",
            value=sum(passed.values()),
            unit="cases",
            reference="cases",
            ratio=sum(passed.values()) / everything,
            goal=1.0,
            met=sum(passed.values()) == everything,
        )
    )
    return rows
