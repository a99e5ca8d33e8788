"""The config block of a feed of The Odds API."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta


class TheOddsApiConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The sports to poll, and the spending of the month's credits.

    Each of `bookmakers` is a source of its own, `<feed>.<bookmaker>`. A call for one sport costs `markets` x regions credits; ten
    bookmakers count as one region. The remaining credits are spread evenly until they are renewed (`resets_day` of each month,
    UTC), with more for sports that have an event near or in play; a sport is polled at intervals between `min_interval_s` and
    `max_interval_s`. Prices not fetched for `max_age_s` are withdrawn; those that the provider has not updated for
    `max_update_age_s` are suspended.
    """

    url: str = "https://api.the-odds-api.com"
    api_key_env: str = "THE_ODDS_API_KEY"
    api_key_file: str = ""
    ca_file: str = ""
    sports: Annotated[tuple[str, ...], Meta(min_length=1)] = ("soccer_epl",)
    bookmakers: Annotated[tuple[str, ...], Meta(min_length=1)] = ("pinnacle",)
    markets: Annotated[tuple[Literal["h2h", "spreads", "totals"], ...], Meta(min_length=1)] = ("h2h", "totals")
    monthly_credits: Annotated[int, Meta(ge=1)] = 20_000
    reserve_credits: Annotated[int, Meta(ge=0)] = 100
    resets_day: Annotated[int, Meta(ge=1, le=28)] = 1
    min_interval_s: Annotated[float, Meta(gt=0)] = 20.0
    max_interval_s: Annotated[float, Meta(gt=0)] = 600.0
    near_min: Annotated[float, Meta(ge=0)] = 120.0
    max_age_s: Annotated[float, Meta(gt=0)] = 120.0
    max_update_age_s: Annotated[float, Meta(gt=0)] = 300.0
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0

    @property
    def call_credits(self) -> int:
        """The cost of one call."""
        return len(self.markets) * -(-len(self.bookmakers) // 10)
