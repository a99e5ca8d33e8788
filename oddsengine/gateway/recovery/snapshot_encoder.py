"""Encode a channel, whole or what changed in it since a position; a large one in time slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.ids import MarketId
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.chunking import Content
from oddsengine.gateway.state.replica import suspended_as_stale
from oddsengine.offer.offer import BEGINNING, event_since, market_since
from oddsengine.offer.replica_offer import LazyMarket, ReplicaOffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import At, Channel, Replica
    from oddsengine.offer.change_index import EventEntry


def encode_channel(replica: Replica, channel: Channel, options: DeliveryOptions, since: At | None) -> Content:
    """Encode a channel at once.

    Args:
        replica: what is published.
        channel: the channel.
        options: how it is delivered.
        since: the positions, which the replica covers, from which to encode the diff; None for everything.
    """
    content = Content([], [])
    for offer, changes in replica.whole(channel) if since is None else replica.diff(channel, since):
        place = offer.profile_index(options.profile)
        content.events.extend([encoders.event_change(event, options.encoding) for event in changes.events])
        content.markets.extend(
            [
                encoders.market_change(market, place, options.odds_format, options.encoding, with_fair=options.with_fair)
                for market in changes.markets
            ]
        )
        for removal in changes.removals:
            content[removal.kind == "market"].append(encoders.removal(removal, options.encoding))
    return content


class _Source(NamedTuple):
    """A shard that a channel draws from: the position from which it is encoded, and whether it is stale-suspended."""

    offer: ReplicaOffer
    seq: int
    is_suspended: bool


class _Market(NamedTuple):
    """A market encoded at the position of its last change."""

    at: int
    is_urgent: bool
    encoded: bytes


class _Event(NamedTuple):
    """An event encoded at a position: itself if it has changed, and its markets, also as lists of bytes."""

    seq: int
    encoded: bytes | None
    markets: dict[MarketId, _Market]
    urgent: list[bytes]
    calm: list[bytes]


class SnapshotEncoder:
    """A channel encoded in time slices, and again only where it has changed.

    Args:
        replica: what is published.
        channel: of a sport, a competition or an event.
        options: how it is delivered.
        since: as in `encode_channel`.
    """

    def __init__(self, replica: Replica, channel: Channel, options: DeliveryOptions, since: At | None) -> None:
        self._replica = replica
        self._channel = channel
        self._options = options
        self._since = since
        #: epochs of the shards and which of them are stale-suspended: whatever was encoded before either changed is invalid
        self._basis: tuple[tuple[int, bool], ...] = ()
        self._events: dict[EventEntry[LazyMarket], _Event] = {}

    def advance(self, clock: Callable[[], float], budget_s: float) -> bool:
        """Encode what is out of date until the budget is spent. Return whether everything is current."""
        basis = tuple([(epoch, is_suspended) for epoch, _, is_suspended in self._replica.content_version(self._channel)])
        if basis != self._basis:
            self._basis = basis
            self._events.clear()
        end_s = clock() + budget_s
        for source in self._sources():
            for entry in source.offer.entries_since(source.seq, self._channel.name):
                known = self._events.get(entry)
                if known is None or (known.seq < source.offer.seq and known.seq < entry.touched):
                    self._events[entry] = self._encode(source, entry, known)
                    if clock() >= end_s:
                        return False
        return True

    def content(self) -> Content:
        """Assemble the content. Valid right after `advance` has returned True."""
        events: dict[EventEntry[LazyMarket], _Event] = {}
        content = Content([], [])
        calm: list[bytes] = []
        for offer, seq, _ in self._sources():
            for entry in offer.entries_since(seq, self._channel.name):
                event = events[entry] = self._events[entry]
                if event.encoded is not None:
                    content.events.append(event.encoded)
                content.markets.extend(event.urgent)
                calm += event.calm
        content.markets.extend(calm)
        if self._since is not None:
            for offer, seq, _ in self._sources():
                for removal in offer.removals_since(seq, self._channel.name):
                    content[removal.kind == "market"].append(encoders.removal(removal, self._options.encoding))
        self._events = events  # without the events that are gone
        return content

    def _sources(self) -> Iterator[_Source]:
        for shard in self._channel.shards:
            is_suspended = shard in self._replica.stale_suspended
            if self._since is None:
                yield _Source(self._replica.offers[shard], BEGINNING, is_suspended)
            elif not is_suspended:  # otherwise the client has seen all of it
                yield _Source(self._replica.offers[shard], self._since[shard].seq, is_suspended)

    def _encode(self, source: _Source, entry: EventEntry[LazyMarket], known: _Event | None) -> _Event:
        offer, seq, is_suspended = source
        options, place = self._options, offer.profile_index(self._options.profile)
        markets: dict[MarketId, _Market] = {}
        for market in entry.markets.values():
            before = known.markets.get(market.id) if known is not None else None
            if before is not None and before.at == market.at:
                markets[market.id] = before
            elif market.at > seq:
                change = market_since(market.record, seq)
                effective = suspended_as_stale(change) if is_suspended else change
                encoded = encoders.market_change(
                    effective, place, options.odds_format, options.encoding, with_fair=options.with_fair
                )
                markets[market.id] = _Market(market.at, change.is_urgent, encoded)
        event = event_since(entry.record, seq)
        return _Event(
            offer.seq,
            None if event is None else encoders.event_change(event, options.encoding),
            markets,
            [market.encoded for market in markets.values() if market.is_urgent],
            [market.encoded for market in markets.values() if not market.is_urgent],
        )
