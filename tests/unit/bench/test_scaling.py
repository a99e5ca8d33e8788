"""The plan of a large load: more is never cheaper, and every role has room for its work."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bench.scaling.model import Costs, Load, plan

COSTS = Costs(
    followed_us=5.0,
    frame_us=8.0,
    delta_us=0.2,
    written_us=2.0,
    read_us=0.3,
    priced_us=60.0,
    frame_bytes=110.0,
    delta_bytes=70.0,
    compressed=0.6,
    socket_bytes=20_000.0,
)
loads = st.builds(
    Load,
    subscribers=st.floats(1, 1e7),
    changes_per_s=st.floats(1, 1e6),
    events=st.integers(1, 100_000),
    followed=st.integers(1, 20),
    interval_s=st.floats(0.02, 10),
)


@given(load=loads, times=st.floats(1, 10))
def test_more_is_never_cheaper(load: Load, times: float) -> None:
    planned = plan(COSTS, load)
    for more in (replace(load, subscribers=load.subscribers * times), replace(load, changes_per_s=load.changes_per_s * times)):
        larger = plan(COSTS, more)
        assert larger.deltas_per_s >= planned.deltas_per_s * 0.999
        assert larger.installations >= planned.installations
        assert larger.engine_cores >= planned.engine_cores


@given(load=loads)
def test_no_process_is_busier_than_allowed(load: Load) -> None:
    planned = plan(COSTS, load)
    followed = COSTS.followed_us * load.changes_per_s / planned.installations
    sent = COSTS.frame_us * planned.frames_per_s + COSTS.delta_us * planned.deltas_per_s
    assert followed + sent / planned.gateway_cores <= load.busy * 1e6 * 1.001
    assert COSTS.priced_us * load.changes_per_s / planned.engine_cores <= load.busy * 1e6 * 1.001
    written = COSTS.written_us * load.changes_per_s / planned.installations
    read = COSTS.read_us * load.changes_per_s / planned.installations * planned.gateway_cores / planned.redis_servers
    assert written + read <= load.busy * 1e6 * 1.001


def test_a_market_that_moves_several_times_in_an_interval_is_sent_once() -> None:
    load = Load(subscribers=1, changes_per_s=1e6, events=1, followed=1, markets=10, interval_s=1.0)
    assert 10 == round(plan(COSTS, load).deltas_per_s, 3)
    seldom = replace(load, changes_per_s=0.5)
    assert 0.5 == plan(COSTS, seldom).deltas_per_s
