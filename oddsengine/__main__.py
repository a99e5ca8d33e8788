"""Run the `oddsengine` command."""

from __future__ import annotations

import sys
from io import TextIOWrapper


def main() -> None:
    """Run the command. A health check is not kept waiting for what only the others need."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that is not UTF-8 gets question marks, not an error.
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    if sys.argv[1:2] == ["health"]:
        from oddsengine.cli.health import main as health  # noqa: PLC0415

        code = health(sys.argv[2:])
        if code is not None:
            sys.exit(code)
    from oddsengine.cli.app import main as run  # noqa: PLC0415

    run()


if __name__ == "__main__":
    main()
