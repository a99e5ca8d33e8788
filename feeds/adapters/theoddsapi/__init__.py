"""The Odds API feed; quirks and sources in README.md beside this file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.theoddsapi.codec import TheOddsApiCodec
from feeds.adapters.theoddsapi.config import TheOddsApiConfig
from feeds.emulators.theoddsapi import TheOddsApiEmulator
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.emulators.core.market_model import Truth
    from feeds.feed import Emulator

__all__ = ["FEED", "TheOddsApiCodec", "TheOddsApiConfig"]


class _TheOddsApi:
    config_type = TheOddsApiConfig

    def sources(self, name: str, config: TheOddsApiConfig) -> tuple[str, ...]:
        return tuple(f"{name}.{bookmaker}" for bookmaker in config.bookmakers)

    @asynccontextmanager
    async def open(self, name: str, config: TheOddsApiConfig) -> AsyncIterator[Feed]:
        key = read_secret("an API key of The Odds API", config.api_key_env, config.api_key_file)
        async with http_session(config.timeout_s, load_ca(config.ca_file)) as session:
            http = HttpClient(session, config.url, wall_clock_ms, params={"apiKey": key})
            yield self.offline(name, config)._replace(http=http)

    def offline(self, name: str, config: TheOddsApiConfig) -> Feed:
        codec = TheOddsApiCodec(name, config)
        return Feed(self.sources(name, config), codec, poller=codec, ticker=codec, poll_interval_s=config.max_interval_s)

    def emulator(self, truth: Truth) -> Emulator:
        return TheOddsApiEmulator(truth)

    def emulated_secrets(self) -> dict[str, str]:
        return {"THE_ODDS_API_KEY": "emulated"}


FEED = _TheOddsApi()
