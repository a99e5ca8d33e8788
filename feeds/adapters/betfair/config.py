"""The config block of a Betfair feed."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from feeds.adapters.betfair.messages import Subscription


class BetfairConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The connection to Betfair (or anything that speaks its stream protocol), and what to subscribe to.

    Secrets are read from the environment variables or files named here, never from the config itself. With `cert_file` (and
    `key_file`, if it does not hold the key) the feed logs in by certificate with user name and password, and keeps the session
    alive; without it, a session token is required. With `names` the feed requests the names of events, competitions and runners
    from the market catalogue, because the stream lacks them.
    """

    host: str = "stream-api.betfair.com"
    port: Annotated[int, Meta(ge=1, le=65535)] = 443
    tls: bool = True
    app_key_env: str = "BETFAIR_APP_KEY"
    app_key_file: str = ""
    session_token_env: str = "BETFAIR_SESSION_TOKEN"  # noqa: S105 - the name of a variable, not a secret
    session_token_file: str = ""
    username_env: str = "BETFAIR_USERNAME"
    username_file: str = ""
    password_env: str = "BETFAIR_PASSWORD"  # noqa: S105 - the name of a variable, not a secret
    password_file: str = ""
    cert_file: str = ""
    key_file: str = ""
    ca_file: str = ""
    login_url: str = "https://identitysso-cert.betfair.com/api/certlogin"
    keep_alive_url: str = "https://identitysso.betfair.com/api/keepAlive"
    keep_alive_s: Annotated[float, Meta(gt=0)] = 7_200.0
    api_url: str = "https://api.betfair.com/exchange/betting/rest/v1.0"
    names: bool = True
    timeout_s: Annotated[float, Meta(gt=0)] = 10.0
    event_types: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    market_types: tuple[str, ...] = ()
    markets: tuple[str, ...] = ()
    full_ladder: bool = False
    ladder_levels: Annotated[int, Meta(ge=1, le=10)] = 3
    conflate_ms: Annotated[int, Meta(ge=0, le=120_000)] = 0
    heartbeat_ms: Annotated[int, Meta(ge=500, le=5_000)] = 2_000

    def subscription(self) -> Subscription:
        """Return the subscription in Betfair's words."""
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
