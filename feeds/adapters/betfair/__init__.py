"""Betfair Exchange Stream feed; quirks and sources in README.md beside this file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.betfair.account import Account, AccountUrls
from feeds.adapters.betfair.codec import BetfairCodec
from feeds.adapters.betfair.config import BetfairConfig
from feeds.adapters.betfair.market_stream import MarketStream
from feeds.emulators.betfair.emulator import BetfairEmulator
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca
from feeds.transports.byte_streams import TcpTransport
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from feeds.emulators.core.market_model import Truth
    from feeds.feed import Emulator, RecordingReader

__all__ = ["FEED", "BetfairCodec", "BetfairConfig", "MarketStream"]


class _Betfair:
    config_type = BetfairConfig

    def sources(self, name: str, config: BetfairConfig) -> tuple[str, ...]:
        del config
        return (name,)

    @asynccontextmanager
    async def open(self, name: str, config: BetfairConfig) -> AsyncIterator[Feed]:
        app_key, account, tls_context = config.app_key(), config.account(), load_ca(config.ca_file)

        def headers() -> Mapping[str, str]:
            session = {"X-Authentication": account.session_token} if account.session_token else {}
            return {"Accept": "application/json", "X-Application": app_key, **session}

        async with http_session(config.timeout_s, tls_context) as session:
            certificate = config.certificate()
            http = HttpClient(session, config.api_url, wall_clock_ms, headers=headers, certificate=certificate)
            transport = TcpTransport(config.host, config.port, tls=config.tls, tls_context=tls_context)
            codec = BetfairCodec(name, app_key, None, config.subscription(), account)
            yield _feed(name, codec)._replace(transport=transport, http=http)

    def offline(self, name: str, config: BetfairConfig) -> Feed:
        account = Account(None, "redacted", AccountUrls("", ""), keep_alive_s=config.keep_alive_s, names=config.names)
        return _feed(name, BetfairCodec(name, "redacted", None, config.subscription(), account))

    def recording_reader(self, source: str) -> RecordingReader:
        return MarketStream(source)

    def emulator(self, truth: Truth) -> Emulator:
        return BetfairEmulator(truth)

    def emulated_secrets(self) -> dict[str, str]:
        return {"BETFAIR_APP_KEY": "emulated", "BETFAIR_SESSION_TOKEN": "emulated-session"}


def _feed(name: str, codec: BetfairCodec) -> Feed:
    return Feed((name,), codec, poller=codec, verifier=codec)


FEED = _Betfair()
