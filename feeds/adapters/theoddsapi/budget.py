"""Spends a month's credits: evenly until they are renewed, faster where a match is near or in play. Pure.

Every answer reports what is left, so calls that were too frequent or too rare are made up for by later ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from feeds.adapters.theoddsapi.config import TheOddsApiConfig

Pressure = Literal["idle", "near", "in_play"]
#: A sport's call rate relative to an even spending of the credits.
RATES: Final[dict[Pressure, float]] = {"idle": 0.5, "near": 2.0, "in_play": 6.0}


class CreditBudget:
    """The credits of one key.

    Args:
        config: the feed's config block.
    """

    def __init__(self, config: TheOddsApiConfig) -> None:
        self._config = config
        self.remaining = float(config.monthly_credits)
        self.used = 0.0
        self._updated_ms: int | None = None

    def update(self, remaining: float, used: float, now_ms: int) -> None:
        """Replace the credits by those the provider reports."""
        self.remaining, self.used, self._updated_ms = remaining, used, now_ms

    def spend(self, now_ms: int) -> None:
        """Count a call whose answer did not name the remaining credits."""
        self._updated_ms = now_ms if self._updated_ms is None else self._updated_ms
        self.remaining = max(0.0, self.remaining - self._config.call_credits)
        self.used += self._config.call_credits

    def can_pay(self, now_ms: int) -> bool:
        """Check whether a call can be afforded; credits are renewed every month."""
        if self._updated_ms is not None and now_ms >= self.resets_ms(self._updated_ms):
            self.remaining, self._updated_ms = float(self._config.monthly_credits), None
        if self.remaining - self._config.reserve_credits >= self._config.call_credits:
            return True
        # Credits may have been bought, which only a call can find out.
        return self._updated_ms is not None and now_ms - self._updated_ms >= self._config.max_interval_s * 1000

    def interval_s(self, pressure: Pressure, now_ms: int) -> float:
        """Return the seconds between two calls for one sport."""
        config = self._config
        spendable = max(self.remaining - config.reserve_credits, 1e-9)
        left_s = (self.resets_ms(now_ms) - now_ms) / 1000
        even_s = left_s * config.call_credits * len(config.sports) / spendable
        return min(max(even_s / RATES[pressure], config.min_interval_s), config.max_interval_s)

    def resets_ms(self, now_ms: int) -> int:
        """Return when the credits are next renewed, Unix milliseconds."""
        now = datetime.fromtimestamp(now_ms / 1000, UTC)
        reset = now.replace(day=self._config.resets_day, hour=0, minute=0, second=0, microsecond=0)
        if reset <= now:
            reset = reset.replace(year=reset.year + reset.month // 12, month=reset.month % 12 + 1)
        return round(reset.timestamp() * 1000)
