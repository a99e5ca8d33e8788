"""The gateway's copy of what is published: one offer a shard, fed from the streams, asked by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.domain.changes import Changes, MarketChange, MarketRecord, MarketState, SelectionChange
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.positions import ORIGIN, Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.offer import Offer

#: Reason of a market that is suspended because its shard has been stale for too long.
STALE: Final = "stale"
#: What a subscriber has: its position in each shard that its channel draws from.
At = dict[int, Position]


def suspended_as_stale(change: MarketChange) -> MarketChange:
    """Return a whole market suspended because it may be out of date, or unchanged if it takes no bets anyway."""
    state = change.state
    if state is None or state.status != "open":
        return change
    selections = {
        key: SelectionChange(selection.name, selection.status, (None,) * len(selection.prices))
        for key, selection in change.selections.items()
    }
    return MarketChange(change.id, change.v, change.identity, MarketState("suspended", STALE, state.in_play), selections)


def _all_selections(record: MarketRecord) -> dict[str, SelectionChange]:
    return {key: SelectionChange(None, None, selection.prices) for key, selection in record.selections.items()}


class Channel(NamedTuple):
    """A channel a client can name, as the offer's scope of the same spelling, and the shards it draws from."""

    name: str
    shards: tuple[int, ...]


class UnknownChannel(ValueError):
    """A name that is no channel, or names an event or market not on offer."""


class Replica:
    """All shards of the offer.

    Args:
        shards: how many there are; the same as the engine's.
    """

    def __init__(self, shards: int) -> None:
        self.offers = [ReplicaOffer(()) for _ in range(shards)]
        #: shards that can't be trusted to be current, with the time it was noticed (Unix milliseconds)
        self.stale_since: dict[int, int] = dict.fromkeys(range(shards), 0)
        #: shards that have been stale for so long that clients see all their markets suspended
        self.stale_suspended: set[int] = set()
        #: position of each shard when it was last stale-suspended: no diff undoes what clients have seen since then
        self._stale_suspended_at = dict.fromkeys(range(shards), ORIGIN)
        self._all_shards = tuple(range(shards))

    @property
    def ready(self) -> bool:
        """Whether every shard was loaded and is current."""
        return not self.stale_since

    def channel(self, name: str) -> Channel:
        """Find a channel.

        A sport or competition may have no event yet; an event or market must be on offer.

        Raises:
            UnknownChannel: says what is wrong with the name.
        """
        kind, separator, key = name.partition(":")
        if kind not in {"sport", "competition", "event", "market"} or not separator or not key:
            raise UnknownChannel(f"{name!r} is no channel: they are sport:<key>, competition:<id>, event:<id>, market:<id>")
        if kind in {"sport", "competition"}:
            return Channel(name, self._all_shards)
        shard = self.shard_of(key.partition("/")[0])
        offer = self.offers[shard]
        if key not in (offer.events if kind == "event" else offer.markets):
            raise UnknownChannel(f"no {kind} {key!r} is on offer")
        return Channel(name, (shard,))

    def shard_of(self, event: str) -> int:
        """Tell which shard carries an event."""
        return shard_of(EventId(event), len(self.offers))

    def position(self, shard: int) -> Position:
        """Return a shard's current position; of a stale-suspended one a position without a diff, as its real state is hidden."""
        if shard in self.stale_suspended:
            return ORIGIN
        offer = self.offers[shard]
        return Position(offer.epoch, offer.seq)

    def at(self, channel: Channel | None = None) -> At:
        """Give the present position in every shard of a channel, or in all shards."""
        return {shard: self.position(shard) for shard in (channel.shards if channel else self._all_shards)}

    def covers(self, channel: Channel, at: At) -> bool:
        """Tell whether a diff since these positions can be given: one has to be there for each shard."""
        return all(shard in at and self._has_diff_since(shard, at[shard]) for shard in channel.shards)

    def _has_diff_since(self, shard: int, position: Position) -> bool:
        if shard in self.stale_suspended:
            return position == ORIGIN  # who has seen it suspended has seen all there is to see
        epoch, seq = self._stale_suspended_at[shard]
        may_have_seen_it_suspended = position.epoch == epoch and position.seq <= seq
        return not may_have_seen_it_suspended and self.offers[shard].has_diff_since(*position)

    def is_ahead(self, channel: Channel, at: At) -> bool:
        """Tell whether a client has seen, elsewhere, what has not come here yet."""
        return self.stale_suspended.isdisjoint(channel.shards) and any(
            shard in at and at[shard].epoch == self.offers[shard].epoch and at[shard].seq > self.offers[shard].seq
            for shard in channel.shards
        )

    def diff(self, channel: Channel, at: At) -> Iterator[tuple[Offer, Changes]]:
        """Give what changed since positions that are covered, shard by shard."""
        for shard in channel.shards:
            if shard not in self.stale_suspended:
                yield self.offers[shard], self.offers[shard].changes_since(at[shard].seq, channel.name)

    def is_over(self, most: int, channel: Channel, at: At | None) -> bool:
        """Tell whether those events of a channel in which anything changed since positions (None: ever) have so many markets.

        A channel of a single market is never over any number.
        """
        if channel.name.startswith("market:"):
            return False
        count = 0
        for shard in channel.shards:
            for entry in self.offers[shard].entries_since(BEGINNING if at is None else at[shard].seq, channel.name):
                count += len(entry.markets)
                if count > most:
                    return True
        return False

    def whole(self, channel: Channel) -> Iterator[tuple[Offer, Changes]]:
        """Give all that is on offer in a channel, shard by shard."""
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

    def moment(self, channel: Channel) -> tuple[tuple[int, int, bool], ...]:
        """Return a value that changes whenever the content of a channel does."""
        offers, suspended = self.offers, self.stale_suspended
        return tuple([(offers[shard].epoch, offers[shard].seq, shard in suspended) for shard in channel.shards])

    def _closing(self, shard: int) -> Changes:
        """Give the suspension of every market of a shard that is open."""
        markets = [
            suspended_as_stale(MarketChange(record.id, record.v, None, record.state, _all_selections(record)))
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
        state = MarketState("suspended", STALE, record.state.in_play)
        return msgspec.structs.replace(record, state=state, selections=selections)

    def is_stale(self, channel: Channel) -> int | None:
        """Tell since when (Unix milliseconds) a channel may be out of date; None if it is current."""
        if not self.stale_since:
            return None
        return min((self.stale_since[shard] for shard in channel.shards if shard in self.stale_since), default=None)

    def events(self) -> Iterator[EventEntry]:
        """Give every event on offer."""
        for offer in self.offers:
            yield from offer.events.values()
