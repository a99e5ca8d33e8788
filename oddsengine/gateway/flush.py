"""One flush as every channel sees it: each change encoded once a profile, each channel's message a join of those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway import encode

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from oddsengine.books.changes import Changes
    from oddsengine.books.offer import Offer
    from oddsengine.books.recency import EventEntry
    from oddsengine.gateway.audience import Taste
    from oddsengine.gateway.encode import Encoding


class Flush:
    """The changes of one shard since they were last told, by channel.

    Args:
        offer: the shard's offer, the changes applied.
        changes: what changed.
        wanted: the channels that somebody listens to; the others are not looked at.
        ts_ms: when it was published, Unix milliseconds.
    """

    def __init__(self, offer: Offer, changes: Changes, wanted: Container[str], ts_ms: int) -> None:
        self._offer = offer
        self._changes = changes
        self._ts_ms = ts_ms
        #: channel -> indexes into changes.events, .markets (those under changes.urgent are urgent) and .removals
        self._events: dict[str, list[int]] = {}
        self._markets: dict[str, list[int]] = {}
        self._gone: dict[str, list[int]] = {}
        #: what was encoded already
        self._encoded: dict[tuple[str, int, str | None, str, Encoding], bytes] = {}
        for index, event in enumerate(changes.events):
            entry = offer.events[event.id]
            _add(self._events, wanted, [*_channels(entry), *(f"market:{market}" for market in entry.markets)], index)
        for index, market in enumerate(changes.markets):
            entry = offer.events[offer.markets[market.id].identity.event]
            _add(self._markets, wanted, (*_channels(entry), f"market:{market.id}"), index)
        for index, removal in enumerate(changes.removals):
            channels = [f"event:{removal.event}", f"sport:{removal.sport}", f"competition:{removal.competition}"]
            if removal.what == "market":
                channels.append(f"market:{removal.id}")
            _add(self._gone, wanted, channels, index)

    def channels(self) -> Iterable[str]:
        """Name the channels it says something to."""
        return self._events.keys() | self._markets.keys() | self._gone.keys()

    def delta(self, channel: str, taste: Taste, at: str) -> bytes:
        """Give all it says to a channel."""
        events = [self._event(index, taste) for index in self._events.get(channel, ())]
        markets = [self._market(index, taste) for index in self._markets.get(channel, ())]
        for index in self._gone.get(channel, ()):
            removal = self._changes.removals[index]
            (markets if removal.what == "market" else events).append(encode.removal(removal, taste.encoding))
        return encode.delta(channel, at, self._ts_ms, events, markets, taste.encoding)

    def urgent(self, channel: str, taste: Taste, at: str) -> bytes | None:
        """Give only the markets that stopped taking bets; None if there are none."""
        markets = [self._market(index, taste) for index in self._markets.get(channel, ()) if index < self._changes.urgent]
        return encode.delta(channel, at, self._ts_ms, [], markets, taste.encoding) if markets else None

    def market_count(self, channel: str) -> int:
        """Count the market changes in a channel's message."""
        return len(self._markets.get(channel, ()))

    def _market(self, index: int, taste: Taste) -> bytes:
        key = ("market", index, taste.profile, taste.odds_format, taste.encoding)
        fragment = self._encoded.get(key)
        if fragment is None:
            change = self._changes.markets[index]
            place = self._offer.place(taste.profile)
            fragment = encode.market_change(change, place, taste.odds_format, taste.encoding)
            self._encoded[key] = fragment
        return fragment

    def _event(self, index: int, taste: Taste) -> bytes:
        key = ("event", index, None, "", taste.encoding)
        fragment = self._encoded.get(key)
        if fragment is None:
            fragment = self._encoded[key] = encode.event_change(self._changes.events[index], taste.encoding)
        return fragment


def _channels(entry: EventEntry) -> tuple[str, str, str]:
    _, sport, competition = entry.scopes
    return f"event:{entry.record.id}", sport, competition


def _add(table: dict[str, list[int]], wanted: Container[str], channels: Iterable[str], index: int) -> None:
    for channel in channels:
        if channel in wanted:
            table.setdefault(channel, []).append(index)
