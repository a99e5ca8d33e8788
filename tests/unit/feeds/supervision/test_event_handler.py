"""Every event of a codec is handled, in order, before an error ends the connection."""

from __future__ import annotations

from math import nan
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.errors import ContinuityLost, FeedError, ProviderRefused
from feeds.feed import Dropped, Quota, Rejected, VerificationSnapshot
from feeds.supervision.counters import FeedCounters
from feeds.supervision.event_handler import EventHandler
from feeds.supervision.health_tracker import HealthTracker
from feeds.supervision.states import FeedState, FeedStatus, Trigger
from feeds.supervision.watchdog import Watchdog
from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from tests.support.builders import a_batch, a_definition, live

if TYPE_CHECKING:
    from feeds.feed import CodecEvent

REFUSED = ProviderRefused("KEY", "no", fatal=True)
EVENTS = st.lists(
    st.sampled_from(
        [
            a_batch(MarketUpdate("1.1")),
            a_batch(MarketGone("1.1")),
            a_batch(SourceStatus("live", "test"), MarketUpdate("1.2")),
            Rejected("message", "unreadable", "x"),
            Dropped("clock"),
            Quota(1.0, 2.0),
            REFUSED,
        ]
    ),
    max_size=20,
)


class Handled:
    """An event handler on a connected feed, and what its sink received."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.received: list[UpdateBatch] = []
        self.healths: list[str] = []
        self.counters = FeedCounters()
        self.status = FeedStatus("src", lambda: 0)
        self.status.apply(Trigger.CONNECT, "test")
        self.status.apply(Trigger.OPENED, "test")
        self.health = HealthTracker(self.status, 0.0, lambda health, _: self.healths.append(health))
        self.watchdog = Watchdog(10.0, 10.0, can_verify=True, now_s=0.0)
        self._agrees = agrees
        self._handler = EventHandler("src", self, self.health, self.counters, lambda: 0, lambda: 0.0)

    def receive(self, batch: UpdateBatch) -> None:
        self.received.append(batch)

    def agrees(self, batch: UpdateBatch) -> bool:
        del batch
        return self._agrees

    def handle(self, *events: CodecEvent) -> FeedError | None:
        """Handle events; return the error that ends the connection."""
        try:
            self._handler.handle([*events], self.watchdog)
        except FeedError as error:
            return error
        return None

    @property
    def quota(self) -> Quota | None:
        return self._handler.quota


@given(EVENTS)
def test_every_event_is_handled_before_an_error_is_raised(events: list[CodecEvent]) -> None:
    handled = Handled()
    error = handled.handle(*events)
    batches = [event for event in events if isinstance(event, UpdateBatch)]
    assert (REFUSED if REFUSED in events else None) is error
    assert len(batches) == len(handled.received) == handled.counters.messages
    assert sum(isinstance(event, Rejected) for event in events) == handled.counters.rejected
    assert sum(isinstance(event, Dropped) for event in events) == handled.counters.dropped
    assert any(isinstance(event, Quota) for event in events) == (handled.quota is not None)


def test_a_claim_about_health_is_decided_on_and_not_passed_on() -> None:
    handled = Handled()
    handled.handle(live(), a_batch(SourceStatus("live", "test"), MarketGone("1.1")))
    assert [[MarketGone("1.1")]] == [batch.updates for batch in handled.received]
    assert (FeedState.LIVE, ["live"]) == (handled.status.state, handled.healths)


def test_a_market_that_cannot_be_priced_is_counted_and_withdrawn() -> None:
    handled, bad = Handled(), MarketUpdate("1.1", books=[BookChange("5", quote=nan)])
    handled.handle(a_batch(bad, MarketUpdate("1.2")), VerificationSnapshot([a_batch(bad)]))
    assert [[MarketGone("1.1"), MarketUpdate("1.2")], [MarketGone("1.1")]] == [batch.updates for batch in handled.received]
    assert handled.counters.rejected == 2


def test_a_change_after_a_frozen_connection_leads_to_a_full_snapshot() -> None:
    handled = Handled()
    handled.health.mark_frozen()
    assert handled.handle(live()) is None
    error = handled.handle(a_batch(MarketUpdate("1.1")))
    assert isinstance(error, ContinuityLost)
    assert error.reset
    assert [] == handled.healths


@pytest.mark.parametrize(("agrees", "verdict"), [(True, "ok"), (False, "contradicted")])
def test_a_verification_snapshot_is_compared_and_then_applied(*, agrees: bool, verdict: str) -> None:
    handled = Handled(agrees=agrees)
    handled.handle(a_batch(MarketUpdate("1.1", definition=a_definition(in_play=True))))
    handled.watchdog.snapshot_requested(0.0)
    part = a_batch(MarketUpdate("1.1", image=True))
    handled.handle(VerificationSnapshot([part], is_last=False), VerificationSnapshot([part]))
    assert [part, part] == handled.received[1:]
    assert verdict == handled.watchdog.verdict(3.0, 100.0)
