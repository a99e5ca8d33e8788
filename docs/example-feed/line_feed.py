"""A feed in one file: a bookmaker that sends lines of text over TCP.

MATCH|7|Ashford Rovers|Bramley Town|2026-12-05T15:00:00Z     a match
PRICE|7|2.10|3.40|3.60                                       its prices: home, draw, away; 0 withdraws one
READY                                                        the initial state is complete
PING                                                         every second
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from feeds.feed import Feed, Rejected
from feeds.toolkit.quote_cache import QuoteCache
from feeds.toolkit.standard_markets import Phase, match_result
from feeds.transports.byte_streams import TcpTransport
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.domain.ids import event_id

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from feeds.feed import CodecEvent
    from oddsengine.domain.feed_updates import FeedUpdate


class LineConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The address of the bookmaker."""

    host: str = "127.0.0.1"
    port: int


class LineCodec:
    """The protocol without I/O: bytes in, updates out."""

    silence_limit_s = 3.0  # three pings

    def __init__(self, name: str) -> None:
        self._name = name
        self._buffer = b""
        self._quote_cache = QuoteCache()  # turns complete quotes into changes
        self._matches: dict[str, Event] = {}

    def connection_made(self) -> None:
        self._buffer = b""

    def reset(self) -> None:
        """Nothing to forget: every connection starts with the complete state."""

    def data_to_send(self) -> bytes:
        return b""

    def receive_data(self, data: bytes) -> list[CodecEvent]:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        events: list[CodecEvent] = []
        for line in lines:
            text = line.decode("utf-8", "replace").strip()
            try:
                updates = self._translate(*text.split("|"))
            except (ValueError, KeyError, TypeError) as error:
                # Only the invalid line is rejected; it is counted and logged.
                events.append(Rejected("line", f"{type(error).__name__}: {error}", text[:80]))
                continue
            if updates:
                events.append(UpdateBatch(self._name, None, updates))
        return events

    def _translate(self, kind: str, match: str = "", *fields: str) -> list[FeedUpdate]:
        if kind == "MATCH":
            home, away, start = fields
            self._matches[match] = Event(
                id=event_id(self._name, match),
                sport="football",
                competition=Competition(f"{self._name}.all", "All matches"),
                name=f"{home} v {away}",
                participants=(home, away),
                start_ms=round(datetime.fromisoformat(start).timestamp() * 1000),
            )
            return self._quote_cache.update_event(self._matches[match])
        if kind == "PRICE":
            event = self._matches[match]
            market = match_result(event.id, *event.participants, Phase(), three_way=True)
            odds = dict(zip(("home", "draw", "away"), map(float, fields), strict=True))
            return self._quote_cache.update_market(market, {key: price for key, price in odds.items() if price})
        if kind == "READY":
            return [SourceStatus("live", "the initial state is complete")]
        if kind != "PING":
            raise ValueError(f"unknown message {kind!r}")
        return []


class _LineFeed:
    config_type = LineConfig

    def sources(self, name: str, config: LineConfig) -> tuple[str, ...]:
        del config
        return (name,)

    @asynccontextmanager
    async def open(self, name: str, config: LineConfig) -> AsyncIterator[Feed]:
        yield self.offline(name, config)._replace(transport=TcpTransport(config.host, config.port, tls=False))

    def offline(self, name: str, config: LineConfig) -> Feed:
        del config
        return Feed((name,), LineCodec(name))


FEED = _LineFeed()
