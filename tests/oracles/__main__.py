"""Runs random stories against the oracle's laws: `python -m tests.oracles 10000` prints how much was checked."""

from __future__ import annotations

import sys
import time
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.oracles.stories import COUNTS, Stories

_DEFAULT: Final = 10_000
_AT_ONCE: Final = 250
_STEPS: Final = 20


def main() -> None:
    """Run stories in portions and print the counts; a story that breaks a law is shrunk and printed."""
    stories = int(sys.argv[1]) if len(sys.argv) > 1 else _DEFAULT
    start_s = time.monotonic()
    while COUNTS["stories"] < stories:
        one_portion = settings(
            max_examples=min(_AT_ONCE, stories - COUNTS["stories"]),
            stateful_step_count=_STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.generate, Phase.shrink),
        )
        run_state_machine_as_test(Stories, settings=one_portion)
        sys.stderr.write(f"\r{COUNTS['stories']:,} of {stories:,} stories, {time.monotonic() - start_s:,.0f} s")
    sys.stderr.write("\n")
    for name, number in COUNTS.items():
        sys.stdout.write(f"{number:>12,} {name}\n")


if __name__ == "__main__":
    main()
