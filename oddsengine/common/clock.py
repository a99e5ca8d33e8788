"""The wall clock. Whatever decides by time takes its clock as an argument; this is the default for it."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal


def wall_clock_ms() -> int:
    """Return the wall clock time in Unix milliseconds."""
    return time.time_ns() // 1_000_000


def iso_time(ms: int, precision: Literal["seconds", "milliseconds"] = "seconds") -> str:
    """Return a time, Unix milliseconds, as ISO 8601 in UTC, such as `2026-03-01T15:00:00Z`."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec=precision).replace("+00:00", "Z")
