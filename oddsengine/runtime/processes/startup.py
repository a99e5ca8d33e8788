"""The order in which every role starts, and the errors that end a start.

Each step is completed before the next begins, so that a process which can't do its work has taken nothing over:

    CONFIG -> SECRETS -> BIND -> CONNECT -> IDENTIFY -> HISTORY -> OWN -> LOAD -> READY

From BIND on, `/healthz` answers and everything else is answered with 503. Stopping is the same at every moment: what was
opened is closed in reverse order. `python -m oddsengine.runtime.processes.startup` prints the table for the documentation.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import contextmanager, suppress
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import structlog
from redis.exceptions import RedisError

from feeds.errors import FeedError
from oddsengine.common.tasks import end_tasks
from oddsengine.gateway.access.authentication import UnusableKey
from oddsengine.history.errors import HistoryError
from oddsengine.streams.errors import StreamError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

_T = TypeVar("_T")
_log = structlog.get_logger(__name__)

#: Exit codes that belong to no step.
EXIT_STOPPED: Final = 0
EXIT_FAILED: Final = 1


class _Description(NamedTuple):
    what: str
    exit_code: int
    advice: str


class Step(Enum):
    """The steps of a start, in order."""

    CONFIG = _Description("read the config", 2, "`oddsengine check FILE` reports every problem of a config file")
    SECRETS = _Description("read secrets, keys and certificates", 3, "set the environment variable or the file that is named")
    BIND = _Description("bind the port", 4, "stop the process that listens there, or set another host or port")
    CONNECT = _Description("connect to Redis", 5, "start Redis, or correct redis.url")
    IDENTIFY = _Description("identify Redis", 5, "correct redis.url, redis.namespace or engine.shards, or Redis's own config")
    HISTORY = _Description("open the history", 6, "start PostgreSQL, correct history.url, or run `oddsengine history migrate`")
    OWN = _Description("take over the shards that no engine owns", 1, "see the log of Redis")
    LOAD = _Description("load every shard", 1, "start an engine on this Redis and namespace")
    READY = _Description("serve", 1, "")

    @property
    def what(self) -> str:
        """The work of the step."""
        return self.value.what

    @property
    def exit_code(self) -> int:
        """The exit code of a process that fails in it."""
        return self.value.exit_code

    @property
    def advice(self) -> str:
        """The advice to an operator about a failure."""
        return self.value.advice


class StartFailed(Exception):
    """A step that can't be completed.

    Args:
        step: the step.
        reason: why it failed.
        advice: what to do; empty for the step's general advice.
    """

    def __init__(self, step: Step, reason: str, advice: str = "") -> None:
        self.step = step
        self.reason = reason
        self.advice = advice or step.advice
        super().__init__(f"can't {step.what}: {reason}" + (f" ({self.advice})" if self.advice else ""))


class Stopped(Exception):
    """The process was asked to stop before it was ready.

    Args:
        step: the step that was not completed.
    """

    def __init__(self, step: Step) -> None:
        self.step = step
        super().__init__(f"stopped before it could {step.what}")


#: What can fail because of something outside the program.
_EXPECTED: Final = (OSError, RedisError, FeedError, HistoryError, StreamError, UnusableKey, ValueError)


def reason_of(error: Exception) -> str:
    """Return the text of an error for an operator, without the number of an OSError."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__


class Startup:
    """The progress of a process in its start.

    Args:
        on_stop: called when the process is asked to stop, and again as it does so: with the seconds that it waits before that.
    """

    def __init__(self, on_stop: Callable[[float], None] = lambda _wait_s: None) -> None:
        #: set when the process is asked to stop
        self.stopping = asyncio.Event()
        #: set when it is asked to stop without the pause that `linger` is
        self.pause_skipped = asyncio.Event()
        self._on_stop = on_stop
        self.step = Step.CONFIG
        #: what the step waits for, for `/healthz`; empty if it does not wait
        self.waiting_for = ""

    def stop(self) -> None:
        """Ask the process to stop. No-op if it was asked before."""
        if not self.stopping.is_set():
            self.stopping.set()
            self._on_stop(0.0)

    def stop_or_skip_pause(self) -> None:
        """Ask the process to stop; if it was asked before, to do so without a pause."""
        if self.stopping.is_set():
            self.pause_skipped.set()
        self.stop()

    def skip_pause(self) -> None:
        """Ask the process to stop without a pause."""
        self.pause_skipped.set()
        self.stop()

    async def linger(self, pause_s: float) -> None:
        """Wait before a stop goes on, unless that pause is skipped. The time limit of a stop begins afterwards."""
        if pause_s <= 0 or self.pause_skipped.is_set() or not self.stopping.is_set():
            return
        self._on_stop(pause_s)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self.pause_skipped.wait()
        self._on_stop(0.0)

    @contextmanager
    def doing(self, step: Step, advice: str = "") -> Iterator[None]:
        """Run a step of the start while the context is open.

        Args:
            step: the step.
            advice: what to do if it fails; empty for the step's general advice.

        Raises:
            StartFailed: instead of errors that something outside the program has caused.
            Stopped: if the process has been asked to stop.
        """
        self.step, self.waiting_for = step, ""
        _log.debug("start", step=step.what)
        if self.stopping.is_set():
            raise Stopped(step)
        try:
            yield
        except _EXPECTED as error:
            raise StartFailed(step, reason_of(error), advice) from error

    async def unless_stopped(self, main: Coroutine[Any, Any, _T]) -> _T:
        """Return what a coroutine returns. It is cancelled when the process is asked to stop.

        Raises:
            Stopped: if the process is asked to stop first.
        """
        doing = asyncio.create_task(main)
        stopping = asyncio.create_task(self.stopping.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                raise Stopped(self.step)
            return doing.result()
        finally:
            await end_tasks([doing, stopping])

    def ready(self) -> None:
        """Complete the start."""
        self.step, self.waiting_for = Step.READY, ""


def exit_codes() -> str:
    """Return the steps and their exit codes as a Markdown table."""
    rows = [
        "| code | meaning | what to do |",
        "| --- | --- | --- |",
        f"| {EXIT_STOPPED} | stopped by SIGTERM or SIGINT, at any moment | |",
        f"| {EXIT_FAILED} | failed while running | see the log |",
    ]
    rows += [f"| {step.exit_code} | can't {step.what} | {step.advice} |" for step in Step if step.exit_code > EXIT_FAILED]
    return "\n".join(rows)


if __name__ == "__main__":
    sys.stdout.write(exit_codes() + "\n")
