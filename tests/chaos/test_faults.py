"""Every fault of every provider, while its markets move, judged by what a subscriber is told.

That everything happens within its limits is measured by `python -m bench chaos`; here the limits are those of a loaded machine,
and what must hold whatever the time does: nothing is open on what is not true, nobody else is disturbed, and everything heals.
"""

from __future__ import annotations

import asyncio

import pytest

from tests.support.faults.faults import FAULTS
from tests.support.faults.scenario import play, settle, stage_for

#: What a loaded machine is given beyond every limit.
SLACK_S = 5.0


async def faults_of(adapter: str) -> list[str]:
    """Play all of an adapter's faults; give what was seen that must not be."""
    wrong: list[str] = []
    async with stage_for(adapter, events=6) as stage:
        await settle(stage, adapter)
        for fault in FAULTS[adapter]:
            outcome = await play(stage, adapter, fault, SLACK_S)
            wrong += [f"{adapter}: {fault.name}: {each}" for each in outcome.wrong[:3]]
    return wrong


@pytest.mark.timeout(400)
async def test_no_fault_leaves_a_wrong_price_open_and_every_one_heals() -> None:
    """The providers go wrong at the same time, each in a service of its own: most of a fault is waiting."""
    found = await asyncio.gather(*(faults_of(adapter) for adapter in FAULTS))
    assert [] == [wrong for each in found for wrong in each]
