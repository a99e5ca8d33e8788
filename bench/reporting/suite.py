"""Several benchmarks one after another, each in a process of its own, and the page of their results."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Final

from bench.reporting.page import read_results, write_page
from bench.reporting.progress import report_progress

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.reporting.row import Row

#: Those that take minutes, not hours; more are named on the command line.
USUAL: Final = ("pipeline", "pricing", "recordings", "ingest", "fanout", "latency", "memory", "resume", "snapshot")


def run(scenarios: Sequence[str], folder: Path) -> bool:
    """Run benchmarks, and write rows and page to a folder. Return whether all have run.

    Args:
        scenarios: their names.
        folder: made if it is missing; results of others in it are on the page too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    failed: dict[str, str] = {}
    for name in scenarios:
        report_progress(name)
        file = folder / f"{name}.json"
        command = [sys.executable, "-m", "bench", name, "--json", str(file)]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            failed[name] = done.stderr.strip().rpartition("\n")[2] or f"ended with {done.returncode}"
            report_progress(f"{name}: {failed[name]}")
            file.unlink(missing_ok=True)
    results: dict[str, list[Row]] = {}
    if any(folder.glob("*.json")):
        results = read_results([folder])
    write_page(results, folder / "index.html", failed)
    report_progress(f"written: {folder / 'index.html'}")
    return not failed
