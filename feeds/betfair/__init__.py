"""Betfair Exchange Stream feed; quirks and sources in README.md beside this file."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from feeds.betfair.codec import BetfairCodec
from feeds.betfair.config import BetfairConfig
from feeds.betfair.market_stream import MarketStream
from feeds.feed import Feed
from feeds.transport import TcpTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.feed import RecordingReader

__all__ = ["FEED", "BetfairCodec", "BetfairConfig", "MarketStream"]


class _Betfair:
    config_type = BetfairConfig

    @asynccontextmanager
    async def open(self, source: str, config: BetfairConfig) -> AsyncIterator[Feed]:
        app_key, session_token = config.secrets()
        codec = BetfairCodec(source, app_key, session_token, config.subscription())
        yield Feed(codec, TcpTransport(config.host, config.port, tls=config.tls))

    def recording_reader(self, source: str) -> RecordingReader:
        return MarketStream(source)


FEED = _Betfair()
