"""A command in the test's own process: for commands that end at once, without the second that a process takes to start."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock

import structlog
import typer.main

from oddsengine.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_get_command = cache(typer.main.get_command)


@contextmanager
def logging_restored() -> Iterator[None]:
    """Leave logging as it was: what a command configures would take the lines from the tests after it."""
    root, configure, before = logging.getLogger(), structlog.configure, structlog.get_config()
    handlers, level = root.handlers, root.level

    def configure_uncached(**options: Any) -> None:
        # A logger that is cached keeps its configuration for good.
        configure(**{**options, "cache_logger_on_first_use": False})

    try:
        with mock.patch.object(structlog, "configure", configure_uncached):
            yield
    finally:
        configure(**before)
        root.handlers = handlers
        root.setLevel(level)


def called(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that neither serves nor logs. What it does not expect is raised."""
    command = ["oddsengine", *map(str, arguments)]
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    code, given = 0, sys.argv
    sys.argv = command
    try:
        # Typer would build all commands anew for each call.
        with (
            mock.patch("typer.main.get_command", _get_command),
            logging_restored(),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = given
    out.seek(0)
    return subprocess.CompletedProcess(command, code, out.read(), err.getvalue())
