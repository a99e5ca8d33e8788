"""A channel in clients' bytes: whole, or what changed in it since positions; a large one is encoded piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.ids import MarketId
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.chunking import Content
from oddsengine.gateway.state.replica import suspended
from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.replica_offer import ReplicaOffer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oddsengine.gateway.fanout.audience import DeliveryOptions
    from oddsengine.gateway.state.replica import At, Channel, Replica
    from oddsengine.offer.change_index import EventEntry


def rendered(replica: Replica, channel: Channel, options: DeliveryOptions, since: At | None) -> Content:
    """Encode a channel at once.

    Args:
        replica: what is published.
        channel: the channel.
        options: how it is wanted.
        since: the positions, which the replica covers, after which something changed; None for all there is.
    """
    content = Content([], [])
    for offer, changes in replica.whole(channel) if since is None else replica.diff(channel, since):
        place = offer.profile_index(options.profile)
        content.events.extend([encoders.event_change(event, options.encoding) for event in changes.events])
        content.markets.extend(
            [encoders.market_change(market, place, options.odds_format, options.encoding) for market in changes.markets]
        )
        for removal in changes.removals:
            content[removal.what == "market"].append(encoders.removal(removal, options.encoding))
    return content


class _Source(NamedTuple):
    """A shard that a channel draws from: since when something is to be told of it, and whether it is shut."""

    offer: ReplicaOffer
    seq: int
    is_shut: bool


class _Market(NamedTuple):
    """A market as it was at the position of its last change, in bytes."""

    at: int
    is_urgent: bool
    encoded: bytes


class _Event(NamedTuple):
    """An event as it was at a position: its bytes, if it changed itself, and its markets, also as lists of bytes."""

    seq: int
    encoded: bytes | None
    markets: dict[MarketId, _Market]
    urgent: list[bytes]
    calm: list[bytes]


class SnapshotEncoder:
    """A channel encoded piece by piece, and again only where it has changed.

    Args:
        replica: what is published.
        channel: of a sport, a competition or an event.
        options: how it is wanted.
        since: as in `rendered`.
    """

    def __init__(self, replica: Replica, channel: Channel, options: DeliveryOptions, since: At | None) -> None:
        self._replica = replica
        self._channel = channel
        self._taste = options
        self._since = since
        #: epochs of the shards and which of them are shut: what was encoded at others says nothing
        self._basis: tuple[tuple[int, bool], ...] = ()
        self._events: dict[EventEntry, _Event] = {}

    def advance(self, clock: Callable[[], float], budget_s: float) -> bool:
        """Encode what is not of the present until the time is spent; tell whether all is."""
        basis = tuple([(epoch, is_shut) for epoch, _, is_shut in self._replica.moment(self._channel)])
        if basis != self._basis:
            self._basis = basis
            self._events.clear()
        end_s = clock() + budget_s
        for source in self._sources():
            for entry in source.offer.entries_since(source.seq, self._channel.name):
                known = self._events.get(entry)
                if known is None or (known.seq < source.offer.seq and known.seq < entry.touched):
                    self._events[entry] = self._encoded(source, entry, known)
                    if clock() >= end_s:
                        return False
        return True

    def content(self) -> Content:
        """Put it together; for when `advance` has just told that all is of the present."""
        events: dict[EventEntry, _Event] = {}
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
                    content[removal.what == "market"].append(encoders.removal(removal, self._taste.encoding))
        self._events = events  # what is gone is forgotten
        return content

    def _sources(self) -> Iterator[_Source]:
        for shard in self._channel.shards:
            is_shut = shard in self._replica.shut
            if self._since is None:
                yield _Source(self._replica.offers[shard], BEGINNING, is_shut)
            elif not is_shut:  # else who asks has seen all there is to see
                yield _Source(self._replica.offers[shard], self._since[shard].seq, is_shut)

    def _encoded(self, source: _Source, entry: EventEntry, known: _Event | None) -> _Event:
        offer, seq, is_shut = source
        options, place = self._taste, offer.profile_index(self._taste.profile)
        markets: dict[MarketId, _Market] = {}
        for market in entry.markets.values():
            before = known.markets.get(market.id) if known is not None else None
            if before is not None and before.at == market.at:
                markets[market.id] = before
            elif market.at > seq:
                change = offer.market_since(market, seq)
                shown = suspended(change) if is_shut else change
                encoded = encoders.market_change(shown, place, options.odds_format, options.encoding)
                markets[market.id] = _Market(market.at, change.is_urgent, encoded)
        event = offer.event_since(entry.record, seq)
        return _Event(
            offer.seq,
            None if event is None else encoders.event_change(event, options.encoding),
            markets,
            [market.encoded for market in markets.values() if market.is_urgent],
            [market.encoded for market in markets.values() if not market.is_urgent],
        )
