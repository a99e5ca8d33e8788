"""One flush as every channel sees it: each change encoded once a profile, each channel's message a join of those."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway import encode

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from oddsengine.books.changes import Changes
    from oddsengine.books.offer import Offer
    from oddsengine.books.recency import EventEntry
    from oddsengine.gateway.audience import Audience, Taste
    from oddsengine.gateway.audiences import Audiences


class Flush:
    """The changes of one shard since they were last told, by channel.

    Args:
        offer: the shard's offer, the changes applied.
        changes: what changed.
        audiences: who listens; channels without any are not looked at.
        ts_ms: when it was published, Unix milliseconds.
    """

    def __init__(self, offer: Offer, changes: Changes, audiences: Audiences, ts_ms: int) -> None:
        wanted = audiences.by_channel
        self._offer = offer
        self._changes = changes
        self.ts_ms = ts_ms
        #: channel -> indexes into changes.events, .markets (those under changes.urgent are urgent) and .removals
        self._events: dict[str, list[int]] = {}
        self._markets: dict[str, list[int]] = {}
        self._gone: dict[str, list[int]] = {}
        #: what was encoded already of changes.events and .markets, in each way in which it was
        self._encoded_events: dict[encode.Encoding, list[bytes | None]] = {}
        self._encoded_markets: dict[tuple[str | None, str, encode.Encoding], list[bytes | None]] = {}
        events = offer.events
        for index, event in enumerate(changes.events):
            entry = events.get(event.id)
            if entry is not None:
                _add(self._events, wanted, [*entry.channels, *(f"market:{market}" for market in entry.markets)], index)
        records, markets = offer.markets, self._markets
        last: EventEntry | None = None
        listed: list[list[int]] = []
        for index, market in enumerate(changes.markets):
            record = records.get(market.id)
            if record is None:
                continue  # of something that the snapshot lacked; it was logged there
            # Written out: this is done for every change there is, and changes of one event come together.
            entry = events[record.identity.event]
            if entry is not last:
                last = entry
                listed = [markets.setdefault(channel, []) for channel in entry.channels if channel in wanted]
            for indexes in listed:
                indexes.append(index)
            if audiences.market_channels and (channel := f"market:{market.id}") in wanted:
                markets[channel] = [index]
        for index, removal in enumerate(changes.removals):
            channels = [f"event:{removal.event}", f"sport:{removal.sport}", f"competition:{removal.competition}"]
            if removal.what == "market":
                channels.append(f"market:{removal.id}")
            _add(self._gone, wanted, channels, index)

    def channels(self) -> Iterable[str]:
        """Name the channels it says something to."""
        if self._events or self._gone:
            return self._events.keys() | self._markets.keys() | self._gone.keys()
        return self._markets.keys()

    def delta(self, audience: Audience, stamp: bytes) -> bytes:
        """Give the message with all it says to an audience's channel, which ends at `stamp` (see `encode.delta_stamp`)."""
        channel, taste = audience.channel.name, audience.taste
        markets = self._markets_of(taste, self._markets.get(channel, ()))
        events: list[bytes] = []
        if self._events or self._gone:
            events += [self._event(index, taste.encoding) for index in self._events.get(channel, ())]
            for index in self._gone.get(channel, ()):
                removal = self._changes.removals[index]
                (markets if removal.what == "market" else events).append(encode.removal(removal, taste.encoding))
        return encode.delta(audience.head, stamp, events, markets, taste.encoding)

    def urgent(self, audience: Audience, at: str) -> bytes | None:
        """Give only the markets that stopped taking bets; None if there are none. Its members are at `at` then."""
        indexes = [index for index in self._markets.get(audience.channel.name, ()) if index < self._changes.urgent]
        if not indexes:
            return None
        encoding = audience.taste.encoding
        stamp = encode.delta_stamp(at, self.ts_ms, encoding)
        return encode.delta(audience.head, stamp, [], self._markets_of(audience.taste, indexes), encoding)

    def market_count(self, channel: str) -> int:
        """Count the market changes in a channel's message."""
        return len(self._markets.get(channel, ()))

    def _markets_of(self, taste: Taste, indexes: Iterable[int]) -> list[bytes]:
        profile, odds_format, encoding = key = taste.profile, taste.odds_format, taste.encoding
        changes = self._changes.markets
        encoded = self._encoded_markets.get(key)
        if encoded is None:
            encoded = self._encoded_markets[key] = [None] * len(changes)
        fragments: list[bytes] = []
        for index in indexes:
            fragment = encoded[index]
            if fragment is None:
                place = self._offer.place(profile)
                fragment = encoded[index] = encode.market_change(changes[index], place, odds_format, encoding)
            fragments.append(fragment)
        return fragments

    def _event(self, index: int, encoding: encode.Encoding) -> bytes:
        encoded = self._encoded_events.get(encoding)
        if encoded is None:
            encoded = self._encoded_events[encoding] = [None] * len(self._changes.events)
        fragment = encoded[index]
        if fragment is None:
            fragment = encoded[index] = encode.event_change(self._changes.events[index], encoding)
        return fragment


def _add(table: dict[str, list[int]], wanted: Container[str], channels: Iterable[str], index: int) -> None:
    for channel in channels:
        if channel in wanted:
            table.setdefault(channel, []).append(index)
