"""Connects the OpticOdds codec to the provider: server-sent events and REST, with the key in a header."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.opticodds.codec import OpticOddsCodec
from feeds.adapters.opticodds.config import OpticOddsConfig
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.byte_streams import EventStreamTransport
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class OpticOddsFeed:
    """The plug-in; see `feeds.feed.FeedPlugin`."""

    config_type = OpticOddsConfig

    def sources(self, name: str, config: OpticOddsConfig) -> tuple[str, ...]:
        """Return one source per sportsbook."""
        return tuple(f"{name}.{sportsbook}" for sportsbook in config.sportsbooks)

    @asynccontextmanager
    async def open(self, name: str, config: OpticOddsConfig) -> AsyncIterator[Feed]:
        """Open an HTTP session for stream and snapshots. Raises FeedError if the key or the CA file can't be read."""
        headers = {"X-Api-Key": read_secret("an OpticOdds API key", config.api_key_env, config.api_key_file)}
        codec = OpticOddsCodec(name, config)
        path = f"{config.url.rstrip('/')}/api/v3/stream/odds/{config.sport}"
        async with http_session(config.timeout_s, load_ca(config.ca_file)) as session:
            http = HttpClient(session, config.url, wall_clock_ms, headers=lambda: headers, requests_per_s=config.requests_per_s)
            transport = EventStreamTransport(session, lambda: (path, codec.stream_query()), lambda: headers)
            yield self._feed(name, config, codec)._replace(transport=transport, http=http)

    def offline(self, name: str, config: OpticOddsConfig) -> Feed:
        """Build the codec alone."""
        return self._feed(name, config, OpticOddsCodec(name, config))

    def _feed(self, name: str, config: OpticOddsConfig, codec: OpticOddsCodec) -> Feed:
        return Feed(self.sources(name, config), codec, poller=codec, verifier=codec)
