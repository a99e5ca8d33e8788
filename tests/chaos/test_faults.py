"""Every fault of every provider, while its markets move, judged by what a subscriber sees.

`python -m bench chaos` measures whether everything happens within its limits. Here the limits are those of a loaded machine; what
must hold at any speed is that no price is open that nobody quoted, no other provider is affected, and everything recovers.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.support.faults.faults import FAULTS
from tests.support.faults.scenario import installation_for, run_fault, wait_until_consistent

#: Additional time for a loaded machine.
SLACK_S = 5.0


#: A third of an adapter's faults at a time, since most of a scenario is waiting.
THIRDS = [pytest.param(slice(first, None, 3), id=name) for first, name in enumerate(("first", "second", "third"))]


async def faults_of(adapter: str, third: slice) -> list[str]:
    """Run a third of an adapter's faults. Return the violations."""
    violations: list[str] = []
    async with installation_for(adapter, events=3) as installation:
        await wait_until_consistent(installation, adapter)
        for fault in FAULTS[adapter][third]:
            outcome = await run_fault(installation, adapter, fault, SLACK_S)
            violations += [f"{adapter}: {fault.name}: {each}" for each in outcome.violations[:3]]
    return violations


@pytest.mark.alone
@pytest.mark.timeout(400)
@pytest.mark.parametrize("third", THIRDS)
async def test_no_fault_leaves_a_wrong_price_open_and_all_recover(third: slice) -> None:
    """All providers run at the same time, each in a service of its own."""
    found = await asyncio.gather(*(faults_of(adapter, third) for adapter in FAULTS))
    assert [] == [violation for violations in found for violation in violations]
