"""How many examples a law is tried with: few in `make test`, the same in every run; many times as many in `make laws`."""

from __future__ import annotations

import os
from typing import Any, Final

from hypothesis import settings

#: How many times the usual number.
TIMES: Final = int(os.environ.get("ODDSENGINE_EXAMPLES", "1"))
#: Whether every run tries other examples. Those of `make test` are fixed: it judges a change, which must not fail by what chance
#: finds in the code of others.
IS_RANDOM: Final = TIMES > 1
#: Examples of a law that names no number.
USUAL: Final = 50 * TIMES


def examples(number: int, **options: Any) -> settings:
    """Return the settings of a law that is tried with this number of examples, times `TIMES`."""
    return settings(max_examples=number * TIMES, **options)
