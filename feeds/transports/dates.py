"""Dates in HTTP headers."""

from __future__ import annotations

from datetime import UTC
from email.utils import parsedate_to_datetime


def http_date_ms(text: str | None) -> int | None:
    """Parse a date of HTTP (RFC 9110, 5.6.7) into Unix milliseconds. None if it is missing or unreadable."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        # `-0000` and a missing zone are UTC, not the machine's zone.
        return round((date if date.tzinfo is not None else date.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
