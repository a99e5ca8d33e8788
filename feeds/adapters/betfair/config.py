"""The config block of a Betfair feed."""

from __future__ import annotations

import ssl
from typing import Annotated

import msgspec
from msgspec import Meta

from feeds.adapters.betfair.account import Account, AccountUrls, Login
from feeds.adapters.betfair.codec import Subscription
from feeds.errors import FeedError
from feeds.toolkit.credentials import load_ca, read_secret


class BetfairConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach Betfair (or anything that speaks its stream protocol) and what to ask it for.

    Secrets come from the environment variables or files named here, never from the config itself. With `cert_file` (and
    `key_file`, where the key is not in it) the feed logs in by certificate with user name and password and keeps the session
    alive; without one it takes a session token. `names` asks the market catalogue what events, competitions and runners are
    called, which the stream does not tell.
    """

    host: str = "stream-api.betfair.com"
    port: Annotated[int, Meta(ge=1, le=65535)] = 443
    tls: bool = True
    app_key_env: str = "BETFAIR_APP_KEY"
    app_key_file: str = ""
    session_token_env: str = "BETFAIR_SESSION_TOKEN"  # noqa: S105 - the name of a variable, not a secret
    session_token_file: str = ""
    username_env: str = "BETFAIR_USERNAME"
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

    def app_key(self) -> str:
        """Read the application key. Raises MissingSecret if it is not there."""
        return read_secret("a Betfair application key", self.app_key_env, self.app_key_file)

    def account(self) -> Account:
        """Build the account, with its secrets. Raises MissingSecret if one is not there."""
        urls = AccountUrls(self.keep_alive_url, self.api_url)
        login: Login | None = None
        token: str | None = None
        if self.cert_file:
            username = read_secret("a Betfair user name", self.username_env)
            login = Login(self.login_url, username, read_secret("a Betfair password", self.password_env, self.password_file))
        else:
            what = "a Betfair session token (or cert_file, to log in)"
            token = read_secret(what, self.session_token_env, self.session_token_file)
        return Account(login, token, urls, keep_alive_s=self.keep_alive_s, names=self.names)

    def certificate(self) -> ssl.SSLContext | None:
        """Load the client certificate; None if none is given.

        Raises:
            FeedError: if it can't be used.
        """
        if not self.cert_file:
            return None
        context = load_ca(self.ca_file) or ssl.create_default_context()
        try:
            context.load_cert_chain(self.cert_file, self.key_file or None)
        except (OSError, ssl.SSLError) as error:
            raise FeedError(f"cert_file {self.cert_file} can't be used: {error}") from error
        return context
