"""Autobahn's case files, driven by kosoku against the gateway's own socket with an echo handler.

Each row is a section: how many of its cases passed, beside how many there are. A case passes as in Autobahn's own report:
its behaviour and its close are OK, NON-STRICT or INFORMATIONAL.
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

from bench.reporting.progress import doing
from bench.reporting.row import Row
from oddsengine.gateway.server.websocket import Control, MessageSocket

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

#: The cases that take seconds; 9, 12 and 13 (limits, compression) take minutes.
QUICK: Final = tuple(f"{section}.*" for section in (1, 2, 3, 4, 5, 6, 7, 10))
_LONGEST_BYTES: Final = 64 * 1024 * 1024
_PARALLELISM: Final = 4


async def echo(request: web.Request) -> web.StreamResponse:
    """Say back every message as it came."""
    socket = MessageSocket((), _LONGEST_BYTES)
    await socket.accept(request)
    while (content := socket.content(await socket.receive())) is not None:
        if content is Control.FRAME:
            continue
        text = isinstance(content, str)
        payload = content.encode() if isinstance(content, str) else content
        transport = socket.transport
        if transport is not None:
            transport.write(socket.framing(text=text).wrap(payload))
    await socket.finish()
    return socket.response


@asynccontextmanager
async def echoing() -> AsyncIterator[str]:
    """Serve `echo`; give its address."""
    app = web.Application()
    app.add_routes([web.get("/{anything:.*}", echo)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _mend_driver() -> None:
    """Let the cases of compression hash what comes back.

    They are from Python 2, where a string was bytes; kosoku (0.1.0) gives them short messages as strings of as many characters.
    """
    _caseindex.initialize_shims()
    cases = importlib.import_module("case12_x_x")
    for case in (*cases.Case12_X_X, *cases.Case13_X_X):
        case.onMessage = _given_bytes(case.onMessage)


def _given_bytes(on_message: Callable[..., None]) -> Callable[..., None]:
    if hasattr(on_message, "__wrapped__"):
        return on_message

    @wraps(on_message)
    def mended(case: Any, message: str | bytes, binary: bool) -> None:  # noqa: FBT001 - Autobahn's signature
        on_message(case, message.encode("latin-1") if isinstance(message, str) else message, binary)

    return mended


async def results(cases: Sequence[str]) -> list[Any]:
    """Run the cases that match; give kosoku's results."""
    _mend_driver()
    async with echoing() as address:
        try:
            return list(await run_fuzzingclient(f"ws://{address}", list(cases), concurrency=_PARALLELISM))
        except FailureError as failure:
            return failure.results


def run(*, quick: bool) -> list[Row]:
    """Run every case, or the quick sections; give one row a section."""
    doing("Autobahn's cases" + (", the quick sections" if quick else ": some minutes"))
    found = asyncio.run(results(QUICK if quick else ("*",)))
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
