"""One shard under every order of failovers, lost data, lost and late requests, crashes and clocks that hypothesis thinks of."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.support.laws.examples import examples
from tests.support.streams.memory_redis import MemoryRedis
from tests.support.streams.shard_world import KEYS, MARKETS, Fate, ShardWorld

_INDEX = st.integers(0, 7)
_HOUR_MS = 3_600_000


def lose_stream(server: MemoryRedis) -> None:
    server.streams.pop(KEYS.changes, None)


def lose_last_entry(server: MemoryRedis) -> None:
    del server.streams.get(KEYS.changes, [])[-1:]


def lose_snapshot(server: MemoryRedis) -> None:
    server.hashes.pop(KEYS.snapshot, None)


def lose_record(server: MemoryRedis) -> None:
    server.hashes.get(KEYS.snapshot, {}).pop(b"m:e1/a", None)


def lose_count(server: MemoryRedis) -> None:
    server.hashes.get(KEYS.snapshot, {}).pop(b"whole", None)


LOSSES = (MemoryRedis.lose, lose_stream, lose_last_entry, lose_snapshot, lose_record, lose_count)


class Shard(RuleBasedStateMachine):
    """An adversary that schedules everything."""

    jumps = True

    def __init__(self) -> None:
        super().__init__()
        self.world = ShardWorld(jumps=self.jumps)

    def _engine(self, index: int) -> Any:
        engines = self.world.engines
        return engines[index % len(engines)]

    def _client(self, index: int) -> Any:
        clients = list(self.world.clients())
        return clients[index % len(clients)]

    @initialize()
    def begin(self) -> None:
        world = self.world
        world.start_engine(0).take()
        world.start_engine(0)
        world.start_gateway()
        world.loop.pass_time(0.5)
        world.replicate()

    @rule(market=st.sampled_from(MARKETS), price=st.integers(1_100, 9_000))
    def a_price_moves(self, market: str, price: int) -> None:
        self.world.prices[market] = price
        for engine in self.world.engines:
            engine.writer.wake()

    @rule(index=_INDEX)
    def take_over(self, index: int) -> None:
        self._engine(index).take()

    @rule(index=_INDEX, is_held=st.booleans())
    def switch_lease(self, index: int, is_held: bool) -> None:
        self._engine(index).lease.switch(is_held=is_held)

    @precondition(lambda self: len(self.world.engines) > 1)
    @rule(index=_INDEX)
    def crash(self, index: int) -> None:
        engine = self._engine(index)
        self.world.engines.remove(engine)
        engine.crash()

    @precondition(lambda self: len(self.world.engines) < 3)
    @rule(skew_ms=st.sampled_from((-_HOUR_MS, 0, _HOUR_MS)))
    def start_engine(self, skew_ms: int) -> None:
        self.world.start_engine(skew_ms).take()

    @precondition(lambda self: len(self.world.gateways) < 2)
    @rule()
    def start_gateway(self) -> None:
        self.world.start_gateway()

    @rule(index=_INDEX, fates=st.lists(st.sampled_from(("lost", "unanswered", "late", "held")), min_size=1, max_size=3))
    def requests_fail(self, index: int, fates: list[str]) -> None:
        self._client(index).fates.extend(cast("list[Fate]", fates))

    @precondition(lambda self: self.world.held)
    @rule(index=_INDEX)
    def go_on(self, index: int) -> None:
        self.world.release(index)

    @precondition(lambda self: self.world.late)
    @rule(index=_INDEX, is_kept=st.booleans())
    def a_late_request_arrives(self, index: int, is_kept: bool) -> None:
        late = self.world.late
        place = index % len(late)
        (late[place] if is_kept else late.pop(place))()

    @rule(seconds=st.sampled_from((0.05, 0.5, 1.6, 4.0)))
    def time_passes(self, seconds: float) -> None:
        self.world.loop.pass_time(seconds)

    @rule()
    def replicate(self) -> None:
        self.world.replicate()

    @rule(dies=st.booleans(), is_noticed=st.booleans())
    def fail_over(self, dies: bool, is_noticed: bool) -> None:
        self.world.fail_over(dies=dies)
        if is_noticed:
            for client in self.world.clients():
                client.server = self.world.primary

    @rule(index=_INDEX, has_error=st.booleans())
    def find_the_primary(self, index: int, has_error: bool) -> None:
        client = self._client(index)
        client.server = self.world.primary
        if has_error:
            client.fates.appendleft("lost")

    @rule(skew_ms=st.sampled_from((-_HOUR_MS, 0, _HOUR_MS)))
    def the_clock_of_redis_is_set(self, skew_ms: int) -> None:
        self.world.redis_skew_ms = skew_ms

    @rule(loss=st.sampled_from(LOSSES))
    def redis_loses_data(self, loss: Any) -> None:
        self.world.has_lost = True
        loss(self.world.primary)

    @invariant()
    def laws(self) -> None:
        self.world.loop.settle()
        self.world.check()

    def teardown(self) -> None:
        """Check that everything is shown as it is once the faults end."""
        try:
            if not self.world.violations:
                self.world.calm()
        finally:
            self.world.close()


class ShardWithEpochsOfOthers(Shard):
    """The same with owners that open epochs under the next free number."""

    jumps = False


_QUICK = examples(10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck))
TestShard = Shard.TestCase
TestShard.settings = _QUICK


def test_an_epoch_of_two_owners_is_found() -> None:
    """By the laws alone, in a story of the machine: Redis loses an epoch with its owner, and all clocks are behind."""
    shard = ShardWithEpochsOfOthers()
    try:
        shard.begin()
        shard.the_clock_of_redis_is_set(-_HOUR_MS)
        shard.start_engine(-_HOUR_MS)
        shard.laws()
        shard.fail_over(dies=True, is_noticed=True)
        shard.start_engine(-_HOUR_MS)
        with pytest.raises(AssertionError, match="was written by"):
            shard.laws()
    finally:
        shard.world.close()
