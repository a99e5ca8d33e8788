"""Run code with the loops in C, or with those in Python."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from oddsengine.common import speedups

if TYPE_CHECKING:
    from collections.abc import Iterator

#: the module in C; None where it is not built
BUILT: Final = speedups.gateway_loops


@contextmanager
def speedups_used(*, are_used: bool) -> Iterator[None]:
    """Use the loops in C, if they are built, or those in Python."""
    before = speedups.gateway_loops
    speedups.gateway_loops = BUILT if are_used else None
    try:
        yield
    finally:
        speedups.gateway_loops = before
