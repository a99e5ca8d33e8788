"""The process that has collected the tests: it deals them out, and reports what comes of them."""

from __future__ import annotations

import multiprocessing
import time
import warnings
from multiprocessing.connection import wait
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.support.forks.parts import Parts
from tests.support.forks.worker import Began, Ended, Ready, Reported, Warned, work

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_PATIENCE_S: Final = 20.0
_LOOK_S: Final = 5.0
#: Longer than the longest timeout of a test.
_STUCK_S: Final = 600.0
_FORK: Final = multiprocessing.get_context("fork")


class _Worker:
    """A process that runs tests, and what it has of them."""

    def __init__(self, session: pytest.Session, name: str, others: list[_Worker]) -> None:
        self.connection: Connection[Any, Any]
        self.connection, theirs = _FORK.Pipe()
        ours = [self.connection, *(each.connection for each in others)]
        self.process = _FORK.Process(target=work, args=(session, theirs, ours, name), name=name)
        self.process.start()
        theirs.close()
        self.folder = ""
        self.numbers: list[int] = []
        self.running: int | None = None
        self.began_s = 0.0


class Dealer:
    """Runs all tests of a session in other processes.

    Args:
        session: with the tests.
    """

    def __init__(self, session: pytest.Session) -> None:
        self._session = session
        self._config: Any = session.config
        self._manager = self._config.pluginmanager
        self._workers: list[_Worker] = []
        self._started = 0

    def run(self, tests: list[pytest.Item], processes: int, *, one_by_one: bool = False) -> None:
        """Run tests in a number of processes at a time, those of a file in one unless each is to be dealt out by itself.

        Raises what a failure or an interruption raises.
        """
        numbers = {item: number for number, item in enumerate(self._session.items)}
        parts = Parts(
            (item.nodeid, item.nodeid, numbers[item]) if one_by_one else (str(item.path.parent), str(item.path), numbers[item])
            for item in tests
        )
        try:
            for _ in range(min(processes, len(tests))):
                self._start()
            while self._workers:
                ready = set(wait([worker.connection for worker in self._workers], _LOOK_S))
                self._end_stuck()
                for worker in [each for each in self._workers if each.connection in ready]:
                    self._hear(worker, parts)
                if self._session.shouldfail or self._session.shouldstop:
                    parts.clear()
        finally:
            for worker in self._workers:
                worker.connection.close()
            for worker in self._workers:
                worker.process.join(_PATIENCE_S)
                worker.process.kill()
        if self._session.shouldfail:
            raise self._session.Failed(self._session.shouldfail)
        if self._session.shouldstop:
            raise self._session.Interrupted(self._session.shouldstop)

    def _end_stuck(self) -> None:
        """Kill what is in a test for longer than any may take: code that hears no signal."""
        for worker in self._workers:
            if worker.running is not None and time.monotonic() - worker.began_s > _STUCK_S:
                worker.process.kill()

    def _start(self) -> None:
        self._workers.append(_Worker(self._session, f"fork{self._started}", self._workers))
        self._started += 1

    def _hear(self, worker: _Worker, parts: Parts) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, ConnectionResetError):
            self._died(worker, parts)
            return
        hook = self._config.hook
        match message:
            case Ready():
                taken = parts.take(worker.folder)
                worker.running = None
                if taken is not None:
                    worker.folder, worker.numbers = taken[0], taken[1].copy()
                worker.connection.send(worker.numbers if taken is not None else None)
            case Began(number):
                worker.running, worker.began_s = number, time.monotonic()
                worker.numbers.remove(number)
            case Reported(data):
                report = hook.pytest_report_from_serializable(config=self._config, data=data)
                hook.pytest_runtest_logreport(report=report)
            case Warned(text, category, file, line, when, nodeid, location):
                kind = type(category, (Warning,), {})
                warned = warnings.WarningMessage(kind(text), kind, file, line)
                values = {"warning_message": warned, "when": when, "nodeid": nodeid, "location": location}
                hook.pytest_warning_recorded.call_historic(kwargs=values)
            case Ended(output):
                self._forget(worker)
                # Coverage is saved by each process itself.
                handed_over = self._manager.subset_hook_caller("pytest_testnodedown", [self._manager.getplugin("_cov")])
                handed_over(node=SimpleNamespace(workeroutput=output), error=None)

    def _forget(self, worker: _Worker) -> None:
        self._workers.remove(worker)
        worker.connection.close()
        worker.process.join()

    def _died(self, worker: _Worker, parts: Parts) -> None:
        """Report the test that a process has died in, or was about to run, and start another one."""
        self._forget(worker)
        if worker.running is None and worker.numbers:
            worker.running = worker.numbers.pop(0)
        if worker.running is None:
            return
        item = self._session.items[worker.running]
        what = f"the process that ran it ended with exit code {worker.process.exitcode}"
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", what, "call")
        self._config.hook.pytest_runtest_logreport(report=report)
        parts.put_back(worker.folder, worker.numbers)
        self._start()
