"""Large buffers are returned to the system when they are freed, even after a larger one was freed."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROBE = """
import ctypes
from oddsengine.runtime.loop import LARGE_BYTES, tune_memory

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


def separate_mappings(tuning: str) -> int:
    """Return whether a buffer of a TLS connection gets its own mapping (1) after a larger one was freed."""
    probe = [sys.executable, "-c", PROBE.format(tuning=tuning)]
    return int(subprocess.run(probe, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc raises its limit")
def test_a_freed_large_buffer_does_not_move_later_ones_to_the_heap() -> None:
    assert 0 == separate_mappings(""), "glibc no longer needs the tuning"
    assert 1 == separate_mappings("tune_memory()")
