"""Run the `oddsengine` command."""

from __future__ import annotations

import atexit
import gc
import signal
import sys
from io import TextIOWrapper
from typing import Final

from oddsengine.cli.ending import run

#: The commands that a supervisor runs, and may ask to reload before their event loop does.
_ROLES: Final = frozenset({"run", "engine", "feeder", "gateway", "archiver", "bridge"})


def main() -> None:
    """Run the command, and exit with its code."""
    # The collections of the interpreter's own end take a third of a second: it has nothing left to collect for.
    atexit.register(gc.freeze)
    run(_command)


def _command() -> None:
    """Run the command. A health check is not kept waiting for what only the others need."""
    if sys.argv[1:2] and sys.argv[1] in _ROLES:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets question marks, not an error.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.argv[1:2] == ["health"]:
        from oddsengine.cli.health import main as health  # noqa: PLC0415

        code = health(sys.argv[2:])
        if code is not None:
            sys.exit(code)
    from oddsengine.cli.app import app  # noqa: PLC0415

    app(prog_name="oddsengine")


if __name__ == "__main__":
    main()
