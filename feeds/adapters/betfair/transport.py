"""Connects the Betfair codec to the provider: the stream over TCP with TLS, and the account over HTTPS."""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.betfair.account import Account, AccountUrls, Login
from feeds.adapters.betfair.codec import BetfairCodec
from feeds.adapters.betfair.config import BetfairConfig
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.errors import FeedError
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.byte_streams import TcpTransport
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from feeds.feed import RecordingReader


class BetfairFeed:
    """The plug-in; see `feeds.feed.FeedPlugin` and `feeds.feed.NativeRecordings`."""

    config_type = BetfairConfig

    def sources(self, name: str, config: BetfairConfig) -> tuple[str, ...]:
        """Return the feed's only source."""
        del config
        return (name,)

    @asynccontextmanager
    async def open(self, name: str, config: BetfairConfig) -> AsyncIterator[Feed]:
        """Open an HTTP session beside the TCP transport. Raises FeedError if a secret or certificate can't be read."""
        app_key = read_secret("a Betfair application key", config.app_key_env, config.app_key_file)
        account, tls_context = _account(config), load_ca(config.ca_file)

        def headers() -> Mapping[str, str]:
            session = {"X-Authentication": account.session_token} if account.session_token else {}
            return {"Accept": "application/json", "X-Application": app_key, **session}

        async with http_session(config.timeout_s, tls_context) as session:
            certificate = _client_certificate(config)
            http = HttpClient(session, config.api_url, wall_clock_ms, headers=headers, certificate=certificate)
            transport = TcpTransport(config.host, config.port, tls=config.tls, tls_context=tls_context)
            codec = BetfairCodec(name, app_key, None, config.subscription(), account)
            yield _feed(name, codec)._replace(transport=transport, http=http)

    def offline(self, name: str, config: BetfairConfig) -> Feed:
        """Build the codec alone, with a placeholder for the session token."""
        account = Account(None, "redacted", AccountUrls("", ""), keep_alive_s=config.keep_alive_s, names=config.names)
        return _feed(name, BetfairCodec(name, "redacted", None, config.subscription(), account))

    def recording_reader(self, source: str) -> RecordingReader:
        """Build a reader of Betfair's own recordings: market change messages, one per line."""
        return MarketStream(source)


def _feed(name: str, codec: BetfairCodec) -> Feed:
    return Feed((name,), codec, poller=codec, verifier=codec)


def _account(config: BetfairConfig) -> Account:
    """Build the account with its secrets. Raises MissingSecret if one can't be read."""
    urls = AccountUrls(config.keep_alive_url, config.api_url)
    login: Login | None = None
    token: str | None = None
    if config.cert_file:
        username = read_secret("a Betfair user name", config.username_env, config.username_file, masked=False)
        password = read_secret("a Betfair password", config.password_env, config.password_file)
        login = Login(config.login_url, username, password)
    else:
        what = "a Betfair session token (or cert_file, to log in)"
        token = read_secret(what, config.session_token_env, config.session_token_file)
    return Account(login, token, urls, keep_alive_s=config.keep_alive_s, names=config.names)


def _client_certificate(config: BetfairConfig) -> ssl.SSLContext | None:
    """Load the client certificate; None if none is configured. Raises FeedError if it can't be used."""
    if not config.cert_file:
        return None
    context = load_ca(config.ca_file) or ssl.create_default_context()
    try:
        context.load_cert_chain(config.cert_file, config.key_file or None)
    except (OSError, ssl.SSLError) as error:
        raise FeedError(f"cert_file {config.cert_file} can't be used: {error}") from error
    return context
