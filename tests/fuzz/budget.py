"""How many inputs are tried, and what one of them may cost."""

from __future__ import annotations

import os
import time
import tracemalloc
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Inputs of all targets together. `make fuzz` sets it to 100,000.
INPUTS: Final = int(os.environ.get("ODDSENGINE_FUZZ", "800"))
#: Whether every run tries other inputs; those of `make test` are fixed.
IS_RANDOM: Final = "ODDSENGINE_FUZZ" in os.environ
#: Inputs of an example, on average: a session of a client that sends several.
PER_EXAMPLE: Final = 18
#: Processor time of one input. Most take some microseconds; the limit is far from that, for slow machines.
MAX_CPU_S: Final = 1.0
#: Memory that one input may take at once, far below what it would take to be noticed. The longest input has 256 kB.
MAX_MEMORY_BYTES: Final = 16 * 1024 * 1024
#: Without a search for the shortest input, which takes long and is of little use here: set the phases to find it.
PHASES: Final = (Phase.explicit, Phase.generate)
#: what was tried, by target and outcome
tried: Final[Counter[tuple[str, str]]] = Counter()


def share(percent: int, per_example: int = PER_EXAMPLE) -> settings:
    """Return the settings of a target that gets a share of all inputs; an example has so many of them on average."""
    examples = max(5, INPUTS * percent // 100 // per_example)
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=not IS_RANDOM,
        suppress_health_check=list(HealthCheck),
        database=None,
        phases=PHASES,
    )


@contextmanager
def bounded() -> Iterator[None]:
    """Check that what is done with one input takes neither long nor much memory."""
    tracemalloc.start()
    before_s = time.process_time()
    try:
        yield
        spent_s, (_, peak) = time.process_time() - before_s, tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert spent_s < MAX_CPU_S, f"{spent_s:.2f} s"
    assert peak < MAX_MEMORY_BYTES, f"{peak} bytes"
