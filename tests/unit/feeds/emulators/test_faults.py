"""Injected faults, and the reordering of batches."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.emulators.betfair.stream_server import FAULT_KINDS
from feeds.emulators.core.faults import KINDS, ONCE, Faults
from feeds.emulators.core.reordering import Reorderer
from feeds.emulators.core.web import HTTP_FAULT_KINDS


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_fault_is_active_for_its_seconds() -> None:
    clock = Clock()
    faults = Faults(clock, frozenset({"stall"}))
    assert not faults.is_active("stall")
    faults.begin("stall", 5.0)
    clock.now_s += 4.9
    assert faults.is_active("stall")
    clock.now_s += 0.1
    assert not faults.is_active("stall")


def test_zero_seconds_end_a_fault() -> None:
    faults = Faults(Clock(), frozenset({"stall"}))
    faults.begin("stall", 5.0)
    faults.begin("stall", 0.0)
    assert not faults.is_active("stall")


def test_an_unsupported_fault_is_refused_with_the_supported_ones() -> None:
    faults = Faults(Clock(), frozenset({"stall", "drop"}))
    with pytest.raises(ValueError, match="unknown fault 'dance'; supported are drop, stall"):
        faults.begin("dance", 1.0)


async def test_waiting_ends_with_the_fault() -> None:
    clock = Clock()
    faults = Faults(clock, frozenset({"half_open"}))
    faults.begin("half_open", 1.0)
    waiting = asyncio.ensure_future(faults.wait_until_over("half_open"))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    clock.now_s += 1.0
    await asyncio.wait_for(waiting, 30.0)


def test_every_supported_fault_is_described() -> None:
    assert KINDS.keys() >= FAULT_KINDS | HTTP_FAULT_KINDS | ONCE


@given(st.lists(st.tuples(st.lists(st.integers(), min_size=1, max_size=3), st.booleans())))
def test_reordering_loses_nothing_and_repeats_nothing(pushes: list[tuple[list[int], bool]]) -> None:
    reorderer = Reorderer[int]()
    sent = [item for batch, swap in pushes for item in reorderer.push(batch, swap=swap)] + reorderer.flush()
    assert sorted(item for batch, _ in pushes for item in batch) == sorted(sent)


@given(st.lists(st.lists(st.integers(), max_size=3)))
def test_without_the_fault_batches_keep_their_order(batches: list[list[int]]) -> None:
    reorderer = Reorderer[int]()
    assert batches == [reorderer.push(batch, swap=False) for batch in batches]


def test_with_the_fault_neighbours_are_swapped() -> None:
    reorderer = Reorderer[str]()
    assert [] == reorderer.push(["first"], swap=True)
    assert ["second", "first"] == reorderer.push(["second"], swap=True)
