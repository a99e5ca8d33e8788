"""Connects the codec of The Odds API to the provider: HTTPS, with the key in the query."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.theoddsapi.codec import TheOddsApiCodec
from feeds.adapters.theoddsapi.config import TheOddsApiConfig
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TheOddsApiFeed:
    """The plug-in; see `feeds.feed.FeedPlugin`."""

    config_type = TheOddsApiConfig

    def sources(self, name: str, config: TheOddsApiConfig) -> tuple[str, ...]:
        """Return one source per bookmaker."""
        return tuple(f"{name}.{bookmaker}" for bookmaker in config.bookmakers)

    @asynccontextmanager
    async def open(self, name: str, config: TheOddsApiConfig) -> AsyncIterator[Feed]:
        """Open an HTTP session. Raises FeedError if the key or the CA file can't be read."""
        key = read_secret("an API key of The Odds API", config.api_key_env, config.api_key_file)
        async with http_session(config.timeout_s, load_ca(config.ca_file)) as session:
            http = HttpClient(session, config.url, wall_clock_ms, params={"apiKey": key})
            yield self.offline(name, config)._replace(http=http)

    def offline(self, name: str, config: TheOddsApiConfig) -> Feed:
        """Build the codec alone."""
        codec = TheOddsApiCodec(name, config)
        return Feed(self.sources(name, config), codec, poller=codec, ticker=codec, poll_interval_s=config.max_interval_s)
