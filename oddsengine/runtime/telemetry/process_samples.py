"""The metrics of a process itself, by the names that Prometheus' own clients use, and which build it runs."""

from __future__ import annotations

import os
import platform
import resource
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from oddsengine import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROC: Final = Path("/proc")
_STAT: Final = _PROC / "self" / "stat"
_OPEN_FILES: Final = _PROC / "self" / "fd"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: Fields of proc_pid_stat(5), counted from the one after the command's name, which may hold spaces.
_USER, _SYSTEM, _START, _VIRTUAL, _RESIDENT = 11, 12, 19, 20, 21


def process_samples() -> Iterable[tuple[str, tuple[str, ...], float]]:
    """Yield what this process uses. What only Linux tells is left out elsewhere."""
    yield "oddsengine_build_info", (__version__, platform.python_version()), 1
    if not _STAT.exists():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        yield "process_cpu_seconds_total", (), usage.ru_utime + usage.ru_stime
        return
    fields = _STAT.read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    yield "process_cpu_seconds_total", (), (int(fields[_USER]) + int(fields[_SYSTEM])) / _TICKS_PER_S
    yield "process_resident_memory_bytes", (), int(fields[_RESIDENT]) * resource.getpagesize()
    yield "process_virtual_memory_bytes", (), int(fields[_VIRTUAL])
    yield "process_start_time_seconds", (), _booted_s() + int(fields[_START]) / _TICKS_PER_S
    # The folder that is read is open meanwhile.
    yield "process_open_fds", (), len(os.listdir(_OPEN_FILES)) - 1  # noqa: PTH208 - names are enough
    yield "process_max_fds", (), resource.getrlimit(resource.RLIMIT_NOFILE)[0]


@cache
def _booted_s() -> int:
    lines = (_PROC / "stat").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("btime "))
