"""The helpers that every room uses: excerpts, stop signals, and ending tasks."""

from __future__ import annotations

import asyncio
import os
import signal
import time

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.excerpts import bounded, echoed, excerpt
from oddsengine.common.processes.signals import on_reload, on_stop
from oddsengine.common.tasks import end_tasks


@given(st.binary(max_size=400))
def test_an_excerpt_is_the_beginning_of_the_input(data: bytes) -> None:
    """It is never longer than 120 characters, and never fails."""
    found = excerpt(data)
    assert len(found) <= 120
    assert data.decode("utf-8", "replace").startswith(found.rstrip("\ufffd"))


@given(st.text(max_size=80) | st.integers() | st.floats() | st.lists(st.integers(), max_size=3))
def test_an_echo_is_what_was_sent(value: object) -> None:
    assert repr(value) == echoed(value)


def test_an_echo_is_short_whatever_was_sent() -> None:
    for value in (
        "x" * 100_000,
        "\0" * 100_000,
        10**4000,
        [["x" * 1000] * 1000] * 1000,
        dict.fromkeys(range(10_000), "x" * 1000),
    ):
        assert 160 >= len(echoed(value))
    assert ("text", 500) == (bounded("text"), len(bounded("x" * 100_000)))


def test_the_wall_clock_counts_unix_milliseconds() -> None:
    before = time.time()
    assert before * 1000 - 1 <= wall_clock_ms() <= time.time() * 1000 + 1


async def test_sigint_and_sigterm_call_back() -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        stop = asyncio.Event()
        on_stop(stop.set)
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        async with asyncio.timeout(30):
            await stop.wait()


async def test_a_later_handler_replaces_the_earlier_one() -> None:
    first, second, reloads = asyncio.Event(), asyncio.Event(), asyncio.Event()
    on_stop(first.set)
    on_stop(second.set)
    on_reload(reloads.set)
    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGHUP)
    async with asyncio.timeout(30):
        await second.wait()
        await reloads.wait()
    assert not first.is_set()


async def test_tasks_end_even_if_one_swallows_a_cancellation() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(60)

    async def willing() -> None:
        await asyncio.sleep(60)

    tasks = [asyncio.create_task(stubborn()), asyncio.create_task(willing()), asyncio.create_task(asyncio.sleep(0))]
    await asyncio.sleep(0.01)
    async with asyncio.timeout(30):
        await end_tasks(tasks)
    assert all(task.done() for task in tasks)
