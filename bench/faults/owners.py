"""`python -m bench failover`: engines that are killed, stopped and paused while another one is there."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rich.console import Console
from rich.progress import Progress

from bench.reporting.row import Row
from tests.support.faults.failover import (
    FailoverInstallation,
    failover_installation,
    feeder_killed,
    owner_killed,
    owner_paused,
    owner_stopped,
)

if TYPE_CHECKING:
    from tests.support.faults.failover import Outcome

LEASE_S: Final = 2.0
_PAUSE_S: Final = 10.0


class _Fault(NamedTuple):
    """A row of the table: what happens, and within what all is moved or suspended, and live again, in seconds."""

    name: str
    inject: Callable[[FailoverInstallation], Coroutine[Any, Any, object]]
    moved_s: float
    live_s: float
    is_replaced: bool = True


async def _joins(installation: FailoverInstallation) -> None:
    await installation.start_engine()
    await installation.shared(2, 2)


FAULTS: Final = (
    _Fault("owner killed, second engine there", owner_killed, LEASE_S + 0.5, LEASE_S + 1.5),
    # Its feed is down after 2 s, its shards move meanwhile; then the next one has to connect.
    _Fault("owner and feeder killed", feeder_killed, LEASE_S + 0.5, LEASE_S + 1.5),
    _Fault("owner stopped (SIGTERM)", owner_stopped, 0.0, 0.5),
    _Fault(
        f"owner paused {_PAUSE_S:g} s and woken",
        partial(owner_paused, seconds=_PAUSE_S),
        LEASE_S + 0.5,
        LEASE_S + 1.5,
        is_replaced=False,
    ),
    _Fault("engine joins", _joins, 0.0, 0.5, is_replaced=False),
)


def run(rounds: int, only: str | None) -> list[Row]:
    """Inject every fault a number of times.

    Args:
        rounds: how often.
        only: only the faults whose name contains this; None: all.
    """
    faults = [fault for fault in FAULTS if only is None or only in fault.name]
    outcomes = asyncio.run(_play(faults, rounds))
    return [row for fault in faults for row in _rows(fault, outcomes[fault.name])]


async def _play(faults: list[_Fault], rounds: int) -> dict[str, list[Outcome]]:
    outcomes: dict[str, list[Outcome]] = {fault.name: [] for fault in faults}
    console = Console(stderr=True)
    with (
        tempfile.TemporaryDirectory(prefix="oddsengine-failover-") as folder,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("failover", total=rounds * len(faults))
        async with failover_installation(Path(folder), lease_s=LEASE_S) as installation:
            for _ in range(rounds):
                for fault in faults:
                    progress.update(task, description=fault.name)
                    if fault.inject is _joins and len(installation.engines) > 1:
                        await owner_stopped(installation)
                        await installation.shared(4)
                    outcome = await installation.run_fault(fault.name, partial(fault.inject, installation))
                    outcomes[fault.name].append(outcome)
                    for violation in outcome.violations[:3]:
                        console.print(f"{fault.name}: {violation}", style="red")
                    if fault.is_replaced:
                        await installation.start_engine()
                    await installation.shared(2, 2)
                    progress.advance(task)
    return outcomes


def _rows(fault: _Fault, outcomes: list[Outcome]) -> list[Row]:
    violations = sum(len(outcome.violations) for outcome in outcomes)
    rows = [_row(fault, "violations", violations, "", 0.0)]
    for what, values, goal in (
        ("outdated prices open until", [outcome.outdated_s for outcome in outcomes], fault.moved_s),
        ("all live again", [outcome.recovered_s for outcome in outcomes], fault.live_s),
    ):
        rows += [
            Row(scenario="failover", metric=f"{fault.name}: {what}, median", value=statistics.median(values), unit="s"),
            _row(fault, f"{what}, worst of {len(values)}", max(values), "s", goal),
        ]
    if not fault.moved_s:
        rows.append(_row(fault, "markets suspended", sum(outcome.suspended for outcome in outcomes), "", 0.0))
    return rows


def _row(fault: _Fault, metric: str, value: float, unit: str, goal: float) -> Row:
    return Row(scenario="failover", metric=f"{fault.name}: {metric}", value=value, unit=unit, goal=goal, met=value <= goal)
