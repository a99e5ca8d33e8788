"""Betfair Exchange Stream feed; quirks and sources in README.md beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from feeds.betfair.codec import BetfairCodec
from feeds.betfair.config import BetfairConfig
from feeds.betfair.market_stream import MarketStream
from feeds.transport import TcpTransport

if TYPE_CHECKING:
    import msgspec

    from feeds.feed import Codec, RecordingReader, Transport

__all__ = ["FEED", "BetfairCodec", "BetfairConfig", "MarketStream"]


class _Betfair:
    config_type = BetfairConfig

    def codec(self, source: str, config: msgspec.Struct) -> Codec:
        assert isinstance(config, BetfairConfig)  # noqa: S101 - built from config_type
        app_key, session_token = config.secrets()
        return BetfairCodec(source, app_key, session_token, config.subscription())

    def transport(self, config: msgspec.Struct) -> Transport:
        assert isinstance(config, BetfairConfig)  # noqa: S101 - built from config_type
        return TcpTransport(config.host, config.port, tls=config.tls)

    def recording_reader(self, source: str) -> RecordingReader:
        return MarketStream(source)


FEED = _Betfair()
