"""The gateway's replica of what is published: one offer per shard, updated from the streams and queried by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.common.excerpts import echoed
from oddsengine.domain.changes import Changes, MarketChange, MarketRecord, MarketState, SelectionChange
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.positions import ORIGIN, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.replica_offer import LazyMarket

#: Reason of a market that is suspended because its shard has been stale for too long.
STALE: Final = "stale"
#: A subscriber's position in each shard that its channel draws from.
At = dict[int, Position]


def suspended_as_stale(change: MarketChange) -> MarketChange:
    """Return a whole market suspended because it may be out of date, or unchanged if it takes no bets anyway."""
    state = change.state
    if state is None or state.status != "open":
        return change
    selections = {
        key: SelectionChange(selection.name, selection.status, (None,) * len(selection.prices), selection.result, selection.order)
        for key, selection in change.selections.items()
    }
    suspended = MarketState("suspended", STALE, state.in_play, state.terms, state.main_line)
    return MarketChange(change.id, change.v, change.identity, suspended, selections)


def _all_selections(record: MarketRecord) -> dict[str, SelectionChange]:
    return {key: SelectionChange(None, None, selection.prices) for key, selection in record.selections.items()}


class Channel(NamedTuple):
    """A channel: its name, which is also the scope to query an offer by, and the shards that it draws from."""

    name: str
    shards: tuple[int, ...]


class UnknownChannel(ValueError):
    """A channel name that is not valid, or of an event or market that is not on offer."""


class Replica:
    """All shards of what is published.

    Args:
        shards: how many there are; the engine must have the same number.
    """

    def __init__(self, shards: int) -> None:
        self.offers = [ReplicaOffer(()) for _ in range(shards)]
        #: shards that may be out of date, with the time that was detected (Unix milliseconds)
        self.stale_since: dict[int, int] = dict.fromkeys(range(shards), 0)
        #: shards that have been stale for so long that clients see all their markets suspended
        self.stale_suspended: set[int] = set()
        #: position of each shard when it was last stale-suspended: no diff undoes what clients have seen since then
        self._stale_suspended_at = dict.fromkeys(range(shards), ORIGIN)
        self._all_shards = tuple(range(shards))

    @property
    def ready(self) -> bool:
        """Whether every shard is loaded and current."""
        return not self.stale_since

    def unloaded(self) -> list[int]:
        """Return the shards that were never loaded: nothing is known of what they offer."""
        return [shard for shard, offer in enumerate(self.offers) if not offer.epoch]

    def channel(self, name: str) -> Channel:
        """Return the channel with a name.

        A sport or competition may have no events yet; an event or market must be on offer.

        Raises:
            UnknownChannel: if there is none.
        """
        kind, separator, key = name.partition(":")
        if kind not in {"sport", "competition", "event", "market"} or not separator or not key:
            raise UnknownChannel(f"{echoed(name)} is not a channel; use sport:<key>, competition:<id>, event:<id> or market:<id>")
        if kind in {"sport", "competition"}:
            return Channel(name, self._all_shards)
        shard = self.shard_of(key.partition("/")[0])
        offer = self.offers[shard]
        if key not in (offer.events if kind == "event" else offer.markets):
            raise UnknownChannel(f"{kind} {echoed(key)} is not on offer")
        # The event's own string: every change looks it up, and the same string is found without comparing letters.
        return Channel(offer.events[EventId(key)].channels[0] if kind == "event" else name, (shard,))

    def shard_of(self, event: str) -> int:
        """Return the shard of an event."""
        return shard_of(EventId(event), len(self.offers))

    def position(self, shard: int) -> Position:
        """Return a shard's current position; of a stale-suspended one a position without a diff, as its real state is hidden."""
        if shard in self.stale_suspended:
            return ORIGIN
        offer = self.offers[shard]
        return Position(offer.epoch, offer.seq)

    def at(self, channel: Channel | None = None) -> At:
        """Return the current position in every shard of a channel, or in all shards."""
        return {shard: self.position(shard) for shard in (channel.shards if channel else self._all_shards)}

    def covers(self, channel: Channel, at: At) -> bool:
        """Check whether there is a diff since these positions in every shard of a channel."""
        return all(shard in at and self._has_diff_since(shard, at[shard]) for shard in channel.shards)

    def _has_diff_since(self, shard: int, position: Position) -> bool:
        if shard in self.stale_suspended:
            return position == ORIGIN  # a client that has seen it suspended has seen everything
        epoch, seq = self._stale_suspended_at[shard]
        may_have_seen_it_suspended = position.epoch == epoch and position.seq <= seq
        return not may_have_seen_it_suspended and self.offers[shard].has_diff_since(*position)

    def is_ahead(self, channel: Channel, at: At) -> bool:
        """Check whether a client has received, from another gateway, what has not arrived here yet."""
        return self.stale_suspended.isdisjoint(channel.shards) and any(
            shard in at and at[shard].epoch == self.offers[shard].epoch and at[shard].seq > self.offers[shard].seq
            for shard in channel.shards
        )

    def diff(self, channel: Channel, at: At) -> Iterator[tuple[ReplicaOffer, Changes]]:
        """Yield what changed since positions that are covered, by shard."""
        for shard in channel.shards:
            if shard not in self.stale_suspended:
                yield self.offers[shard], self.offers[shard].changes_since(at[shard].seq, channel.name)

    def exceeds_markets(self, limit: int, channel: Channel, at: At | None) -> bool:
        """Check whether the events of a channel that changed since positions (None: all events) have more markets than a limit.

        Always False for the channel of a single market.
        """
        if channel.name.startswith("market:"):
            return False
        count = 0
        for shard in channel.shards:
            for entry in self.offers[shard].entries_since(BEGINNING if at is None else at[shard].seq, channel.name):
                count += len(entry.markets)
                if count > limit:
                    return True
        return False

    def whole(self, channel: Channel) -> Iterator[tuple[ReplicaOffer, Changes]]:
        """Yield everything on offer in a channel, by shard."""
        for shard in channel.shards:
            changes = self.offers[shard].changes_since(BEGINNING, channel.name)
            if shard in self.stale_suspended:
                changes = Changes(changes.events, [suspended_as_stale(market) for market in changes.markets], changes.removals)
            yield self.offers[shard], changes

    def suspend_stale(self, shard: int) -> Changes:
        """Suspend all markets of a stale shard for clients. Return what that changes."""
        closing = self._closing(shard)
        self._stale_suspended_at[shard] = self.position(shard)
        self.stale_suspended.add(shard)
        return closing

    def lift_stale_suspension(self, shard: int) -> None:
        """Show clients the real state of a shard again."""
        self.stale_suspended.discard(shard)

    def content_version(self, channel: Channel) -> tuple[tuple[int, int, bool], ...]:
        """Return a value that changes whenever the content of a channel does."""
        offers, suspended = self.offers, self.stale_suspended
        return tuple([(offers[shard].epoch, offers[shard].seq, shard in suspended) for shard in channel.shards])

    def _closing(self, shard: int) -> Changes:
        """Return the suspension of every open market of a shard."""
        markets = [
            suspended_as_stale(MarketChange(record.id, record.v, None, record.state, _all_selections(record.record)))
            for record in self.offers[shard].markets.values()
            if record.state.status == "open"
        ]
        return Changes([], markets, [], len(markets))

    def effective(self, record: MarketRecord) -> MarketRecord:
        """Return a market as clients see it: suspended if its shard is stale-suspended."""
        if self.shard_of(record.identity.event) not in self.stale_suspended or record.state.status != "open":
            return record
        selections = {
            key: msgspec.structs.replace(selection, prices=(None,) * len(selection.prices))
            for key, selection in record.selections.items()
        }
        state = msgspec.structs.replace(record.state, status="suspended", reason=STALE)
        return msgspec.structs.replace(record, state=state, selections=selections)

    def channel_stale_since(self, channel: Channel) -> int | None:
        """Return since when (Unix milliseconds) a channel may be out of date; None if it is current."""
        if not self.stale_since:
            return None
        return min((self.stale_since[shard] for shard in channel.shards if shard in self.stale_since), default=None)

    def events(self) -> Iterator[EventEntry[LazyMarket]]:
        """Yield every event on offer."""
        for offer in self.offers:
            yield from offer.events.values()
