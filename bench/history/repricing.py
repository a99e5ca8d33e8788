"""The speed of `oddsengine reprice` over hours, whether its memory grows with the time, and whether the same bytes come twice.

Hours of the simulator are repriced against another config, and a quarter of them twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple

from bench.data.recordings import write_simulated
from bench.reporting.progress import report_progress
from bench.reporting.row import Row

_SEED: Final = 22
_TICKS_PER_HOUR: Final = 18_000
_BOOK_SUMS: Final = {"old": 1.05, "new": 1.08}
#: What may be more of four times as much: more markets have results.
_GOAL: Final = 1.25


class _Run(NamedTuple):
    """The output of a command, how long it took, and the most memory that it had."""

    output: bytes
    seconds: float
    processor_s: float
    peak_mb: float


def _repriced(folder: Path, recording: Path) -> _Run:
    """Run the command in a process of its own."""
    report_progress(f"repricing {recording.name}")
    sides = ("--config", folder / "new", "--against", folder / "old")
    command = [sys.executable, "-m", "oddsengine", "reprice", "--json", *map(str, sides), str(recording)]
    output = folder / "output"
    began_s = time.monotonic()
    with output.open("wb") as out:
        process = subprocess.Popen(command, stdout=out)
        _, status, usage = os.wait4(process.pid, 0)
    # It is not waited for twice.
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"reprice has failed, exit code {process.returncode}")
    return _Run(output.read_bytes(), time.monotonic() - began_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def run(hours: float) -> list[Row]:
    """Reprice so many hours of the simulator, and a quarter of them twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for side, book_sum in _BOOK_SUMS.items():
            (folder / side).write_text(f"[profiles.default]\nbook_sum = {book_sum}\n", encoding="utf-8")
        quarter, whole = folder / "a quarter", folder / "all of it"
        for file, part in ((quarter, 0.25), (whole, 1.0)):
            report_progress(f"recording {hours * part:g} h of the simulator")
            write_simulated(file, _SEED, round(hours * part * _TICKS_PER_HOUR))
        with whole.open("rb") as lines:
            messages = sum(1 for _ in lines)
        first, again = _repriced(folder, quarter), _repriced(folder, quarter)
        if first.output != again.output:
            raise RuntimeError("the same recording has led to two results")
        found = _repriced(folder, whole)
    growth = found.peak_mb / first.peak_mb
    return [
        Row(scenario="reprice", metric=f"messages of {hours:g} h, each priced by both configs", value=messages, unit=""),
        Row(scenario="reprice", metric="messages repriced", value=messages / found.seconds, unit="messages/s"),
        Row(scenario="reprice", metric="the same, in processor time", value=messages / found.processor_s, unit="messages/s"),
        Row(scenario="reprice", metric="faster than the time that is repriced", value=hours * 3600 / found.seconds, unit="times"),
        Row(
            scenario="reprice",
            metric="most memory",
            value=found.peak_mb,
            unit="MB",
            reference="of a quarter of it",
            ratio=growth,
            goal=_GOAL,
            met=growth <= _GOAL,
        ),
    ]
