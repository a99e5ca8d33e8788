"""Odds-API.io feed; quirks and sources in README.md beside this file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from feeds.adapters.oddsapiio.codec import OddsApiIoCodec
from feeds.adapters.oddsapiio.config import OddsApiIoConfig
from feeds.emulators.oddsapiio import OddsApiIoEmulator
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.byte_streams import WebSocketTransport
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.emulators.core.market_model import Truth
    from feeds.feed import Emulator

__all__ = ["FEED", "OddsApiIoCodec", "OddsApiIoConfig"]


class _OddsApiIo:
    config_type = OddsApiIoConfig

    def sources(self, name: str, config: OddsApiIoConfig) -> tuple[str, ...]:
        return tuple(f"{name}.{bookmaker.lower()}" for bookmaker in config.bookmakers)

    @asynccontextmanager
    async def open(self, name: str, config: OddsApiIoConfig) -> AsyncIterator[Feed]:
        key = read_secret("an Odds-API.io key", config.api_key_env, config.api_key_file)
        tls_context = load_ca(config.ca_file)
        query = urlencode({"apiKey": key, "sport": config.sport, "markets": "ML,Spread,Totals,Both Teams To Score"})
        transport = WebSocketTransport(lambda: f"{config.stream_url}?{query}", tls_context=tls_context, ping_s=config.ping_s)
        async with http_session(config.timeout_s, tls_context) as session:
            http = HttpClient(session, config.url, wall_clock_ms, params={"apiKey": key}, requests_per_s=config.requests_per_s)
            yield self.offline(name, config)._replace(transport=transport, http=http)

    def offline(self, name: str, config: OddsApiIoConfig) -> Feed:
        codec = OddsApiIoCodec(name, config)
        return Feed(self.sources(name, config), codec, poller=codec, verifier=codec)

    def emulator(self, truth: Truth) -> Emulator:
        return OddsApiIoEmulator(truth)

    def emulated_secrets(self) -> dict[str, str]:
        return {"ODDS_API_IO_KEY": "emulated"}


FEED = _OddsApiIo()
