"""Connects the Pinnacle codec to the provider: HTTPS with Basic auth."""

from __future__ import annotations

from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.pinnacle.codec import PinnacleCodec
from feeds.adapters.pinnacle.config import PinnacleConfig
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class PinnacleFeed:
    """The plug-in; see `feeds.feed.FeedPlugin`."""

    config_type = PinnacleConfig

    def sources(self, name: str, config: PinnacleConfig) -> tuple[str, ...]:
        """Return the feed's only source."""
        del config
        return (name,)

    @asynccontextmanager
    async def open(self, name: str, config: PinnacleConfig) -> AsyncIterator[Feed]:
        """Open an HTTP session. Raises FeedError if a secret or the CA file can't be read."""
        username = read_secret("a Pinnacle user name", config.username_env, config.username_file, masked=False)
        password = read_secret("a Pinnacle password", config.password_env, config.password_file)
        basic = b64encode(f"{username}:{password}".encode()).decode()
        SECRETS.add(basic)
        headers = {"Authorization": f"Basic {basic}"}
        async with http_session(config.timeout_s, load_ca(config.ca_file)) as session:
            http = HttpClient(session, config.url, wall_clock_ms, headers=lambda: headers)
            yield self.offline(name, config)._replace(http=http)

    def offline(self, name: str, config: PinnacleConfig) -> Feed:
        """Build the codec alone."""
        codec = PinnacleCodec(name, config)
        return Feed((name,), codec, poller=codec, ticker=codec, verifier=codec, poll_interval_s=config.interval_s)
