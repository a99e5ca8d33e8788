"""Places of rows in the history of a market: rows are read from there on, or back, and pages go on after it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from oddsengine.common.excerpts import echoed

_MAX_PART: Final = 2**63 - 1
_PART: Final = re.compile("[0-9a-f]{1,16}")


class Place(NamedTuple):
    """A place in the order of all rows of a market: by time, then by position; at one position records follow changes."""

    at_ms: int
    epoch: int
    seq: int
    number: int


def before(at_ms: int) -> Place:
    """Return the place before whatever happened at a time."""
    return Place(at_ms, -1, -1, -1)


def after(at_ms: int) -> Place:
    """Return the place after whatever happened at a time."""
    return Place(at_ms, _MAX_PART, _MAX_PART, _MAX_PART)


def encode_cursor(place: tuple[int, ...]) -> str:
    """Encode a place for clients, to whom it is opaque."""
    return "-".join(f"{part:x}" for part in place)


def decode_cursor(text: str, parts: int) -> tuple[int, ...]:
    """Decode what `encode_cursor` has returned, of so many parts.

    Raises:
        ValueError: if it is none.
    """
    found = text.split("-")
    # Nothing of what else `int` reads.
    if len(found) == parts and all(map(_PART.fullmatch, found)):
        numbers = tuple(int(part, 16) for part in found)
        if max(numbers) < _MAX_PART:
            return numbers
    raise ValueError(f"{echoed(text)} is not a cursor")
