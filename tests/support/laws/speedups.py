"""Run code with the loops in C, or with those in Python."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from oddsengine.common import speedups

if TYPE_CHECKING:
    from collections.abc import Iterator

#: the module in C; None where it is not built
BUILT: Final = speedups.helper


@contextmanager
def speedups_used(*, are_used: bool) -> Iterator[None]:
    """Use the loops in C, if they are built, or those in Python."""
    before = speedups.helper
    speedups.helper = BUILT if are_used else None
    try:
        yield
    finally:
        speedups.helper = before
