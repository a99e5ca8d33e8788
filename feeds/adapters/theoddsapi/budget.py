"""Spending a month's credits: evenly to its end, faster where a match is near or in play.

Pure. What is left is told by every answer, so whatever is spent too fast or too slowly is made up for by the calls to come.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from feeds.adapters.theoddsapi.config import TheOddsApiConfig

Pressure = Literal["idle", "near", "in_play"]
#: How much of the even share of the credits a sport gets.
SHARE: Final[dict[Pressure, float]] = {"idle": 0.5, "near": 2.0, "in_play": 6.0}


class CreditBudget:
    """One key's credits.

    Args:
        config: the feed's block.
    """

    def __init__(self, config: TheOddsApiConfig) -> None:
        self._config = config
        self.remaining = float(config.monthly_credits)
        self.used = 0.0
        self._told_ms: int | None = None

    def tell(self, remaining: float, used: float, now_ms: int) -> None:
        """Take the provider's word for what is left."""
        self.remaining, self.used, self._told_ms = remaining, used, now_ms

    def can_pay(self, now_ms: int) -> bool:
        """Tell whether a call can be afforded; a new month brings new credits."""
        if self._told_ms is not None and now_ms >= self.resets_ms(self._told_ms):
            self.remaining, self._told_ms = float(self._config.monthly_credits), None
        if self.remaining - self._config.reserve_credits >= self._config.call_credits:
            return True
        # Credits can be bought: now and then one call finds out.
        return self._told_ms is not None and now_ms - self._told_ms >= self._config.max_interval_s * 1000

    def interval_s(self, pressure: Pressure, now_ms: int) -> float:
        """Tell how long to wait between two calls for one sport."""
        config = self._config
        spendable = max(self.remaining - config.reserve_credits, 1e-9)
        left_s = (self.resets_ms(now_ms) - now_ms) / 1000
        even_s = left_s * config.call_credits * len(config.sports) / spendable
        return min(max(even_s / SHARE[pressure], config.min_interval_s), config.max_interval_s)

    def resets_ms(self, now_ms: int) -> int:
        """Tell when the credits are renewed next, Unix milliseconds."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        reset = now.replace(day=self._config.resets_day, hour=0, minute=0, second=0, microsecond=0)
        if reset <= now:
            reset = reset.replace(year=reset.year + reset.month // 12, month=reset.month % 12 + 1)
        return round(reset.timestamp() * 1000)
