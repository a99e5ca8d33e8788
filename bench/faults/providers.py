"""`python -m bench chaos` and `storm`: every fault of every provider, and continuous reconnects."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import Progress

from bench.reporting.row import Row
from oddsengine.runtime.loop import new_runner
from tests.support.faults.faults import FAULTS
from tests.support.faults.scenario import ALLOWANCE_S, installation_for, run_fault, wait_until_consistent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.faults.scenario import Outcome

_STORM_CUT_S: Final = 0.25
_SAMPLE_S: Final = 5.0
#: Memory counts as flat if its mean in the last third of a storm is at most this multiple of the middle third.
_FLAT: Final = 1.02
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


def run(providers: Sequence[str], events: int, markdown: Path | None) -> list[Row]:
    """Inject every fault of these providers.

    Args:
        providers: names of the providers.
        events: matches at each provider, of six markets.
        markdown: file for the table of the documentation.
    """
    outcomes = asyncio.run(_play(providers, events))
    if markdown is not None:
        markdown.write_text(_table(outcomes), encoding="utf-8")
    return [row for outcome in outcomes for row in _rows(outcome)]


async def _play(providers: Sequence[str], events: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("faults", total=sum(len(FAULTS[provider]) for provider in providers))
        for provider in providers:
            async with installation_for(provider, events) as installation:
                await wait_until_consistent(installation, provider)
                for fault in FAULTS[provider]:
                    progress.update(task, description=f"{provider}: {fault.name}")
                    outcomes.append(await run_fault(installation, provider, fault))
                    progress.advance(task)
                    for violation in outcomes[-1].violations[:3]:
                        console.print(f"{provider}: {fault.name}: {violation}", style="red")
    return outcomes


def _rows(outcome: Outcome) -> list[Row]:
    name = f"{outcome.adapter}: {outcome.fault.name}"
    rows = [
        Row(
            scenario="chaos",
            metric=f"{name}, wrongly open",
            value=len(outcome.violations),
            unit="markets",
            met=not outcome.violations,
        ),
        Row(scenario="chaos", metric=f"{name}, healed after", value=outcome.recovered_s, unit="s"),
    ]
    if outcome.left_s is not None and outcome.fault.limit_s is not None:
        within_s = outcome.fault.limit_s + ALLOWANCE_S
        reference = f"limit {outcome.fault.limit_s:g} s + {ALLOWANCE_S:g} s"
        met = outcome.left_s <= within_s
        rows.insert(
            0, Row(scenario="chaos", metric=f"{name}, left", value=outcome.left_s, unit="s", reference=reference, met=met)
        )
    return rows


def _table(outcomes: list[Outcome]) -> str:
    lines = [
        "| provider | fault | noticed by | limit | all markets suspended after | healed after | wrongly open |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for outcome in outcomes:
        fault = outcome.fault
        limit = "-" if fault.limit_s is None else f"{fault.limit_s:g} s"
        left = "-" if outcome.left_s is None else f"{outcome.left_s:.2f} s"
        cells = (
            outcome.adapter,
            fault.name,
            fault.noticed_by,
            limit,
            left,
            f"{outcome.recovered_s:.1f} s",
            len(outcome.violations),
        )
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


def storm(provider: str, seconds: float, events: int) -> list[Row]:
    """Cut the connections of a provider continuously, and sample the memory of the process.

    Args:
        provider: name of the provider.
        seconds: duration, at least 30: memory is sampled every 5 s.
        events: matches at each provider, of six markets.
    """
    with new_runner() as runner:
        samples, connections = runner.run(_storm(provider, seconds, events))
    third = max(1, len(samples) // 3)
    # During the first third caches and histories fill up.
    middle_mb, last_mb = (sum(part) / max(len(part), 1) / 1e6 for part in (samples[third : 2 * third], samples[2 * third :]))
    growth = last_mb / middle_mb
    return [
        Row(scenario="storm", metric=f"{provider}: connections opened", value=connections, unit=""),
        Row(scenario="storm", metric=f"{provider}: memory, middle third", value=middle_mb, unit="MB"),
        Row(
            scenario="storm",
            metric=f"{provider}: memory, last third",
            value=last_mb,
            unit="MB",
            reference="middle third",
            ratio=growth,
            goal=_FLAT,
            met=growth <= _FLAT,
        ),
    ]


async def _storm(provider: str, seconds: float, events: int) -> tuple[list[float], int]:
    samples: list[float] = []
    console = Console(stderr=True)
    async with installation_for(provider, events) as installation:
        await wait_until_consistent(installation, provider)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(f"cutting {provider}", total=seconds)
            began_s = sampled_s = time.monotonic()
            while (now_s := time.monotonic()) - began_s < seconds:
                installation.inject_fault(provider, "drop", 0.05)
                await asyncio.sleep(_STORM_CUT_S)
                installation.subscriber.discard_before(now_s)
                if now_s - sampled_s >= _SAMPLE_S:
                    sampled_s = now_s
                    samples.append(_resident_bytes())
                    progress.update(task, completed=now_s - began_s)
        await wait_until_consistent(installation, provider)
        return samples, installation.supervisors[provider].counters.connections


def _resident_bytes() -> float:
    return float(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
