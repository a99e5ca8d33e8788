"""A command in the test's own process: for commands that end at once, without the second that a process takes to start."""

from __future__ import annotations

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import TYPE_CHECKING

from oddsengine.__main__ import main

if TYPE_CHECKING:
    from pathlib import Path


def called(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command that neither serves nor logs. What it does not expect is raised."""
    command = ["oddsengine", *map(str, arguments)]
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    code, given = 0, sys.argv
    sys.argv = command
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.argv = given
    out.seek(0)
    return subprocess.CompletedProcess(command, code, out.read(), err.getvalue())
