"""A process that runs tests as it is dealt them, and sends what comes of them to the process that has collected them."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple

import coverage
from _pytest.config import create_terminal_writer

if TYPE_CHECKING:
    import warnings
    from multiprocessing.connection import Connection

    import pytest


class Ready(NamedTuple):
    """It has nothing to do. The answer is what to run, or None."""


class Began(NamedTuple):
    """It runs a test."""

    number: int


class Reported(NamedTuple):
    """A phase of a test has ended."""

    data: dict[str, Any]


class Warned(NamedTuple):
    """A test has warned."""

    text: str
    category: str
    file: str
    line: int
    when: Any
    nodeid: str
    location: tuple[str, int, str] | None


class Ended(NamedTuple):
    """It has run everything.

    Attributes:
        output: what plug-ins hand over, as those of pytest-xdist do.
    """

    output: dict[str, Any]


class _Reporter:
    """Sends what is reported."""

    def __init__(self, config: pytest.Config, connection: Connection[Any, Any]) -> None:
        self._config = config
        self._connection = connection
        # Whoever registers hears of all earlier warnings first.
        self._is_registered = False
        config.pluginmanager.register(self, "forks")
        self._is_registered = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Send a report."""
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._connection.send(Reported(data))

    def pytest_warning_recorded(
        self,
        warning_message: warnings.WarningMessage,
        when: Any,
        nodeid: str,
        location: tuple[str, int, str] | None,
    ) -> None:
        """Send a warning."""
        if not self._is_registered:
            return
        text, category = str(warning_message.message), warning_message.category.__name__
        warned = Warned(text, category, warning_message.filename, warning_message.lineno, when, nodeid, location)
        self._connection.send(warned)


def work(session: pytest.Session, connection: Connection[Any, Any], theirs: list[Connection[Any, Any]], name: str) -> None:
    """Run what is dealt out until that is None.

    Args:
        session: with the tests.
        connection: to the process that has collected them.
        theirs: connections of that process. With them open here nobody would notice its end.
        name: of this process.
    """
    for each in theirs:
        each.close()
    config: Any = session.config
    _detach(config, name)
    _Reporter(config, connection)
    # It is gone, or was interrupted.
    with contextlib.suppress(EOFError, BrokenPipeError, KeyboardInterrupt):
        try:
            _run(session, connection)
        finally:
            config.hook.pytest_sessionfinish(session=session, exitstatus=0)
        if (measured := coverage.Coverage.current()) is not None:
            measured.stop()
            measured.save()
        connection.send(Ended(config.workeroutput))


def _run(session: pytest.Session, connection: Connection[Any, Any]) -> None:
    run = session.config.hook.pytest_runtest_protocol
    while True:
        connection.send(Ready())
        numbers = connection.recv()
        if numbers is None:
            return
        items = [session.items[number] for number in numbers]
        # After the last one everything is torn down but what is the session's.
        for number, item, following in zip(numbers, items, [*items[1:], session], strict=True):
            connection.send(Began(number))
            run(item=item, nextitem=following)


def _detach(config: Any, name: str) -> None:
    """Release what is the collecting process's: the terminal, files for captured output, the folder of temporary files."""
    # What plug-ins take for a process of pytest-xdist's.
    config.workerinput, config.workeroutput = {"workerid": name}, {}
    config.pluginmanager.unregister(name="terminalreporter")
    # What ends a test that takes too long writes the stacks of all threads to it.
    config.pluginmanager.register(SimpleNamespace(_tw=create_terminal_writer(config)), "terminalreporter")
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    capture.start_global_capturing()
    capture.suspend_global_capture()
    factory = config._tmp_path_factory
    factory._basetemp = factory.getbasetemp() / name
    factory._basetemp.mkdir()
