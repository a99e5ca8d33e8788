"""The event loop of every process, and the memory settings of a process that runs for months."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import platform
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


def new_runner() -> asyncio.Runner:
    """Return a runner of uvloop with aiofastnet's transports, and tune the process's memory. Use it as a context manager."""
    tune_memory()
    return asyncio.Runner(loop_factory=aiofastnet.loop_factory(uvloop.new_event_loop))
