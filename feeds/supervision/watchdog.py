"""Tells a quiet market from a frozen feed.

Three signs, each weaker than the next is dear: something is heard at all (heartbeats, pings, answers); something moves, where
something should be moving because a market is in play; and a sample, fetched anew, says what we hold. A feed that is heard but
does not move is asked for a sample after half its limit. One that confirms what we hold makes it quiet. One that says something
else proves the stream frozen, unless the stream says it too in a moment: a sample can be quicker. No answer makes the feed
stale when the limit is reached.

Pure: time is an argument, in seconds of a monotonic clock.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Literal

from oddsengine.domain.feed_updates import MarketGone, MarketUpdate

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch

Verdict = Literal["fine", "sample", "silent", "frozen", "contradicted"]
#: The share of the limit after which a sample is asked for.
_ASK_AT: Final = 0.5
#: The share of the limit that a stream has to say what a sample has said.
_FOLLOWS_WITHIN: Final = 0.2


class Watchdog:
    """Watches one connection.

    Args:
        quiet_in_play_s: how long nothing may move while a market is in play; 0: for ever.
        quiet_s: the same while none is.
        can_sample: whether the feed can be asked for a sample.
        now_s: when the watch begins.
    """

    def __init__(self, quiet_in_play_s: float, quiet_s: float, *, can_sample: bool, now_s: float) -> None:
        self._quiet_in_play_s = quiet_in_play_s or inf
        self._quiet_s = quiet_s or inf
        self._can_sample = can_sample
        self._in_play: set[tuple[str, str]] = set()
        self.heard_s = now_s
        self.moved_s = now_s
        self._asked_s: float | None = None
        self._contradicted_s: float | None = None

    @property
    def quiet_limit_s(self) -> float:
        """How long nothing may move now, in seconds; infinite where that is no sign."""
        return self._quiet_in_play_s if self._in_play else self._quiet_s

    def heard(self, now_s: float) -> None:
        """Note that the provider said anything at all."""
        self.heard_s = now_s

    def take(self, batch: UpdateBatch, now_s: float) -> bool:
        """Note what a batch shows: which markets are in play, and whether anything moved, which is also told."""
        moved = False
        for update in batch.updates:
            if type(update) is MarketUpdate:
                self.moved_s = now_s
                self._asked_s = self._contradicted_s = None
                moved = True
                definition = update.definition
                if definition is not None:
                    key = (batch.source, update.market)
                    if definition.in_play and definition.status == "open":
                        self._in_play.add(key)
                    else:
                        self._in_play.discard(key)
            elif type(update) is MarketGone:
                self._in_play.discard((batch.source, update.market))
        return moved

    def asked(self, now_s: float) -> None:
        """Note that a sample is on its way."""
        self._asked_s = now_s

    def sampled(self, now_s: float, *, agrees: bool, is_last: bool) -> None:
        """Note what a sample, or a part of one, shows: whether it says what we hold."""
        if not agrees and self._asked_s is not None and self._contradicted_s is None:
            self._contradicted_s = now_s
        if is_last and self._contradicted_s is None:
            self.moved_s = now_s
            self._asked_s = None

    def verdict(self, now_s: float, silence_limit_s: float) -> Verdict:
        """Judge the feed.

        Args:
            now_s: the time.
            silence_limit_s: how long it may say nothing at all.
        """
        if now_s - self.heard_s > silence_limit_s:
            return "silent"
        still_s, limit_s = now_s - self.moved_s, self.quiet_limit_s
        if self._contradicted_s is not None and now_s - self._contradicted_s > limit_s * _FOLLOWS_WITHIN:
            return "contradicted"
        if still_s > limit_s:
            return "frozen"
        if self._can_sample and self._asked_s is None and still_s > limit_s * _ASK_AT:
            return "sample"
        return "fine"
