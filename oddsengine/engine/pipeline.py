"""From feed updates to staged offers, without I/O: source books, source selection, pricing, offer.

Updates only mark markets dirty. A flush prices each dirty market once, however often it moved since the last flush. Time is
an argument, so equal updates in equal flushes produce equal published bytes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from oddsengine.commands.command import TRADER
from oddsengine.engine.commanded_markets import CommandedMarkets
from oddsengine.engine.described_events import DescribedEvents, in_first_competition
from oddsengine.engine.ended_events import EndedEvents
from oddsengine.engine.flushing.backlog import Backlog, event_of
from oddsengine.engine.flushing.cut_flush import flush_part
from oddsengine.engine.flushing.dirty_sets import DirtySets
from oddsengine.engine.ownership.unowned_events import UnownedEvents
from oddsengine.engine.sources.market_directory import MarketDirectory
from oddsengine.engine.sources.market_sources import MarketSources
from oddsengine.engine.sources.source_intake import SourceIntake
from oddsengine.engine.sources.withdrawn_markets import WithdrawnMarkets
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.pricing.guards.score_grid import settle
from oddsengine.pricing.market.consensus_markets import ConsensusMarkets
from oddsengine.sourcing.matching.settings import MatchingSettings
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.sourcing.source_selector import SourceSelector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from collections.abc import Set as AbstractSet

    from oddsengine.commands.command import Command
    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.engine.flushing.cut_flush import TimeSlice
    from oddsengine.engine.matched_events import MatchedEvents
    from oddsengine.pricing.pricer import Pricer
    from oddsengine.sourcing.matching.matcher import Matcher
    from oddsengine.sourcing.source_selector import ChosenSource
    from oddsengine.sourcing.sourcing_rule import SourcingRule

#: How many times in one flush repriced markets may make further ones dirty; the rest waits for the next flush.
MAX_REPRICE_ROUNDS: Final = 8


class Pipeline:
    """The source books, the source selection, the pricing and the offers of one engine.

    Args:
        pricer: prices markets for every profile.
        sources: source names, most preferred first.
        shards: how many sequences the changes are spread over.
        sourcing: how markets choose their sources.
        matching: when events of different feeds are the same.
        defers_matching: whether ids of events are decided elsewhere: an event is published once its id is (`matched.apply`).
    """

    def __init__(
        self,
        pricer: Pricer,
        sources: Sequence[str],
        shards: int = 1,
        sourcing: Sequence[SourcingRule] = (),
        matching: MatchingSettings | None = None,
        *,
        defers_matching: bool = False,
    ) -> None:
        self.pricer = pricer
        self._clock_step_ms = 0
        self._selector = SourceSelector(sourcing)
        self._consensus_markets = ConsensusMarkets()
        self.books = {source: SourceBook(source) for source in sources}
        #: the profiles that are priced; an offer has them from its next flush on
        self.profiles = tuple(pricer.profiles)
        self.offers = [OwnedOffer(self.profiles) for _ in range(shards)]
        self._dirty = dirty = DirtySets(shards)
        #: what flushes have put off, by shard
        self._backlogs = [Backlog() for _ in range(shards)]
        self.mark, self.mark_event = dirty.mark, dirty.mark_event
        self.shard_of_market = dirty.shard_of_market
        self._directory = MarketDirectory(sources)
        self._events = DescribedEvents(self.books)
        self._sources = chosen = MarketSources(
            self.books, self._directory, self._selector, self._consensus_markets, self._events, pricer, has_rules=bool(sourcing)
        )
        self.quoting, self.choose, self.event_of = chosen.quoting, chosen.choose, chosen.event_of
        self._withdrawn = withdrawn = WithdrawnMarkets(chosen, self.offers, dirty.shard_of_market)
        self._intake = intake = SourceIntake(
            self.books, self._directory, chosen, self._selector, withdrawn, dirty, matching or MatchingSettings(), defers_matching
        )
        self.receive, self.agrees = intake.receive, intake.agrees
        self.commands = CommandedMarkets(tuple(pricer.profiles), self.offers, lambda: intake.matcher)
        self._ended = EndedEvents(self.quoting)
        self._unowned = UnownedEvents(self.books, self._directory, self.quoting)
        #: markets whose event no source has described yet
        self._orphaned: dict[EventId, set[MarketId]] = {}

    @property
    def is_dirty(self) -> bool:
        """Whether the next flush has something to do."""
        return bool(self._dirty) or any(self._backlogs)

    def is_priced(self, market: MarketId) -> bool:
        """Check whether nothing of a market has moved since it was priced."""
        shard, event = self.shard_of_market(market), event_of(market)
        dirty, backlog = self._dirty, self._backlogs[shard]
        return market not in dirty.markets[shard] and not any(
            event in events for events in (dirty.events[shard], backlog.unseen, backlog.unpriced)
        )

    @property
    def matcher(self) -> Matcher | None:
        """The matcher, which decides which events of different feeds are the same; None with a single feed."""
        return self._intake.matcher

    @property
    def matched(self) -> MatchedEvents | None:
        """The mapper of the ids of events, which moves them when a decision changes; None with a single feed."""
        return self._intake.matched

    def obey(self, command: Command) -> None:
        """Take over the present state of a command, and mark the markets that it concerns dirty."""
        with self._dirty.noting_commanded(self._backlogs):
            for market in self.commands.put(command):
                self.mark(market)
            self._settle_pairs()

    def _settle_pairs(self) -> None:
        matched = self._intake.matched
        if matched is not None and (settled := self.commands.take_settled()) is not None:
            matched.settle(*settled)

    def tick(self, now_ms: int) -> None:
        """Mark the markets dirty that must be priced only because time has passed. Call about once a second."""
        for market in self.commands.expire(now_ms):
            self.mark(market)
        self._settle_pairs()
        for market in self.pricer.due(now_ms):
            self.mark(market)
        for market in self._selector.due(now_ms):
            self.mark(market)
        for market in self._consensus_markets.due(now_ms):
            self.mark(market)

    def adopt(self, pricer: Pricer) -> None:
        """Price all markets by other rules, for other profiles, from the next flush on. Equal prices are not published again."""
        pricer.follow_clock(self._clock_step_ms)
        pricer.inherit(self.pricer)
        self.pricer = pricer
        self.profiles = tuple(pricer.profiles)
        self.commands.use(pricer)
        self._sources.use(pricer)
        self._mark_all()

    def choose_by(self, sourcing: Sequence[SourcingRule]) -> None:
        """Choose sources by other rules from the next flush on."""
        self._selector.use(sourcing)
        self._sources.has_rules = bool(sourcing)
        self._mark_all()

    def use_sources(self, sources: Sequence[str], now_ms: int) -> None:
        """Take over other sources, most preferred first, from the next flush on; see `SourceIntake.use_sources`."""
        self._intake.use_sources(sources, now_ms)
        self._settle_pairs()
        for book in self.books.values():
            # The first source describes an event, and another one may be it now.
            for event in book.events:
                self.mark_event(event)
        self._mark_all()

    def match_by(self, matching: MatchingSettings) -> None:
        """Match events by other settings from now on."""
        self._intake.match_by(matching)

    def _mark_all(self) -> None:
        for market in [each for source in self.books for each in self._directory.markets_of(source).values()]:
            self.mark(market)

    def follow_clock(self, step_ms: int) -> None:
        """Compare times with the starts of events as if they were later by a number of milliseconds; see `ProcessClock`."""
        self._clock_step_ms = step_ms
        self.pricer.follow_clock(step_ms)

    def flush(self, shard: int, now_ms: int, time_slice: TimeSlice | None = None) -> bool:
        """Price what is dirty in a shard and stage it in the shard's offer. Return whether nothing was put off.

        Args:
            shard: the shard.
            now_ms: Unix milliseconds, for rules on the time to an event's start.
            time_slice: how much is done at once where a lot is dirty; the rest is put off to the next flush. None: everything.
        """
        backlog, dirty, offer = self._backlogs[shard], self._dirty, self.offers[shard]
        if offer.profiles is not self.profiles:
            offer.change_profiles(self.profiles)
        if time_slice is not None and (backlog or dirty.count(shard) > time_slice.whole_up_to):
            # At first nobody knows how many other shards have as much to do.
            time_slice.begin(sum(map(bool, self._backlogs)) if backlog else len(self._backlogs))
            flush_part(self, dirty, backlog, shard, now_ms, time_slice)
        else:
            if backlog:
                dirty.add(shard, *backlog.take())
            self.flush_dirty(shard, now_ms)
            backlog.commanded.clear()
        if not backlog.commanded:
            offer.commands = self.commands.obeyed
        return not backlog

    def flush_dirty(self, shard: int, now_ms: int) -> None:
        """Stage what is dirty in a shard, all of it, without what was put off."""
        offer = self.offers[shard]
        if self._dirty.leaving[shard]:
            for event in self._dirty.take_leaving(shard):
                self._leave(offer, event)
        if self._dirty.events[shard]:
            for event in self._dirty.take_events(shard):
                self._stage_event(offer, event)
        self._reprice_dirty(offer, shard, now_ms)
        if (scores := self.pricer.scores) is not None and scores.has_moved:
            for market in settle(scores, now_ms, self.mark, partial(self._reprice_dirty, offer, shard, now_ms)):
                self.offers[self.shard_of_market(market)].suspend(market, "arbitrage")
                self.pricer.publish_whole(market)

    def stage_event(self, shard: int, event: EventId, *, is_leaving: bool, is_changed: bool) -> None:
        """Stage the description of an event, or withdraw it; see `flush_part`."""
        if is_leaving:
            self._leave(self.offers[shard], event)
        if is_changed:
            self._stage_event(self.offers[shard], event)

    def stage_suspension(self, shard: int, market: MarketId, now_ms: int) -> AbstractSet[MarketId] | None:
        """Stage an open market that is to be suspended, whatever its price. Return the others to be priced because of it.

        Return None, and stage nothing, if it is to be priced.
        """
        offer = self.offers[shard]
        record = offer.markets.get(market)
        if record is None or record.state.status != "open":
            return None
        return self._reprice(offer, market, now_ms, only_suspensions=True)

    def _reprice_dirty(self, offer: OwnedOffer, shard: int, now_ms: int) -> None:
        for _ in range(MAX_REPRICE_ROUNDS):
            markets = self._dirty.markets[shard]
            if not markets:
                return
            self._dirty.markets[shard] = set()
            for market in sorted(markets) if len(markets) > 1 else markets:
                if self._may_move(offer, market, now_ms):
                    for other in self._reprice(offer, market, now_ms) or ():
                        self.mark(other)

    def _may_move(self, offer: OwnedOffer, market: MarketId, now_ms: int) -> bool:
        """Check whether a market that is dirty may be offered otherwise than before: most updates are deep in an order book."""
        choice, commands = self._dirty.chosen.get(market), self.commands
        if choice is None or (commands.is_active and not commands.is_as_ruled(choice.definition, offer, now_ms, self.pricer)):
            return True
        return self.pricer.has_moved(market, now_ms)

    def _leave(self, offer: OwnedOffer, event: EventId) -> None:
        if any(event in book.events for book in self.books.values()):
            self.mark_event(event)
        elif event in offer.events:
            self._withdraw(offer, event)

    def _stage_event(self, offer: OwnedOffer, event: EventId) -> None:
        described = self._events.describe(event)
        if described is None:
            return
        offer.stage_event(in_first_competition(described.event, offer.events.get(event)))
        if (scores := self.pricer.scores) is not None:
            for market in scores.update_event(described.event):
                self.mark(market)
        if described.concerns_prices:
            for market in offer.events[event].markets:
                self.mark(market)
        for market in self._orphaned.pop(event, ()):
            self.mark(market)

    def _reprice(
        self, offer: OwnedOffer, market: MarketId, now_ms: int, *, only_suspensions: bool = False
    ) -> AbstractSet[MarketId] | None:
        """Price a market and stage it. Return the other markets that must be priced again because of it.

        With `only_suspensions`, return None where it is to be priced.
        """
        commands = self.commands
        choice = self._dirty.chosen.get(market) or self.choose(market, now_ms)[0]
        if choice is None:
            return self._withdrawn.stage(market, offer, commands, self.pricer, now_ms)
        self._withdrawn.forget(market)
        ruling = commands.rule(choice.definition, offer, now_ms, self.pricer) if commands.is_active else None
        if ruling is not None and ruling.decides:
            priced = self.pricer.suspend(choice.definition, TRADER)
        elif choice.reason is not None:
            priced = self.pricer.suspend(choice.definition, choice.reason)
        elif only_suspensions and choice.definition.status == "open" and (ruling is None or not ruling.has_gaps):
            return None
        else:
            event = self.event_of(choice.market, choice.definition)
            other_sources = partial(self._sources.other_live, market, choice.market)
            priced = self.pricer.price(choice.market, choice.definition, event, now_ms, other_sources)
            self._keep(market, choice)
            if priced.market is None:
                changes = priced.changes if ruling is None else ruling.prices_of(priced.changes)
                if not changes or offer.stage_prices(market, changes):
                    return priced.dirty
                # These prices are not a change of what is on offer: stage the whole market.
                dirty = priced.dirty | self.pricer.withdraw(market)
                priced = self.pricer.price(choice.market, choice.definition, event, now_ms, other_sources)
                priced = priced._replace(dirty=priced.dirty | dirty)
        event_id = choice.definition.event
        if priced.market is not None and ruling is not None:
            priced = priced._replace(market=ruling.applied(priced.market))
        if priced.market is not None:
            if event_id not in offer.events and choice.reason is None:
                returned = offer.bring_back(priced.market, choice.market.source)
                if returned is not None:
                    self._events.bring_back(returned)
            offer.stage_market(priced.market)
        if event_id not in offer.events:
            self._orphaned.setdefault(event_id, set()).add(market)
            self._dirty.chosen.pop(market, None)
            return priced.dirty | self.pricer.forget(market)
        return priced.dirty

    def _keep(self, market: MarketId, choice: ChosenSource) -> None:
        """Keep the choice of a market's only source, until it is marked for more than moved prices."""
        if market in self._dirty.chosen:
            return
        sources = self._directory.sources_of(market)
        if len(sources) == 1 and choice.market.source in sources:
            self._dirty.chosen[market] = choice

    def retire(self, shard: int, now_ms: int, keep_ms: int) -> None:
        """Remove the events that have had no market to bet on for a while.

        Args:
            shard: the shard to look through.
            now_ms: Unix milliseconds.
            keep_ms: how long such an event stays on offer, in milliseconds.
        """
        offer = self.offers[shard]
        for event in self._ended.due(offer, now_ms, keep_ms):
            self._remove(offer, event)

    def release(self, shard: int) -> None:
        """Drop the offer of a shard that another engine owns. What the sources say of it is kept, to price it again."""
        for event, entry in self.offers[shard].events.items():
            self._ended.forget(event)
            self._events.drop(event)
            for market in entry.markets:
                self._dirty.chosen.pop(market, None)
                self.pricer.forget(market)
                self._consensus_markets.forget(market)
                self._withdrawn.forget(market)
                self.commands.forget(market, self.pricer)
        self.offers[shard] = OwnedOffer(self.profiles)
        self._backlogs[shard].clear()
        for event, markets in self._unowned.by_event({shard}, len(self.offers)).items():
            self._dirty.events[shard].add(event)
            self._dirty.markets[shard] |= markets

    def retire_unowned(self, shards: AbstractSet[int], now_ms: int, keep_ms: int) -> None:
        """Forget the events of shards of other engines that have had no market to bet on for `keep_ms`."""
        for event, markets in self._unowned.take_ended(shards, len(self.offers), now_ms, keep_ms):
            self._forget(event, markets)
            self._intake.forget_event(event)

    def _remove(self, offer: OwnedOffer, event: EventId) -> None:
        closed_by: set[str] = set()
        for market in offer.events[event].markets:
            closed_by.update(self._selector.closed_by(market))
            for source, source_id in self._directory.sources_of(market).items():
                held = self.books[source].markets.pop(source_id, None)
                if held is not None and held.definition is not None and held.definition.status == "closed":
                    closed_by.add(source)
        self._withdraw(offer, event, frozenset(closed_by))
        self._intake.forget_event(event)

    def _withdraw(self, offer: OwnedOffer, event: EventId, closed_by: frozenset[str] | None = None) -> None:
        """Remove an event from the offer, with the state of its markets. `closed_by` is that of `OwnedOffer.remove_event`."""
        self._forget(event, offer.events[event].markets)
        offer.remove_event(event, closed_by)

    def _forget(self, event: EventId, markets: Iterable[MarketId]) -> None:
        self._ended.forget(event)
        self._events.forget(event)
        for market in markets:
            self._directory.forget(market)
            self._dirty.chosen.pop(market, None)
            # The markets that this makes dirty are of the same event, and gone with it.
            self.pricer.forget(market)
            self._selector.forget(market)
            self._consensus_markets.forget(market)
            self._withdrawn.forget(market)
            self.commands.forget(market, self.pricer)
