"""Says on stderr what a benchmark is at: its table comes only after minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_T = TypeVar("_T")
_CONSOLE: Final = Console(stderr=True, highlight=False)
_BEGUN_S: Final = time.monotonic()


def doing(what: str) -> None:
    """Say what is done now, or came of it, with the seconds since the beginning."""
    _CONSOLE.print(f"{time.monotonic() - _BEGUN_S:6.0f} s  {what}", style="dim", markup=False, soft_wrap=True)


def steps(sequence: Sequence[_T], what: str) -> Iterable[_T]:
    """Go through a long work step by step, with a bar where somebody watches."""
    doing(what)
    return track(sequence, description=what, console=_CONSOLE, transient=True, disable=not _CONSOLE.is_terminal)
