"""Health is published as live only if the provider says so, messages are on time, and the last connection was not frozen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from feeds.supervision.health_tracker import HealthTracker
from feeds.supervision.states import FeedState, FeedStatus, Trigger
from oddsengine.domain.feed_updates import SourceStatus

LIVE, LAGGING = SourceStatus("live", "recovered"), SourceStatus("lagging", "the provider is behind")
#: lags in milliseconds, or the provider's claims
STEPS = st.lists(st.one_of(st.integers(0, 3000), st.sampled_from([LIVE, LAGGING])), max_size=40)


class Tracked:
    """A connected feed with its tracker, and what was published."""

    def __init__(self, lag_limit_s: float = 1.0) -> None:
        self.published: list[str] = []
        self.status = FeedStatus("src", lambda: 0)
        self.tracker = HealthTracker(self.status, lag_limit_s, lambda health, _: self.published.append(health))
        self._published_ms = 1_000_000
        self.connect()

    def connect(self) -> None:
        for trigger in (Trigger.LOST, Trigger.CONNECT, Trigger.OPENED):
            self.status.apply(trigger, "test")
        self.tracker.connection_made()

    def message(self, delay_ms: int) -> None:
        """Measure a message; the delay grows from 0, so that it is the lag."""
        self._published_ms += 10_000
        self.tracker.measure(self._published_ms, self._published_ms)
        self.tracker.measure(self._published_ms, self._published_ms + delay_ms)


@given(STEPS)
def test_the_last_published_health_matches_the_state(steps: list[int | SourceStatus]) -> None:
    tracked = Tracked()
    for step in steps:
        if isinstance(step, int):
            tracked.message(step)
        else:
            tracked.tracker.apply_claim(step)
        is_live = tracked.status.state is FeedState.LIVE
        assert is_live == (tracked.published[-1:] == ["live"])


def test_health_is_published_once_for_each_change() -> None:
    tracked = Tracked()
    for claim in (LIVE, LIVE, LAGGING, LIVE):
        tracked.tracker.apply_claim(claim)
    assert ["live", "lagging", "live"] == tracked.published


def test_a_claim_to_be_live_does_not_outweigh_a_measured_lag() -> None:
    tracked = Tracked()
    tracked.tracker.apply_claim(LIVE)
    tracked.message(2000)
    tracked.tracker.apply_claim(LIVE)
    assert FeedState.LAGGING is tracked.status.state
    assert ["live", "lagging"] == tracked.published


def test_without_a_limit_no_lag_is_measured() -> None:
    tracked = Tracked(lag_limit_s=0.0)
    tracked.tracker.apply_claim(LIVE)
    tracked.message(60_000)
    assert ["live"] == tracked.published


def test_after_a_frozen_connection_the_next_must_prove_itself_and_the_one_after_need_not() -> None:
    tracked = Tracked()
    tracked.tracker.apply_claim(LIVE)
    tracked.tracker.mark_frozen()
    tracked.connect()
    for _ in range(2):
        tracked.tracker.apply_claim(LIVE)
        assert tracked.tracker.is_unproven
    assert FeedState.RECOVERING is tracked.status.state
    tracked.connect()
    tracked.tracker.apply_claim(LIVE)
    assert FeedState.LIVE is tracked.status.state
