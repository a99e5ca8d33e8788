"""Excerpts of unreadable input, for logs and rejections."""

from __future__ import annotations

from typing import Final

_EXCERPT_BYTES: Final = 120


def excerpt(data: bytes) -> str:
    """Return the first 120 bytes as text; bytes that are not UTF-8 become U+FFFD."""
    return data[:_EXCERPT_BYTES].decode("utf-8", "replace")
