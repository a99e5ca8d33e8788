"""The commands that hold, applied to the markets of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.commands.command import TRADER
from oddsengine.commands.command_book import CommandBook, MarketName, SettledPairs, includes_moved
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.engine.ended_events import RECOVERING, STOPPED, WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from oddsengine.commands.command import Command
    from oddsengine.commands.ruling import Ruling
    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import MarketId
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.pricing.pricer import Pricer
    from oddsengine.sourcing.matching.matcher import Matcher

#: The actions that change no market.
_SILENT: Final = frozenset({"note", "match", "unmatch"})
#: The actions that settle which events are the same.
_SETTLING: Final = frozenset({"match", "unmatch"})


class CommandedMarkets:
    """Keeps what was commanded of each market when it was last priced.

    Args:
        profiles: names of the published profiles, in the order of every `prices`.
        offers: what is published, by shard.
        matcher: returns what knows which feeds' own events are placed under an event; None with a single feed.
    """

    def __init__(self, profiles: Sequence[str], offers: Sequence[OwnedOffer], matcher: Callable[[], Matcher | None]) -> None:
        self.book = CommandBook(profiles)
        self._offers = offers
        self._matcher = matcher
        #: whether any command holds, or did when some market was last priced
        self.is_active = False
        self._ruled: dict[MarketId, Ruling] = {}
        self._settled = SettledPairs((), ())
        self._may_settle = False
        #: how far the clock of Redis, by which commands expire, is ahead of ours; 0 where there is none, as in a replay
        self.clock_step_ms = 0
        #: whether a command was put since this was last cleared that settles which events are the same
        self.settles = False
        #: the number of the last entry of the log of commands that was obeyed
        self.obeyed = 0

    def put(self, command: Command) -> list[MarketId]:
        """Take over the present state of a command. Return the markets that are to be priced again."""
        before = self.book.put(command)
        if command.action in _SETTLING:
            self.settles = self._may_settle = True
        self.is_active = bool(self.book.commands or self._ruled)
        if before is None and command.id not in self.book.commands:
            return []
        return list(self._concerned([command] if before is None or before.scope == command.scope else [before, command]))

    def expire(self, now_ms: int) -> list[MarketId]:
        """Drop the commands that have expired. Return the markets that are to be priced again."""
        expired = self.book.expire(now_ms + self.clock_step_ms)
        self._may_settle = self._may_settle or any(command.action in _SETTLING for command in expired)
        return list(self._concerned(expired))

    def take_settled(self) -> SettledPairs | None:
        """Return which events are the same or not by the commands that hold, None if that is unchanged since the last call."""
        if not self._may_settle:
            return None
        settled, before = self.book.settled_pairs(), self._settled
        self._may_settle, self._settled = False, settled
        return None if settled == before else settled

    def use(self, pricer: Pricer) -> None:
        """Apply the commands to another pricer from now on. Every market is priced again."""
        self.book.use_profiles(tuple(pricer.profiles))
        self._ruled.clear()

    def rule(self, definition: MarketDefinition, offer: OwnedOffer, now_ms: int, pricer: Pricer) -> Ruling | None:
        """Return what is commanded of a market, None if nothing is, and pass on to the pricer what that changes.

        Args:
            definition: the market, as the source has it that prices it.
            offer: that of its shard.
            now_ms: Unix milliseconds.
            pricer: prices the market next.
        """
        entry = offer.events.get(definition.event)
        if entry is None:
            in_play, description = definition.in_play, None
        else:
            record = entry.record
            if record.progress.in_play:
                self.book.note_in_play(definition.event)
            in_play, description = definition.in_play or record.progress.in_play, record.description
        members = self._members(definition.event)
        ruling = self.book.ruling(definition, description, now_ms + self.clock_step_ms, in_play=in_play, members=members)
        before = self._ruled.get(definition.id)
        if ruling is not before:
            self._note(definition.id, before, ruling, pricer)
        return ruling

    def is_as_ruled(self, definition: MarketDefinition, offer: OwnedOffer, now_ms: int, pricer: Pricer) -> bool:
        """Check whether the same is commanded of a market as when it was last priced; the arguments are those of `rule`."""
        before = self._ruled.get(definition.id)
        return self.rule(definition, offer, now_ms, pricer) is before

    def _note(self, market: MarketId, before: Ruling | None, ruling: Ruling | None, pricer: Pricer) -> None:
        if ruling != before:
            pricer.adjust(market, () if ruling is None else ruling.adjustments)
        if ruling is not None:
            self._ruled[market] = ruling
        else:
            del self._ruled[market]
            self.is_active = bool(self.book.commands or self._ruled)

    def reason_without_source(self, market: MarketId, now_ms: int) -> str:
        """Return why a market is suspended that no source offers."""
        entry = self._entry(EventId(market.partition("/")[0]))
        record = None if entry is None else entry.markets.get(market)
        if entry is None or record is None or not self.is_active:
            return WITHDRAWN
        if any(command.action == "suspend" and command.scope.selection is None for command in self.of(record, entry, now_ms)):
            return TRADER
        reason = record.state.reason
        return reason if reason in {RECOVERING, STOPPED} else WITHDRAWN

    def of(self, record: MarketRecord, entry: EventEntry[MarketRecord], now_ms: int) -> Iterator[Command]:
        """Yield the commands that hold for a market on offer, given its event."""
        event = record.identity.event
        named = MarketName(record.id, event, record.identity.type, self._members(event))
        in_play = record.state.in_play or entry.record.progress.in_play
        return self.book.holding(named, entry.record.description, now_ms + self.clock_step_ms, in_play=in_play)

    def forget(self, market: MarketId, pricer: Pricer) -> None:
        """Drop what is kept of a market that is gone."""
        self.book.forget(market)
        if self._ruled.pop(market, None) is not None:
            pricer.adjust(market, ())

    def _members(self, event: EventId) -> Sequence[EventId]:
        matcher = self._matcher()
        return () if matcher is None else matcher.members(event) or ()

    def _entry(self, event: EventId) -> EventEntry[MarketRecord] | None:
        return self._offers[shard_of(event, len(self._offers))].events.get(event)

    def _concerned(self, commands: Iterable[Command]) -> Iterator[MarketId]:
        """Yield the markets on offer that commands may hold for."""
        for command in commands:
            scope = command.scope
            if command.action in _SILENT:
                continue
            for entry in self._entries(command):
                for market, record in entry.markets.items():
                    named = scope.market_id in {None, market} or includes_moved(scope, market, str(scope.event_id))
                    if named and (not scope.types or record.identity.type in scope.types):
                        yield market

    def _entries(self, command: Command) -> Iterator[EventEntry[MarketRecord]]:
        scope = command.scope
        if scope.event_id is not None:
            matcher = self._matcher()
            placement = None if matcher is None else matcher.placement(EventId(scope.event_id))
            for event in {EventId(scope.event_id), *(() if placement is None else (placement.event,))}:
                entry = self._entry(event)
                if entry is not None:
                    yield entry
            return
        for offer in self._offers:
            for entry in offer.events.values():
                description = entry.record.description
                if scope.all or scope.key == (description.sport if scope.sport else description.competition.id):
                    yield entry
