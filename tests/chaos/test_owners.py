"""Processes that are paused, stopped and killed, and networks that fail, judged by what a subscriber of a gateway sees.

`python -m bench failover` measures whether everything happens in time. Here the limits are those of a loaded machine.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.faults.failover import FailoverInstallation, Outcome, failover_installation
from tests.support.faults.members import Arrangement
from tests.support.faults.outside_faults import network
from tests.support.faults.process_faults import engine_killed, engine_stopped, paused

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.faults.relay import Condition

#: Longer than a timeout of Redis, which a loaded machine exceeds now and then.
LEASE_S = 2.0
#: Additional time for a loaded machine. What the judge itself is late does not count.
SLACK_S = 3.0
FRESH_S = 3.0


def late(fault: Outcome, limit_s: float) -> list[str]:
    is_late = fault.outdated_s > limit_s + SLACK_S
    return [f"{fault.fault}: wrong prices were open for {fault.outdated_s:.1f} s"] if is_late else []


async def changes_of_owners(running: FailoverInstallation) -> list[str]:
    """Pause, stop and kill owners. Return what must not be."""
    fault = await running.run_fault("paused", partial(paused, running, "engine", 2.0 * LEASE_S, heals=False))
    found = [*fault.violations, *late(fault, LEASE_S)]
    await running.shared(2, 2)
    fault = await running.run_fault("stopped", partial(engine_stopped, running))
    found += [*fault.violations, *([f"{fault.suspended} markets were suspended"] if fault.suspended else [])]
    await running.start("engine")
    await running.shared(2, 2)
    fault = await running.run_fault("killed", partial(engine_killed, running))
    await running.shared(4)
    return [*found, *fault.violations, *late(fault, LEASE_S)]


async def failing_networks(running: FailoverInstallation) -> list[str]:
    """Stall and black-hole the networks of the roles. Return what must not be."""
    found: list[str] = []
    conditions: tuple[tuple[str, Condition], ...] = (("engine", "stalled"), ("gateway", "lost"))
    for link, condition in conditions:
        fault = await running.run_fault(link, partial(network, running, link, condition, 4.0))
        found += [*fault.violations, *late(fault, 3.0)]
    return found


@pytest.mark.alone
@pytest.mark.timeout(400)
async def test_owners_and_networks_fail_without_wrong_prices_or_steps_back(tmp_path: Path) -> None:
    """Two installations at the same time, since most of a fault is waiting."""

    async def owners() -> list[str]:
        (tmp_path / "owners").mkdir()
        async with failover_installation(tmp_path / "owners", Arrangement(lease_s=LEASE_S), fresh_s=FRESH_S) as running:
            return await changes_of_owners(running)

    async def networks() -> list[str]:
        (tmp_path / "networks").mkdir()
        arrangement = Arrangement(engines=1, feeders=1, is_relayed=True, lease_s=LEASE_S)
        async with failover_installation(tmp_path / "networks", arrangement, fresh_s=FRESH_S) as running:
            return await failing_networks(running)

    found = await asyncio.gather(owners(), networks())
    assert [[], []] == found, found
