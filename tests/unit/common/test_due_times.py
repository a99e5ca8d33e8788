from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common.times.due_times import DueTimes

_KEYS = st.sampled_from("abc")
_TIMES = st.sampled_from([-inf, 0.0, 1.0, 2.5, 4.0, inf])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _KEYS, _TIMES),
        st.tuples(st.just("take"), st.just(""), st.integers(0, 5)),
        st.tuples(st.just("forget"), _KEYS, st.just(0)),
    ),
    max_size=30,
)


@given(_STEPS)
def test_what_is_due_is_taken_once_and_nothing_else(steps: list[tuple[str, str, float]]) -> None:
    times: DueTimes[str] = DueTimes()
    expected: dict[str, float] = {}
    for step, key, time_ms in steps:
        if step == "put":
            times.put(key, time_ms)
            expected[key] = time_ms
        elif step == "forget":
            times.forget(key)
            expected.pop(key, None)
        else:
            due = {each for each, due_ms in expected.items() if due_ms <= time_ms}
            assert sorted(due) == sorted(times.take(time_ms))
            for each in due:
                del expected[each]


def test_a_thing_that_is_put_off_again_and_again_is_queued_once() -> None:
    times: DueTimes[str] = DueTimes()
    for due_ms in range(1000):
        times.put("a", due_ms + 10)
        assert [] == times.take(due_ms)
    assert 1 == len(times._queue)
