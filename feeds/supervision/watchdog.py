"""Distinguishes a quiet market from a frozen feed.

Three checks, cheapest first:

1. Does the feed send anything at all (heartbeats, pings, responses)? If not for `silence_limit_s`, it is silent.
2. Does it send changes, where a market in play makes them likely? If not for half of the quiet limit, a verification snapshot is
   requested.
3. Does the snapshot match what we hold? If so, the market is quiet. If not, the stream is frozen, unless it sends the same
   changes within a moment: a snapshot can be faster than the stream. If no snapshot arrives, the feed is frozen once the limit is
   reached.

Pure: time is an argument, in monotonic seconds.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Literal

from oddsengine.domain.feed_updates import MarketGone, MarketUpdate

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch

Verdict = Literal["ok", "verify", "silent", "frozen", "contradicted"]
#: The share of the quiet limit after which a snapshot is requested.
_VERIFY_AT: Final = 0.5
#: The share of the quiet limit within which the stream must send the changes that a snapshot has shown.
_FOLLOW_WITHIN: Final = 0.2


class Watchdog:
    """Watches one connection.

    Args:
        quiet_in_play_s: how long the feed may send no change while a market is in play; 0 for no limit.
        quiet_s: the same while no market is in play.
        can_verify: whether the feed can fetch verification snapshots.
        now_s: the time at which the connection was opened.
    """

    def __init__(self, quiet_in_play_s: float, quiet_s: float, *, can_verify: bool, now_s: float) -> None:
        self._quiet_in_play_s = quiet_in_play_s or inf
        self._quiet_s = quiet_s or inf
        self._can_verify = can_verify
        self._in_play: set[tuple[str, str]] = set()
        self._received_s = now_s
        self._changed_s = now_s
        self._requested_s: float | None = None
        self._contradicted_s: float | None = None

    @property
    def quiet_limit_s(self) -> float:
        """The time for which the feed may send no change at present, in seconds; infinite if there is no limit."""
        return self._quiet_in_play_s if self._in_play else self._quiet_s

    def data_received(self, now_s: float) -> None:
        """Record that the provider sent anything at all."""
        self._received_s = now_s

    def observe(self, batch: UpdateBatch, now_s: float) -> bool:
        """Record which markets are in play after a batch. Return whether it changed a market."""
        changed = False
        for update in batch.updates:
            if type(update) is MarketUpdate:
                self._changed_s = now_s
                self._requested_s = self._contradicted_s = None
                changed = True
                definition = update.definition
                if definition is not None:
                    key = (batch.source, update.market)
                    if definition.in_play and definition.status == "open":
                        self._in_play.add(key)
                    else:
                        self._in_play.discard(key)
            elif type(update) is MarketGone:
                self._in_play.discard((batch.source, update.market))
        return changed

    def snapshot_requested(self, now_s: float) -> None:
        """Record that a verification snapshot was requested."""
        self._requested_s = now_s

    def snapshot_received(self, now_s: float, *, agrees: bool, is_last: bool) -> None:
        """Record whether a part of a verification snapshot matches what we hold."""
        if not agrees and self._requested_s is not None and self._contradicted_s is None:
            self._contradicted_s = now_s
        if is_last and self._contradicted_s is None:
            self._changed_s = now_s
            self._requested_s = None

    def verdict(self, now_s: float, silence_limit_s: float) -> Verdict:
        """Return the state of the feed, or `verify` if a snapshot must be requested.

        Args:
            now_s: the time.
            silence_limit_s: how long the feed may send nothing at all.
        """
        if now_s - self._received_s > silence_limit_s:
            return "silent"
        quiet_for_s, limit_s = now_s - self._changed_s, self.quiet_limit_s
        if self._contradicted_s is not None and now_s - self._contradicted_s > limit_s * _FOLLOW_WITHIN:
            return "contradicted"
        if quiet_for_s > limit_s:
            return "frozen"
        if self._can_verify and self._requested_s is None and quiet_for_s > limit_s * _VERIFY_AT:
            return "verify"
        return "ok"
