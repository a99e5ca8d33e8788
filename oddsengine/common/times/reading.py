"""Reads times that people and programs write. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_DAY_S: Final = 86_400
_LEAP_SECOND: Final = re.compile(r"([T ]\d\d:\d\d:)60(?!\d)", re.ASCII)


def parse_time(text: str) -> int:
    """Return a time of RFC 3339, or a date, in Unix milliseconds. What says no zone is UTC.

    Unix time has no leap seconds: in one it is what it is in the second after (POSIX, section 4.16).

    Raises:
        ValueError: if it is none.
        OverflowError: if no such time can be counted.
    """
    # RFC 3339 allows small letters too.
    spelt = text.upper()
    counted = _LEAP_SECOND.sub(r"\g<1>59", spelt)
    at = datetime.fromisoformat(counted)
    at_ms = round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    if counted == spelt:
        return at_ms
    if at_ms // 1000 % _DAY_S != _DAY_S - 1:
        raise ValueError("a leap second is the last one of a day in UTC")
    return at_ms + 1000
