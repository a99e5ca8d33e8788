"""The times of providers: read, and compared.

A time without a zone is UTC, as every provider documents its own, whatever the zone of this machine.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

#: A message further back than this is not late: the clock was set, and the message is the newer one.
CLOCK_SET_MS: Final = 30_000
#: Times of other years are placeholders, such as the start of 1970 for none.
_YEARS: Final = range(1990, 2100)


def is_older(one_ms: float, other_ms: float) -> bool:
    """Return whether one timestamp is before another, and not because the clock was set back. Both in milliseconds.

    Only for messages of a stream: the entries of a snapshot may be hours old.
    """
    return 0 < other_ms - one_ms < CLOCK_SET_MS


def time_ms(text: object) -> int | None:
    """Parse an ISO 8601 time into Unix milliseconds. None if it is missing, unreadable or a placeholder."""
    if not isinstance(text, str):
        return None
    try:
        return _to_ms(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        return None


def _to_ms(time: datetime) -> int | None:
    if time.year not in _YEARS:
        return None
    return round((time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp() * 1000)
