"""A stop may pause first, so that balancers notice; a second signal ends the pause, and the time limit begins after it."""

from __future__ import annotations

import asyncio

from oddsengine.runtime.processes.startup import Startup


async def test_a_second_signal_ends_the_pause() -> None:
    armed: list[float] = []
    startup = Startup(armed.append)
    await startup.linger(60.0)
    assert [] == armed, "nobody has asked it to stop"

    startup.stop_or_skip_pause()
    startup.stop()
    pausing = asyncio.create_task(startup.linger(60.0))
    await asyncio.sleep(0)
    assert not pausing.done()
    startup.stop_or_skip_pause()
    await pausing
    assert [0.0, 60.0, 0.0] == armed, "the process may take its time to stop once the pause is over"
    await startup.linger(60.0)


async def test_the_pause_has_an_end() -> None:
    startup = Startup()
    startup.stop()
    await startup.linger(0.001)
    assert not startup.pause_skipped.is_set()
