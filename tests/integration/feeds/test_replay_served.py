"""A recording served to subscribers of every kind: in the end each has the state of the snapshot."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from feeds.recording.reader import Recordings
from oddsengine.runtime.replay import Replay
from tests.support.providers.simulated import record_simulator
from tests.support.service import quick_settings, running_service
from tests.support.subscribers import Flaky, Sluggish, Steady, assert_equal_to_snapshot, subscribers_running

if TYPE_CHECKING:
    from pathlib import Path


async def serve_to_all(recording: Path, channel: str, *, step: int) -> tuple[Steady, Flaky, Sluggish]:
    """Replay in steps of `step` messages, each published before the next, so that every run sees the same changes."""
    async with running_service(quick_settings(heartbeat_ms=1000), sources=("betfair",)) as service:
        steady, flaky = Steady(service, channel), Flaky(service, channel, cuts=30)
        sluggish = Sluggish(service, channel, reads_every_s=10.0)
        async with subscribers_running(steady, flaky, sluggish):
            problems: list[str] = []
            with Recordings([recording]) as recordings:
                replay = Replay(recordings, "betfair", problems.append)
                for number, (_, batches) in enumerate(replay.batches()):
                    for batch in batches:
                        service.engine.receive(batch)
                    if number % step == 0:
                        await service.wait_published()
                        await asyncio.sleep(0)
            assert [] == problems
            await assert_equal_to_snapshot(service, channel, steady, flaky, sluggish)
        return steady, flaky, sluggish


async def test_subscribers_of_a_simulated_day(tmp_path: Path) -> None:
    """Its matches are before, in play, suspended, settled and removed."""
    recording = record_simulator(tmp_path / "simulated.jsonl", ticks=200, matches=2)
    steady, flaky, sluggish = await serve_to_all(recording, "sport:football", step=1)
    assert steady.rule.messages > 150
    assert flaky.client.resumed > 10
    assert sluggish.rule.messages <= steady.rule.messages


@pytest.mark.recorded
@pytest.mark.parametrize("name", ["PRO-1.170258213", "SELF-1.181223995"])
async def test_subscribers_of_a_recorded_race(data: Path, name: str) -> None:
    steady, flaky, _ = await serve_to_all(data / "betfair" / f"{name}.xz", "sport:horse_racing", step=40)
    assert steady.rule.messages > 300
    assert flaky.client.resumed > 20
