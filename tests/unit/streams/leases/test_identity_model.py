"""Identities of events under every order of delays, losses and repetitions, with any number of engines that decide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.support.laws.examples import examples
from tests.support.streams.identity_world import EVENTS, IdentityWorld, MemoryIdentities

_INDEX = st.integers(0, 7)


class Identities(RuleBasedStateMachine):
    """An adversary that schedules everything. Leases do not help: any engine may take itself for the one that decides."""

    is_fenced = True
    jumps = True

    def __init__(self) -> None:
        super().__init__()
        self.world = IdentityWorld(is_fenced=self.is_fenced, jumps=self.jumps)
        self.saved = MemoryIdentities.empty()

    def _engine(self, index: int) -> Any:
        names = sorted(self.world.engines)
        return self.world.engines[names[index % len(names)]]

    @initialize()
    def begin(self) -> None:
        self.world.start()
        self.world.start().decides = True

    @rule(index=_INDEX, key=st.sampled_from(EVENTS))
    def describe(self, index: int, key: str) -> None:
        self._engine(index).describe(key)

    @rule(index=_INDEX, decides=st.booleans())
    def elect(self, index: int, decides: bool) -> None:
        self._engine(index).decides = decides

    @rule(index=_INDEX, steps=st.integers(1, 12))
    def go_on(self, index: int, steps: int) -> None:
        for _ in range(steps):
            self._engine(index).go_on()
            self.world.check()

    @rule(index=_INDEX, is_carried_out=st.booleans())
    def fail(self, index: int, is_carried_out: bool) -> None:
        late = self._engine(index).go_on(is_carried_out=is_carried_out, is_answered=False)
        if late is not None:
            self.world.late.append(late)

    @precondition(lambda self: self.world.late)
    @rule(index=_INDEX, is_kept=st.booleans())
    def a_late_request_arrives(self, index: int, is_kept: bool) -> None:
        late = self.world.late
        place = index % len(late)
        (late[place] if is_kept else late.pop(place)).carry_out()

    @rule(seconds=st.sampled_from((1, 60)))
    def time_passes(self, seconds: int) -> None:
        self.world.now_ms += seconds * 1000

    @precondition(lambda self: len(self.world.engines) > 1)
    @rule(index=_INDEX)
    def crash(self, index: int) -> None:
        del self.world.engines[self._engine(index).name]

    @precondition(lambda self: len(self.world.engines) < 4)
    @rule()
    def start(self) -> None:
        self.world.start()

    @rule()
    def save(self) -> None:
        self.saved = self.world.redis.copy()

    @rule(is_empty=st.booleans())
    def redis_loses_data(self, is_empty: bool) -> None:
        self.world.redis = MemoryIdentities.empty() if is_empty else self.saved.copy()

    @invariant()
    def laws(self) -> None:
        self.world.check()

    def teardown(self) -> None:
        """Check that engines agree, whatever was decided before, once the faults end; and that a restart changes nothing."""
        if not self.is_fenced:
            return
        world = self.world
        world.late.clear()
        for position, engine in enumerate(world.engines.values()):
            engine.decides = position == 0
        self._calm()
        before = next(iter(world.engines.values())).placed
        assert all(each.placed == before for each in world.engines.values())
        assert {
            event for each in world.engines.values() for book in each.pipeline.books.values() for event in book.events
        } <= set(before)
        world.engines.clear()
        world.start().decides = True
        for key in reversed(EVENTS):
            if key in before:
                next(iter(world.engines.values())).describe(key)
        self._calm()
        assert before == next(iter(world.engines.values())).placed, "another order, another engine, the same ids"

    def _calm(self) -> None:
        for _ in range(4):
            for engine in self.world.engines.values():
                engine.settle()
                self.world.check()


class IdentitiesWithoutFence(Identities):
    """The same with a Redis that accepts every decision."""

    is_fenced = False

    @initialize()
    def begin(self) -> None:
        for key in EVENTS[:2]:
            engine = self.world.start()
            engine.decides = True
            engine.describe(key)
        for engine in self.world.engines.values():
            engine.settle(4)


_QUICK = examples(25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
TestIdentities = Identities.TestCase
TestIdentities.settings = _QUICK


def test_a_broken_fence_is_found() -> None:
    thorough = settings(_QUICK, max_examples=1000, print_blob=False, phases=[Phase.generate], derandomize=True)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(IdentitiesWithoutFence, settings=thorough)
