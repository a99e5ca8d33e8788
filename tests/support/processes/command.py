"""A command that runs in a process of its own, with its log."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp

from tests.support.processes.forked import start
from tests.support.service import PATIENCE_S

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.support.processes.forked import Forked


class Process:
    """A running command.

    Args:
        process: the process.
        log: where it writes its log.
    """

    def __init__(self, process: asyncio.subprocess.Process | Forked, log: Path) -> None:
        self.process = process
        self.log = log
        #: whether it may log tracebacks
        self.may_fail = False

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The log so far: whole lines, without what is not JSON."""
        whole, _, _ = self.log.read_text(errors="replace").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def events(self, event: str) -> list[dict[str, Any]]:
        """Return the log lines of an event so far."""
        return [line for line in self.lines if line["event"] == event]

    async def logged(self, event: str, times: int = 1) -> list[dict[str, Any]]:
        """Wait until an event was logged this many times, and return those lines."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while len(found := self.events(event)) < times:
                    assert self.process.returncode is None, self.log.read_text()
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"no {event!r} within {PATIENCE_S:g} s:\n{self.log.read_text()[-4000:]}") from None
        return found

    async def ended(self) -> int:
        """Wait for the end of the process. Return its exit code."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"not ended within {PATIENCE_S:g} s:\n{self.log.read_text()[-4000:]}") from None

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.ended()


@asynccontextmanager
async def command(*arguments: str | Path, cwd: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[Process]:
    """Run a command until the context is left, which kills it if it still runs."""
    number = len(list(cwd.glob("*.log")))
    log = cwd / f"{number}.log"
    with log.open("wb") as out:
        process = await start(arguments, out, cwd, environment or {})
    started = Process(process, log)
    try:
        yield started
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert started.may_fail or "Traceback" not in log.read_text(errors="replace"), log.read_text(errors="replace")


async def get(url: str, token: str = "", **options: Any) -> tuple[int, Any]:
    """Return the status and the body of an answer."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        asyncio.timeout(PATIENCE_S),
        aiohttp.ClientSession() as http,
        http.get(url, headers=headers, **options) as response,
    ):
        text = await response.text()
        return response.status, json.loads(text) if "json" in response.content_type else text
