"""Counts the markets that guards suspend, and notices when there are many within a short time. Pure."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from oddsengine.webhooks.events import NAMED_MARKETS, OutboxEvent, build_event, id_of

if TYPE_CHECKING:
    from oddsengine.domain.changes import MarketState

#: The reasons of suspensions by guards (docs/protocol.md).
GUARD_REASONS: Final = frozenset({"arbitrage", "book_sum", "contradiction", "incoherent", "over_lay", "source_old", "spike"})


class GuardCounts:
    """The suspensions of the last while, for one threshold.

    Args:
        suspensions: how many are an event.
        window_s: within how many seconds.
        threshold: the threshold's name, which the event carries.
    """

    def __init__(self, suspensions: int, window_s: float, threshold: str) -> None:
        self._suspensions = suspensions
        self._window_ms = round(window_s * 1000)
        self._threshold = threshold
        #: when, why and which; as many as are an event
        self._recent: deque[tuple[int, str, str]] = deque(maxlen=suspensions)
        self._quiet_until_ms = 0

    def add(self, market: str, reason: str, at_ms: int) -> OutboxEvent | None:
        """Count a suspension. Return an event if there were that many; then none before the window has passed."""
        self._recent.append((at_ms, reason, market))
        began_ms = self._recent[0][0]
        if len(self._recent) < self._suspensions or at_ms - began_ms > self._window_ms or at_ms < self._quiet_until_ms:
            return None
        self._quiet_until_ms = at_ms + self._window_ms
        data = {
            "suspended": len(self._recent),
            "within_s": self._window_ms / 1000,
            "began": began_ms,
            "reasons": dict(Counter(why for _, why, _ in self._recent).most_common()),
            "markets": list(dict.fromkeys(which for _, _, which in reversed(self._recent)))[:NAMED_MARKETS],
        }
        name = "guards.tripped"
        return build_event(id_of(name, self._threshold, str(at_ms), market), "guards", name, at_ms, data, self._threshold)


class GuardedMarkets:
    """Which markets guards have suspended, so that each suspension counts once."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {}

    def note(self, market: str, state: MarketState | None) -> str | None:
        """Note the state of a market, None if it has left the offer. Return the reason if a guard has just suspended it."""
        if state is None or state.status != "suspended" or state.reason not in GUARD_REASONS:
            self._reasons.pop(market, None)
            return None
        is_new = market not in self._reasons
        self._reasons[market] = state.reason
        return state.reason if is_new else None
