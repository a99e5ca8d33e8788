"""Large buffers go back to the system when they are freed, however large one was before."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROBE = """
import ctypes
from oddsengine.runtime.memory import LARGE_BYTES, tune_memory

class Mallinfo2(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]

library = ctypes.CDLL(None)
library.mallinfo2.restype = Mallinfo2
{tuning}
bytes(20_000_000)  # freed at once
before = library.mallinfo2().hblks
buffer = bytearray(LARGE_BYTES)
print(library.mallinfo2().hblks - before)
"""


def apart(tuning: str) -> int:
    """Count the buffers of a TLS connection's size that get a mapping of their own, of one, after a large one was freed."""
    probe = [sys.executable, "-c", PROBE.format(tuning=tuning)]
    return int(subprocess.run(probe, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc raises its limit")
def test_a_large_buffer_once_freed_does_not_make_others_share_the_heap() -> None:
    assert 0 == apart(""), "glibc does not do what the tuning is for"
    assert 1 == apart("tune_memory()")
