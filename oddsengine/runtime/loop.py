"""The event loop of every process, and the settings of one that runs for months: its memory, and how many files it opens."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import platform
import resource
from pathlib import Path
from typing import Final

import aiofastnet
import uvloop

#: mallopt's parameters, from glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

#: The size of a buffer that every TLS connection of asyncio has: closing the connection returns it to the system.
LARGE_BYTES: Final = 256 * 1024
#: A flush to a thousand clients allocates and frees some 4 MB. If that were returned to the system each time, a fifth of the work
#: would be to request it again.
_KEPT_BYTES: Final = 16 * 1024 * 1024
#: Files that a process needs besides connections: Redis, requests of its own, config and keys.
_RESERVED_FILES: Final = 16
_OPEN_FILES: Final = Path("/proc/self/fd")


def tune_memory() -> None:
    """Keep the process's memory flat while connections come and go, and garbage collection short.

    glibc raises its threshold for `mmap` to the largest buffer ever freed (mallopt(3), M_MMAP_THRESHOLD): after one large
    snapshot the buffers of every connection are on the heap among long-lived objects, which fragments it. `python -m
    bench storm` shows it. Other C libraries are left as they are.
    """
    # The offer is long-lived, and a full collection of it takes a tenth of a second: collect it rarely. A collection of young
    # objects takes a millisecond.
    gc.set_threshold(5_000, 400, 100)
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_ARENA_MAX, 2)


def raise_file_limit() -> int:
    """Raise the process's limit of open files to the hard limit, which needs no privilege. Return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (ValueError, OSError):
            return soft  # a system that has no such high limit
    return hard


def connection_limit() -> int:
    """Return how many connections the process may have besides the files that it has open now; 0: any number."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if limit == resource.RLIM_INFINITY:
        return 0
    opened = len(list(_OPEN_FILES.iterdir())) if _OPEN_FILES.is_dir() else _RESERVED_FILES
    return max(1, limit - opened - _RESERVED_FILES)


def new_runner() -> asyncio.Runner:
    """Return a runner of uvloop with aiofastnet's transports, and tune the process for it. Use it as a context manager."""
    tune_memory()
    raise_file_limit()
    return asyncio.Runner(loop_factory=aiofastnet.loop_factory(uvloop.new_event_loop))
