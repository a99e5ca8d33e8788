"""The event loop of every process, and the settings of one that runs for months: memory, open files, and what it logs."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import gc
import platform
import resource
from pathlib import Path
from typing import Any, Final

import aiofastnet
import structlog
import uvloop

from oddsengine.common.processes.tls_connects import abort_cancelled_connects
from oddsengine.common.reporting.line_limit import LineLimit

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
#: What a role has open while it serves nobody is some 35.
_MIN_FILES: Final = 50
_WHERE: Final = "`ulimit -n`, `LimitNOFILE=` of systemd, `--ulimit nofile=` of Docker"
_OPEN_FILES: Final = Path("/proc/self/fd")
#: Of a transport whose TLS handshake has failed: the code that connects or accepts handles that.
_HANDSHAKE_FAILED: Final = "SSL handshake failed"
_log = structlog.get_logger(__name__)


def tune_memory() -> None:
    """Keep the process's memory flat while connections come and go, and garbage collection short.

    glibc raises its threshold for `mmap` to the largest buffer ever freed (mallopt(3), M_MMAP_THRESHOLD): after one large
    snapshot the buffers of every connection are on the heap among long-lived objects, which fragments it. `python -m
    bench storm` shows it. Other C libraries are left as they are.
    """
    # The offer is long-lived, and a full collection of it takes a tenth of a second and more: collect it rarely. The middle
    # generation is all that has survived since it was collected last: with 400 collections of young objects between, that is
    # the whole offer after a reload of rules over 10,000 markets, and took 4.6 s where 10 of them take 0.1 s.
    gc.set_threshold(5_000, 10, 4_000)
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


def require_files() -> None:
    """Check that the process may open what a role needs besides its clients, once the limit is raised.

    Raises:
        OSError: if not, with what to do.
    """
    limit = raise_file_limit()
    if limit != resource.RLIM_INFINITY and limit < _MIN_FILES:
        text = f"the limit of open files is {limit}, and a role needs {_MIN_FILES} besides its clients: raise it ({_WHERE})"
        raise OSError(errno.EMFILE, text)


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
    return asyncio.Runner(loop_factory=_new_loop)


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = aiofastnet.loop_factory(uvloop.new_event_loop)()
    abort_cancelled_connects()
    loop.set_exception_handler(LoopErrors())
    return loop


class LoopErrors:
    """Logs errors that only an event loop has seen, in one line each and a few of them a minute."""

    def __init__(self) -> None:
        self._lines = LineLimit()

    def __call__(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Log what a loop reports to its exception handler."""
        message, problem = str(context.get("message", "")), context.get("exception")
        if message == _HANDSHAKE_FAILED:
            _log.debug("handshake failed", error=_text(problem))
        elif (left_out := self._lines.take()) is not None:
            # aiofastnet also reports exceptions that are types, which have no traceback.
            trace = problem if isinstance(problem, BaseException) else None
            _log.error("error in the event loop", where=message, error=_text(problem), left_out=left_out, exc_info=trace)


def _text(problem: object) -> str:
    return "" if problem is None else repr(problem)
