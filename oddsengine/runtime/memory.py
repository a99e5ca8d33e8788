"""What a process that runs for months asks of Python's and the C library's memory management."""

from __future__ import annotations

import ctypes
import gc
import platform
from typing import Final

#: mallopt's parameters, from glibc's malloc.h.
_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_THRESHOLD: Final = -3
_M_ARENA_MAX: Final = -8

#: A TLS connection of asyncio holds a buffer of this size: one that is closed gives it back to the system.
LARGE_BYTES: Final = 256 * 1024
#: A flush to a thousand clients fills some 4 MB and frees it: were that given back each time, to take it anew from the system
#: would be a fifth of the work.
_KEPT_BYTES: Final = 16 * 1024 * 1024


def tune_memory() -> None:
    """Keep memory flat whatever comes and goes, and pauses short.

    glibc raises its limit for giving memory back to the largest buffer ever freed (mallopt(3), M_MMAP_THRESHOLD): after one large
    snapshot the buffers of every connection share the heap with what stays, and holes add up. `python -m bench storm` shows it.
    Does nothing about that where the C library is another one.
    """
    # What is on offer is no garbage, and looking through all of it for some takes a tenth of a second: look seldom. What is
    # young is looked through in a millisecond.
    gc.set_threshold(5_000, 400, 100)
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        library.mallopt(_M_MMAP_THRESHOLD, LARGE_BYTES)
        library.mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        library.mallopt(_M_ARENA_MAX, 2)
