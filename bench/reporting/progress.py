"""Progress of a benchmark on stderr; its table is printed only after minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_T = TypeVar("_T")
_CONSOLE: Final = Console(stderr=True, highlight=False)
_STARTED_S: Final = time.monotonic()


def report_progress(what: str) -> None:
    """Print the current step or an intermediate result, with the seconds since the start."""
    _CONSOLE.print(f"{time.monotonic() - _STARTED_S:6.0f} s  {what}", style="dim", markup=False, soft_wrap=True)


def track_progress(sequence: Sequence[_T], what: str) -> Iterable[_T]:
    """Iterate over the steps of long work, with a progress bar if stderr is a terminal."""
    report_progress(what)
    return track(sequence, description=what, console=_CONSOLE, transient=True, disable=not _CONSOLE.is_terminal)
