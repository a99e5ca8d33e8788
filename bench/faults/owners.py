"""`python -m bench failover`: what a subscriber sees while processes, Redis and networks fail."""

from __future__ import annotations

import asyncio
import logging
import statistics
import tempfile
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import Progress

from bench.faults.owners_table import TABLE
from bench.reporting.progress import report_progress
from bench.reporting.row import Row
from tests.support.faults.failover import Outcome, failover_installation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.faults.owners_table import Fault
    from tests.support.faults.failover import FailoverInstallation
    from tests.support.faults.members import Arrangement

#: What is said of a fault from which nothing has recovered.
_NEVER_S: Final = 60.0
#: A machine that keeps the benchmark waiting for longer is too busy to measure much.
_LATE_S: Final = 0.3
#: Where it kept the benchmark waiting for longer, so did the provider, which is another fault: the round is repeated.
_TOO_LATE_S: Final = 1.0


def select(only: Sequence[str]) -> dict[str, tuple[Arrangement, list[Fault]]]:
    """Return arrangements by name, each with the faults to inject; only those that have any.

    Args:
        only: only the faults whose name contains one of these, and those of the arrangements of these names; empty: all.
    """
    chosen = {
        name: (arrangement, [fault for fault in faults if not only or any(each in fault.name or each == name for each in only)])
        for name, (arrangement, faults) in TABLE.items()
    }
    return {name: each for name, each in chosen.items() if each[1]}


def run(rounds: int, only: Sequence[str], parallel: int) -> list[Row]:
    """Inject every fault a number of times.

    Args:
        rounds: how often.
        only: see `select`.
        parallel: how many installations run at a time, each with faults of its own.
    """
    # The provider is emulated here: what it is told of closed connections would hide the progress.
    logging.disable(logging.CRITICAL)
    return asyncio.run(_play(select(only), rounds, parallel))


async def _play(chosen: dict[str, tuple[Arrangement, list[Fault]]], rounds: int, parallel: int) -> list[Row]:
    console = Console(stderr=True)
    turns = asyncio.Semaphore(parallel)
    total = rounds * sum(len(faults) for _, faults in chosen.values())
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("failover", total=total)

        async def play_one(arrangement: Arrangement, faults: list[Fault]) -> list[Row]:
            async with turns:
                series = _Series(arrangement, faults, rounds, partial(progress.advance, task))
                await series.play()
            return [row for fault in faults for row in _rows(fault, series.outcomes[fault.name])]

        found = await asyncio.gather(*(play_one(arrangement, faults) for arrangement, faults in chosen.values()))
    return [row for rows in found for row in rows]


class _Series:
    """The faults of one arrangement, one after the other."""

    def __init__(self, arrangement: Arrangement, faults: list[Fault], rounds: int, advance: partial[None]) -> None:
        self.outcomes: dict[str, list[Outcome]] = {fault.name: [] for fault in faults}
        self._arrangement = arrangement
        self._rounds = rounds
        self._faults = [fault for _ in range(rounds) for fault in faults]
        self._advance = advance
        self._injected: Fault | None = None

    async def play(self) -> None:
        """Inject all faults. An installation that does not recover is replaced."""
        while self._faults:
            fault = self._faults[0]
            try:
                async with AsyncExitStack() as stack:
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="oddsengine-failover-"))
                    await self._play_until_one_fails(stack, Path(folder))
            except (AssertionError, TimeoutError, OSError) as error:
                # Of the fault that was injected last, also if it is only that a process ended badly afterwards.
                fault, self._injected = self._injected or fault, None
                if self._faults and fault is self._faults[0]:
                    self._faults.pop(0)
                    self._advance()
                self._note(fault, Outcome("", _NEVER_S, 0, _NEVER_S, 0, 0.0, [f"failed: {str(error)[-1000:]}"]))

    async def _play_until_one_fails(self, stack: AsyncExitStack, folder: Path) -> None:
        running: FailoverInstallation = await stack.enter_async_context(failover_installation(folder, self._arrangement))
        while self._faults:
            fault = self._injected = self._faults[0]
            outcome = await running.run_fault(fault.name, partial(fault.inject, running))  # type: ignore[arg-type]
            if fault.restore is not None:
                await fault.restore(running)
            await running.all_open()
            self._note(fault, outcome)
            if self._is_to_be_repeated(fault):
                continue
            self._faults.pop(0)
            self._advance()

    def _is_to_be_repeated(self, fault: Fault) -> bool:
        outcomes = self.outcomes[fault.name]
        late = len(outcomes) - len(_timely(outcomes))
        return outcomes[-1].late_s > _TOO_LATE_S and late <= self._rounds

    def _note(self, fault: Fault, outcome: Outcome) -> None:
        self.outcomes[fault.name].append(outcome)
        repeated = "; repeated" if outcome.late_s > _TOO_LATE_S else ""
        text = f"{fault.name}: outdated for {outcome.outdated_s:.2f} s, live again within {outcome.recovered_s:.2f} s"
        suffix = f", this process stood still for {outcome.late_s:.1f} s{repeated}" if outcome.late_s > _LATE_S else ""
        report_progress(f"{text}, {outcome.suspended} suspended, {len(outcome.violations)} violations{suffix}")
        for violation in outcome.violations[:3]:
            report_progress(f"  {violation}")


def _timely(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return [outcome for outcome in outcomes if outcome.late_s <= _TOO_LATE_S]


def _rows(fault: Fault, outcomes: Sequence[Outcome]) -> list[Row]:
    rows = [_row(fault, "violations", sum(len(outcome.violations) for outcome in outcomes), "", 0.0)]
    # Laws hold however busy the machine is; times do not.
    timely = _timely(outcomes) or outcomes
    for what, values, goal in (
        ("wrong prices open for", [outcome.outdated_s for outcome in timely], fault.moved_s),
        ("all live again within", [outcome.recovered_s for outcome in timely], fault.live_s),
    ):
        rows += [
            _row(fault, f"{what}, median", statistics.median(values), "s", goal),
            _row(fault, f"{what}, worst of {len(values)}", max(values), "s", goal),
        ]
    late_s = max(outcome.late_s for outcome in outcomes)
    if late_s > _LATE_S:
        rows.append(Row(scenario="failover", metric=f"{fault.name}: benchmark itself stood still, worst", value=late_s, unit="s"))
    if not fault.may_suspend:
        rows.append(_row(fault, "markets suspended", sum(outcome.suspended for outcome in timely), "", 0.0))
    if fault.keeps_sockets:
        rows.append(_row(fault, "sockets lost", sum(outcome.reconnects for outcome in timely), "", 0.0))
    return rows


def _row(fault: Fault, metric: str, value: float, unit: str, goal: float) -> Row:
    return Row(scenario="failover", metric=f"{fault.name}: {metric}", value=value, unit=unit, goal=goal, met=value <= goal)
