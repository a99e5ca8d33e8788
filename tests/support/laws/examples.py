"""How many examples a law is tried with: few in `make test`, many times as many in `make laws`."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import settings

#: How many times the usual number. Examples are random, so that every run tries others.
TIMES: Final = int(os.environ.get("ODDSENGINE_EXAMPLES", "1"))
#: Examples of a law that names no number.
USUAL: Final = 50 * TIMES


def examples(number: int, **options: Any) -> settings:
    """Return the settings of a law that is tried with this number of examples, times `TIMES`."""
    return settings(max_examples=number * TIMES, **options)
