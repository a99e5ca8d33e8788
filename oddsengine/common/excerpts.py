"""Excerpts of what others sent: unreadable input in logs and rejections, and what a message echoes."""

from __future__ import annotations

import reprlib
from typing import Final

_EXCERPT_BYTES: Final = 120
#: Enough to recognise a value by: the longest id of a market is shorter.
_ECHO_CHARACTERS: Final = 160
_MESSAGE_CHARACTERS: Final = 500
_CUT: Final = ".."
_echo: Final = reprlib.Repr()
_echo.maxstring = _echo.maxother = _echo.maxlong = _ECHO_CHARACTERS
_echo.fillvalue = _CUT


def excerpt(data: bytes) -> str:
    """Return the first 120 bytes as text; bytes that are not UTF-8 become U+FFFD."""
    return data[:_EXCERPT_BYTES].decode("utf-8", "replace")


def echoed(value: object) -> str:
    """Return a value that a message repeats, as Python writes it, whatever its length is."""
    return _cut(_echo.repr(value), _ECHO_CHARACTERS)


def bounded(text: str) -> str:
    """Return a message that may repeat what others sent, cut to 500 characters."""
    return _cut(text, _MESSAGE_CHARACTERS)


def _cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - len(_CUT)] + _CUT
