"""What a feed's word is worth: its source is said to be live only if the provider says so, it is in time, and it moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from feeds.supervision.lag import LagMeter
from feeds.supervision.states import FeedState, Trigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.supervision.states import FeedStatus
    from oddsengine.domain.feed_updates import SourceHealth, SourceStatus

#: A lag has to fall to this share of its limit before the source is trusted again.
_CAUGHT_UP: Final = 0.5


class HealthTracker:
    """Decides what is said of one feed's sources.

    Args:
        status: where the feed stands; moved by what is decided.
        lag_limit_s: how late messages may come, in seconds; 0: however late.
        say: takes what is said, in the stream of updates in which the prices come.
    """

    def __init__(self, status: FeedStatus, lag_limit_s: float, say: Callable[[SourceHealth, str], None]) -> None:
        self._status = status
        self._lag_limit_s = lag_limit_s
        self._say = say
        self.lag = LagMeter()
        #: what makes the source late: `provider` (it says so) or `measured`
        self._behind: dict[str, str] = {}
        self._was_frozen = False
        #: whether this connection has to move to be believed, because the last one stood still though it claimed to be live
        self.is_unproven = False
        self._is_said_live = False

    def connection_made(self) -> None:
        """Judge a new connection by itself, but for whether the last one stood still."""
        self._behind.clear()
        self.is_unproven = False

    def stood_still(self) -> None:
        """Note that the feed claimed to be live and was frozen."""
        self._was_frozen = True

    def follow(self, claim: SourceStatus) -> None:
        """Go along with what the provider says of itself, as far as it can be believed."""
        if claim.health == "live" and self._was_frozen:
            # It said so before and stood still; now it has to move first.
            self._was_frozen, self.is_unproven = False, True
        elif claim.health == "live" and not self.is_unproven:
            self._behind.pop("provider", None)
            self._status.move(Trigger.RECOVERED, claim.reason)
            self._settle(claim.reason)
        elif claim.health == "lagging":
            self._behind["provider"] = claim.reason
            self._status.move(Trigger.BEHIND, claim.reason)
            self.say("lagging", claim.reason)

    def measure(self, published_ms: int, received_ms: int) -> None:
        """Take a message's two times, Unix milliseconds, each by its own clock."""
        limit_s = self._lag_limit_s
        if not limit_s:
            return
        lag_s = self.lag.observe(published_ms, received_ms) / 1000
        if lag_s > limit_s and "measured" not in self._behind:
            reason = self._behind["measured"] = f"{lag_s:.1f} s behind, more than {limit_s:g} s"
            self._status.move(Trigger.BEHIND, reason)
            self.say("lagging", reason)
        elif lag_s < limit_s * _CAUGHT_UP and self._behind.pop("measured", None) is not None:
            self._settle("caught up")

    def say(self, health: SourceHealth, reason: str) -> None:
        """Say what the sources are worth from here on."""
        self._is_said_live = health == "live"
        self._say(health, reason)

    def _settle(self, reason: str) -> None:
        """Call a source that is whole late as long as anything makes it late, and live as soon as nothing does."""
        if self._behind:
            behind = next(iter(self._behind.values()))
            if self._status.move(Trigger.BEHIND, behind):
                self.say("lagging", behind)
            return
        self._status.move(Trigger.CAUGHT_UP, reason)
        if self._status.state is FeedState.LIVE and not self._is_said_live:
            self.say("live", reason)
