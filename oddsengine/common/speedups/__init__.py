"""The loops over changes, audiences and sessions in C, where this was installed with a compiler.

Whoever uses `helper` does the same in Python where it is None: without a compiler, or with `ODDSENGINE_SPEEDUPS=0` in the
environment. What is sent is the same, byte by byte.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from oddsengine.common.speedups.interface import Helper

#: The interface that the callers are written for: a module that an earlier version has built is not used.
INTERFACE: Final = 1


def find_helper() -> Helper | None:
    """Return the module in C; None if there is none that can be used."""
    if os.environ.get("ODDSENGINE_SPEEDUPS") == "0":
        return None
    try:
        from oddsengine.common.speedups import _speedups  # type: ignore[attr-defined,unused-ignore]  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return cast("Helper", _speedups) if _speedups.INTERFACE == INTERFACE else None


#: looked up with each call, so that tests can try both
helper: Helper | None = find_helper()
