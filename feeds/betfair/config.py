"""The config block of a Betfair feed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from feeds.betfair.codec import Subscription
from feeds.errors import FeedError

if TYPE_CHECKING:
    from collections.abc import Mapping


class BetfairConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach Betfair (or anything that speaks its stream protocol) and what to ask it for.

    Secrets come from the environment variables named here, never from the file.
    """

    host: str = "stream-api.betfair.com"
    port: Annotated[int, Meta(ge=1, le=65535)] = 443
    tls: bool = True
    app_key_env: str = "BETFAIR_APP_KEY"
    session_token_env: str = "BETFAIR_SESSION_TOKEN"  # noqa: S105 - the name of a variable, not a secret
    event_types: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    market_types: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    full_ladder: bool = False
    ladder_levels: Annotated[int, Meta(ge=1, le=10)] = 3
    conflate_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    heartbeat_ms: Annotated[int, Meta(ge=500, le=5_000)] = 2_000

    def subscription(self) -> Subscription:
        """Say in Betfair's words what to subscribe to."""
        wanted = {
            "eventTypeIds": self.event_types,
            "countryCodes": self.countries,
            "marketTypes": self.market_types,
            "marketIds": self.markets,
        }
        return Subscription(
            market_filter={name: list(values) for name, values in wanted.items() if values},
            fields=("EX_MARKET_DEF", "EX_ALL_OFFERS" if self.full_ladder else "EX_BEST_OFFERS", "EX_LTP"),
            ladder_levels=self.ladder_levels,
            conflate_ms=self.conflate_ms,
            heartbeat_ms=self.heartbeat_ms,
        )

    def secrets(self, environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
        """Read the application key and the session token.

        Raises:
            FeedError: if a variable is not set.
        """
        values = []
        for variable in (self.app_key_env, self.session_token_env):
            value = environment.get(variable)
            if not value:
                raise FeedError(f"the environment variable {variable} is not set; a Betfair feed needs it")
            values.append(value)
        return values[0], values[1]
