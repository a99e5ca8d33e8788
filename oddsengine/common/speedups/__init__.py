"""Loops in C, where this was installed with a compiler: over changes, audiences and sessions, and of solvers.

Whoever uses a module does the same in Python where it is None: without a compiler, or with `ODDSENGINE_SPEEDUPS=0` in the
environment. What is sent is the same, byte by byte.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from oddsengine.common.speedups.interface import Books, GatewayLoops, Pricing, Solvers

#: The interfaces that the callers are written for: a module that an earlier version has built is not used.
INTERFACES: Final = {"_speedups": 1, "_solvers": 2, "_books": 3, "_pricing": 2}


def find_module(name: str) -> Any:
    """Return a module in C; None if there is none that can be used."""
    if os.environ.get("ODDSENGINE_SPEEDUPS") == "0":
        return None
    try:
        module = import_module(f"oddsengine.common.speedups.{name}")
    except ImportError:
        return None
    return module if INTERFACES[name] == module.INTERFACE else None


# Looked up with each call, so that tests can try both.
#: the gateway's loops
gateway_loops: GatewayLoops | None = find_module("_speedups")
#: the margin equations, and the fit of probabilities into their bounds
solvers: Solvers | None = find_module("_solvers")
#: the loops over the order books of a message
books: Books | None = find_module("_books")
#: the steps from best offers to published prices
pricing: Pricing | None = find_module("_pricing")
