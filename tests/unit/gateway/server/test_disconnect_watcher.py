"""Closed connections are detected although nothing is read from them."""

from __future__ import annotations

import asyncio

import pytest

from oddsengine.gateway.server.disconnect_watcher import DisconnectWatcher
from tests.support.hub_harness import Wire


async def test_each_wait_ends_with_its_own_connection() -> None:
    watcher, first, second = DisconnectWatcher(), Wire(), Wire()
    waits = [asyncio.create_task(watcher.wait_closed(wire)) for wire in (first, second)]
    first.close()
    await waits[0]
    assert not waits[1].done()
    second.close()
    await waits[1]


async def test_it_watches_again_after_all_were_gone() -> None:
    watcher = DisconnectWatcher()
    for _ in range(2):
        wire = Wire()
        wire.close()
        async with asyncio.timeout(30):
            await watcher.wait_closed(wire)
        await asyncio.sleep(0)


async def test_a_cancelled_wait_leaves_the_others() -> None:
    watcher, first, second = DisconnectWatcher(), Wire(), Wire()
    waits = [asyncio.create_task(watcher.wait_closed(wire)) for wire in (first, second)]
    await asyncio.sleep(0)
    waits[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waits[0]
    second.close()
    await waits[1]
