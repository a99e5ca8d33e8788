"""The event loop of every process."""

from __future__ import annotations

import asyncio

import aiofastnet
import uvloop

from oddsengine.runtime.memory import tune_memory


def new_runner() -> asyncio.Runner:
    """Return a runner of uvloop with aiofastnet's transports, and tune the process's memory. Use it as a context manager."""
    tune_memory()
    return asyncio.Runner(loop_factory=aiofastnet.loop_factory(uvloop.new_event_loop))
