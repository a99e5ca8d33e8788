"""One flush as every channel sees it: each change encoded once a profile, each channel's message a join of those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway import encode

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from oddsengine.books.changes import Changes
    from oddsengine.books.offer import EventEntry, Offer
    from oddsengine.gateway.audience import Taste


class Flush:
    """The changes of one shard since they were last told, by channel.

    Args:
        offer: the shard's offer, the changes applied.
        changes: what changed.
        wanted: the channels that somebody listens to; the others are not looked at.
        ts_ms: when it was published, Unix milliseconds.
    """

    def __init__(self, offer: Offer, changes: Changes, wanted: Container[str], ts_ms: int) -> None:
        self._changes = changes
        self._ts_ms = ts_ms
        self._events: dict[str, list[bytes]] = {}
        #: channel -> indexes into changes.markets; those under changes.urgent are urgent
        self._markets: dict[str, list[int]] = {}
        self._gone: dict[str, list[bytes]] = {}
        #: (index, profile, format) -> the change encoded
        self._encoded: dict[tuple[int, int, str], bytes] = {}
        for event in changes.events:
            entry = offer.events[event.id]
            channels = [*_channels(entry), *(f"market:{market}" for market in entry.markets)]
            _add(self._events, wanted, channels, encode.event_change(event))
        for index, market in enumerate(changes.markets):
            entry = offer.events[offer.markets[market.id].identity.event]
            for channel in (*_channels(entry), f"market:{market.id}"):
                if channel in wanted:
                    self._markets.setdefault(channel, []).append(index)
        for removal in changes.removals:
            channels = [f"event:{removal.event}", f"sport:{removal.sport}", f"competition:{removal.competition}"]
            if removal.what == "market":
                _add(self._gone, wanted, [*channels, f"market:{removal.id}"], encode.removal(removal))
            else:
                _add(self._events, wanted, channels, encode.removal(removal))

    def channels(self) -> Iterable[str]:
        """Name the channels it says something to."""
        return self._events.keys() | self._markets.keys() | self._gone.keys()

    def delta(self, channel: str, taste: Taste, at: str) -> bytes:
        """Give all it says to a channel."""
        markets = [self._market(index, taste) for index in self._markets.get(channel, ())]
        events, gone = self._events.get(channel, []), self._gone.get(channel, [])
        return encode.delta(channel, at, self._ts_ms, events, [*markets, *gone])

    def urgent(self, channel: str, taste: Taste, at: str) -> bytes | None:
        """Give only the markets that stopped taking bets; None if there are none."""
        markets = [self._market(index, taste) for index in self._markets.get(channel, ()) if index < self._changes.urgent]
        return encode.delta(channel, at, self._ts_ms, [], markets) if markets else None

    def market_count(self, channel: str) -> int:
        """Count the market changes in a channel's message."""
        return len(self._markets.get(channel, ()))

    def _market(self, index: int, taste: Taste) -> bytes:
        key = (index, taste.profile, taste.odds_format)
        fragment = self._encoded.get(key)
        if fragment is None:
            change = self._changes.markets[index]
            fragment = self._encoded[key] = encode.market_change(change, taste.profile, taste.odds_format)
        return fragment


def _channels(entry: EventEntry) -> tuple[str, str, str]:
    _, sport, competition = entry.scopes()
    return f"event:{entry.record.id}", sport, competition


def _add(table: dict[str, list[bytes]], wanted: Container[str], channels: Iterable[str], fragment: bytes) -> None:
    for channel in channels:
        if channel in wanted:
            table.setdefault(channel, []).append(fragment)
