"""Connects the Odds-API.io codec to the provider: WebSocket and REST, with the key in the query."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from feeds.adapters.oddsapiio.codec import OddsApiIoCodec
from feeds.adapters.oddsapiio.config import OddsApiIoConfig
from feeds.adapters.oddsapiio.markets import streamed_markets
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.byte_streams import WebSocketTransport
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class OddsApiIoFeed:
    """The plug-in; see `feeds.feed.FeedPlugin`."""

    config_type = OddsApiIoConfig

    def sources(self, name: str, config: OddsApiIoConfig) -> tuple[str, ...]:
        """Return one source per bookmaker."""
        return tuple(f"{name}.{bookmaker.lower()}" for bookmaker in config.bookmakers)

    @asynccontextmanager
    async def open(self, name: str, config: OddsApiIoConfig) -> AsyncIterator[Feed]:
        """Open an HTTP session beside the WebSocket transport. Raises FeedError if the key or the CA file can't be read."""
        key = read_secret("an Odds-API.io key", config.api_key_env, config.api_key_file)
        tls_context = load_ca(config.ca_file)
        query = urlencode({"apiKey": key, "sport": config.sport, "markets": ",".join(streamed_markets(config.sport))})
        transport = WebSocketTransport(lambda: f"{config.stream_url}?{query}", tls_context=tls_context, ping_s=config.ping_s)
        async with http_session(config.timeout_s, tls_context) as session:
            http = HttpClient(session, config.url, wall_clock_ms, params={"apiKey": key}, requests_per_s=config.requests_per_s)
            yield self.offline(name, config)._replace(transport=transport, http=http)

    def offline(self, name: str, config: OddsApiIoConfig) -> Feed:
        """Build the codec alone."""
        codec = OddsApiIoCodec(name, config)
        return Feed(self.sources(name, config), codec, poller=codec, verifier=codec)
