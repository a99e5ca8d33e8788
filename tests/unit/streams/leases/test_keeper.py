"""The keeper of a lease, with a table that answers when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from oddsengine.streams.leases.keeper import LeaseKeeper
from oddsengine.streams.leases.state import Local
from tests.support.streams.lease_table import AwaitedTable

LEASE_S = 2.0


class Kept:
    """A keeper, its table and its clock."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self.table = AwaitedTable()
        table: Any = self.table
        self.keeper = LeaseKeeper("a", table, "shards", ["0"], LEASE_S, clock=lambda: self.now_s)

    async def step(self, answered_after_s: float = 0.0) -> bool:
        """Renew the lease. The answer takes a while."""
        self.table.released.clear()
        stepping = asyncio.create_task(self.keeper.step(0, is_leaving=False))
        await asyncio.sleep(0)
        self.now_s += answered_after_s
        self.table.released.set()
        return await stepping


@pytest.fixture
async def kept() -> Kept:
    return Kept()


async def test_a_lease_lasts_from_when_its_renewal_was_sent_however_late_the_answer_comes(kept: Kept) -> None:
    """Others count from when they saw it, which may be long before that."""
    assert await kept.step(answered_after_s=1.5)
    assert kept.keeper.lease.is_held()
    kept.now_s += 0.5
    assert not kept.keeper.lease.is_held()


async def test_an_answer_that_arrives_after_the_member_has_left_gives_it_no_lease(kept: Kept) -> None:
    kept.table.released.clear()
    stepping = asyncio.create_task(kept.keeper.step(0, is_leaving=False))
    await asyncio.sleep(0)
    await kept.keeper.leave()
    kept.table.released.set()
    assert not await stepping
    assert not kept.keeper.lease.is_held()


async def test_a_process_that_wakes_too_late_holds_its_writes_back(kept: Kept) -> None:
    assert await kept.step()
    kept.keeper.decide(Local(frozenset({"0"})))
    assert await kept.step()
    pausing = asyncio.create_task(kept.keeper.pause())
    await asyncio.sleep(0)
    kept.now_s += 1.5
    kept.keeper.changed.set()
    await pausing
    assert await kept.step()
    assert not kept.keeper.lease.is_held(), "what has arrived meanwhile is read first"
    kept.now_s += 0.6
    assert kept.keeper.lease.is_held()
