"""Engines that are paused, stopped and killed while another one is there, judged by what a subscriber of a gateway sees.

`python -m bench failover` measures whether everything happens in time. Here the limits are those of a loaded machine.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.support.faults.failover import failover_installation, owner_killed, owner_paused, owner_stopped

if TYPE_CHECKING:
    from pathlib import Path

LEASE_S = 1.0
#: Additional time for a loaded machine.
SLACK_S = 5.0


@pytest.mark.alone
@pytest.mark.timeout(240)
async def test_owners_change_without_wrong_prices_or_steps_back(tmp_path: Path) -> None:
    async with failover_installation(tmp_path, lease_s=LEASE_S) as running:
        paused = await running.run_fault("paused", partial(owner_paused, running, 2.5 * LEASE_S))
        assert ([], True) == (paused.violations, paused.outdated_s < LEASE_S + SLACK_S)
        await running.shared(2, 2)
        stopped = await running.run_fault("stopped", partial(owner_stopped, running))
        assert ([], 0) == (stopped.violations, stopped.suspended)
        await running.start_engine()
        await running.shared(2, 2)
        killed = await running.run_fault("killed", partial(owner_killed, running))
        assert ([], True) == (killed.violations, killed.outdated_s < LEASE_S + SLACK_S)
        await running.shared(4)
