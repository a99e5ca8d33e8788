"""Recordings for benchmarks: one of the simulator is the same, byte for byte, for everybody who makes it with the same seed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from bench.reporting.progress import report_progress
from feeds.emulators.simulator import SimulatorConfig, simulated_exchange

if TYPE_CHECKING:
    from collections.abc import Iterator

#: One day of the past, so that the seed alone decides what is recorded.
_START_MS: Final = 1_750_000_000_000
_MATCHES: Final = 4
#: Five minutes, in which every match begins and ends.
_TICKS: Final = 1500
#: What Betfair's definitions have too; the reference decoder requires it.
_ALSO_DEFINED: Final = {
    "bspMarket": False,
    "bspReconciled": False,
    "crossMatching": True,
    "discountAllowed": True,
    "marketBaseRate": 5.0,
    "persistenceEnabled": True,
    "regulators": ["none"],
    "runnersVoidable": False,
    "timezone": "UTC",
}
_FOLDER: Final = Path(__file__).parents[2] / "build" / "bench"


def recorded_data() -> Path:
    """Return the folder of providers' recordings: ODDSENGINE_TEST_DATA, or ../shared/data. It need not be there."""
    return Path(os.environ.get("ODDSENGINE_TEST_DATA", "../shared/data"))


def write_simulated(file: Path, seed: int, ticks: int = 0, market_type: str = "") -> None:
    """Record the simulator's exchange, in Betfair's words.

    Args:
        file: replaced if it exists, in a moment; its folder is made.
        seed: of the matches and their books.
        ticks: how many fifths of a second; 0 for five minutes.
        market_type: only markets of this type; empty for all.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(f".{os.getpid()}")
    with unfinished.open("wb") as out:
        out.writelines(_lines(seed, ticks or _TICKS, market_type))
    unfinished.replace(file)


def simulated(seed: int, market_type: str = "") -> Path:
    """Return the recording of a seed in build/bench, made if it is not there."""
    file = _FOLDER / f"simulated-{seed}{market_type and '-'}{market_type.lower()}.jsonl"
    if not file.exists():
        report_progress(f"recording the simulator with seed {seed} to {file}")
        write_simulated(file, seed, market_type=market_type)
    return file


def is_simulated(recording: Path) -> bool:
    """Check whether a recording is the simulator's: goals that depend on what real markets do don't apply to it."""
    return recording.name.startswith("simulated-")


def betfair_recording(named: Path | None) -> Path:
    """Return a recording to measure with: the one that is named, else Betfair's if there is one, else the simulator's.

    Raises:
        FileNotFoundError: if the one that is named is not there.
    """
    if named is not None:
        if not named.is_file():
            raise FileNotFoundError(f"{named} is not there; name a Betfair recording, or none for a simulated one")
        return named
    recorded = recorded_data() / "betfair" / "PRO-1.170258213.xz"
    # Of one market type, as recordings of single markets are: several of a match would measure the guard across them.
    found = recorded if recorded.is_file() else simulated(7, "MATCH_ODDS")
    report_progress(f"measuring with {found}")
    return found


def _lines(seed: int, ticks: int, market_type: str) -> Iterator[bytes]:
    left_out: set[str] = set()
    exchange = simulated_exchange(SimulatorConfig(seed=seed, matches=_MATCHES), _START_MS)
    for number in range(ticks):
        # A message for each market, as a provider sends them; those of a tick have one time.
        for change in exchange.tick():
            definition = change.get("marketDefinition")
            if definition:
                if market_type and definition["marketType"] != market_type:
                    left_out.add(change["id"])
                active = sum(runner["status"] == "ACTIVE" for runner in definition["runners"])
                change["marketDefinition"] = {**_ALSO_DEFINED, "numberOfActiveRunners": active, **definition}
            if change["id"] in left_out:
                continue
            yield orjson.dumps({"op": "mcm", "clk": str(number), "pt": exchange.pt_ms, "mc": [change]}) + b"\n"
