"""Decides whether a feed's sources can be trusted: only if the provider says so, its messages are on time, and they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.supervision.lag import LagMeter
from feeds.supervision.states import FeedState, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.supervision.states import FeedStatus
    from oddsengine.domain.feed_updates import SourceHealth, SourceStatus

#: The measured lag must fall to this share of its limit before the source is trusted again.
_CAUGHT_UP_SHARE: Final = 0.5


class HealthTracker:
    """Decides on the health of one feed's sources, and publishes every change of it.

    Args:
        status: the feed's state; moved by the decisions.
        lag_limit_s: how late messages may be, in seconds; 0 for no limit.
        publish: takes a new health and its reason. Called in order with the updates that carry the prices.
    """

    def __init__(self, status: FeedStatus, lag_limit_s: float, publish: Callable[[SourceHealth, str], None]) -> None:
        self._status = status
        self._lag_limit_s = lag_limit_s
        self._publish = publish
        self.lag = LagMeter()
        #: why the source is lagging, by who says so: `provider` or `measured`
        self._lag_reasons: dict[str, str] = {}
        self._was_frozen = False
        #: whether this connection must send a change before it is trusted, because the last one claimed to be live while frozen
        self.is_unproven = False
        self._is_published_live = False

    def connection_made(self) -> None:
        """Begin a new connection. Only whether the last one was frozen is remembered."""
        self._lag_reasons.clear()
        self.is_unproven = False

    def mark_frozen(self) -> None:
        """Record that the feed was frozen while it claimed to be live."""
        self._was_frozen = True

    def apply_claim(self, claim: SourceStatus) -> None:
        """Apply what the provider claims about its own health, as far as it can be believed."""
        if claim.health == "live" and self._was_frozen:
            # The last connection claimed the same while it was frozen. This one must send a change first.
            self._was_frozen, self.is_unproven = False, True
        elif claim.health == "live" and not self.is_unproven:
            self._lag_reasons.pop("provider", None)
            self._status.apply(Trigger.RECOVERED, claim.reason)
            self._update(claim.reason)
        elif claim.health == "lagging":
            self._lag_reasons["provider"] = claim.reason
            self._status.apply(Trigger.BEHIND, claim.reason)
            self.publish("lagging", claim.reason)

    def measure(self, published_ms: int, received_ms: int) -> None:
        """Measure the lag of a message from its two times, Unix milliseconds, each by its sender's or our own clock."""
        limit_s = self._lag_limit_s
        if not limit_s:
            return
        lag_s = self.lag.observe(published_ms, received_ms) / 1000
        if lag_s > limit_s and "measured" not in self._lag_reasons:
            reason = self._lag_reasons["measured"] = f"{lag_s:.1f} s behind, more than {limit_s:g} s"
            self._status.apply(Trigger.BEHIND, reason)
            self.publish("lagging", reason)
        elif lag_s < limit_s * _CAUGHT_UP_SHARE and self._lag_reasons.pop("measured", None) is not None:
            self._update("caught up")

    def publish(self, health: SourceHealth, reason: str) -> None:
        """Publish the health of the sources."""
        self._is_published_live = health == "live"
        self._publish(health, reason)

    def _update(self, reason: str) -> None:
        """Publish a recovered source as lagging while there is any reason for it, and as live once there is none."""
        if self._lag_reasons:
            lag_reason = next(iter(self._lag_reasons.values()))
            if self._status.apply(Trigger.BEHIND, lag_reason):
                self.publish("lagging", lag_reason)
            return
        self._status.apply(Trigger.CAUGHT_UP, reason)
        if self._status.state is FeedState.LIVE and not self._is_published_live:
            self.publish("live", reason)
