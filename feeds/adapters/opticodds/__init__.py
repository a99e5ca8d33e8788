"""OpticOdds feed; quirks and sources in README.md beside this file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.adapters.opticodds.codec import OpticOddsCodec
from feeds.adapters.opticodds.config import OpticOddsConfig
from feeds.emulators.opticodds import OpticOddsEmulator
from feeds.feed import Feed
from feeds.toolkit.credentials import load_ca, read_secret
from feeds.transports.byte_streams import EventStreamTransport
from feeds.transports.http import HttpClient, http_session
from oddsengine.common.clock import wall_clock_ms

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.emulators.core.market_model import Truth
    from feeds.feed import Emulator

__all__ = ["FEED", "OpticOddsCodec", "OpticOddsConfig"]


class _OpticOdds:
    config_type = OpticOddsConfig

    def sources(self, name: str, config: OpticOddsConfig) -> tuple[str, ...]:
        return tuple(f"{name}.{sportsbook}" for sportsbook in config.sportsbooks)

    @asynccontextmanager
    async def open(self, name: str, config: OpticOddsConfig) -> AsyncIterator[Feed]:
        headers = {"X-Api-Key": read_secret("an OpticOdds API key", config.api_key_env, config.api_key_file)}
        codec = OpticOddsCodec(name, config)
        path = f"{config.url.rstrip('/')}/api/v3/stream/odds/{config.sport}"
        async with http_session(config.timeout_s, load_ca(config.ca_file)) as session:
            http = HttpClient(session, config.url, wall_clock_ms, headers=lambda: headers, requests_per_s=config.requests_per_s)
            transport = EventStreamTransport(session, lambda: (path, codec.stream_query()), lambda: headers)
            yield _feed(self.sources(name, config), codec)._replace(transport=transport, http=http)

    def offline(self, name: str, config: OpticOddsConfig) -> Feed:
        return _feed(self.sources(name, config), OpticOddsCodec(name, config))

    def emulator(self, truth: Truth) -> Emulator:
        return OpticOddsEmulator(truth)

    def emulated_secrets(self) -> dict[str, str]:
        return {"OPTICODDS_API_KEY": "emulated"}


def _feed(sources: tuple[str, ...], codec: OpticOddsCodec) -> Feed:
    return Feed(sources, codec, poller=codec, verifier=codec)


FEED = _OpticOdds()
