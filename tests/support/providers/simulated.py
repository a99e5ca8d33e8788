"""Recordings of the simulator, in the format of Betfair's recordings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from feeds.emulators.simulator import SimulatorConfig, simulated_exchange
from feeds.emulators.simulator.fixtures import Pace

if TYPE_CHECKING:
    from pathlib import Path

START_MS = 1_700_000_000_000
#: A match takes twelve seconds, so that a short recording contains whole matches.
QUICK = Pace(minutes_per_s=9.0, before_s=4.0, turning_s=0.4, goal_s=0.6, after_s=2.0)


def record_simulator(path: Path, *, ticks: int, matches: int, seed: int = 5, by_level: bool = True) -> Path:
    """Write the messages of the simulated provider over some ticks to a file, one per line."""
    exchange = simulated_exchange(SimulatorConfig(seed=seed, matches=matches, pace=QUICK), START_MS)
    with path.open("wb") as out:
        exchange.tick()
        image = [exchange.image(market, by_level=by_level) for market in exchange.markets]
        out.write(orjson.dumps({"op": "mcm", "clk": "1", "pt": exchange.pt_ms, "mc": image}) + b"\n")
        for _ in range(ticks):
            changes = exchange.tick()
            if changes:
                out.write(orjson.dumps({"op": "mcm", "clk": "1", "pt": exchange.pt_ms, "mc": changes}) + b"\n")
    return path
