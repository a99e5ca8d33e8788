"""The wall clock. Whatever decides by time takes its clock as an argument; this is the default for it."""

from __future__ import annotations

import time


def wall_clock_ms() -> int:
    """Return the wall clock time in Unix milliseconds."""
    return time.time_ns() // 1_000_000
