"""From feed updates to what is published, without I/O: source books, selection, pricing, offer.

Updates only mark markets; a market is priced once a flush however often it moved since. Time is an argument, so the same
updates in the same flushes give the same published bytes.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, shard_of
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.pricing.market.consensus_markets import CONSENSUS, ConsensusMarkets
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.matching.event_id_mapper import EventIdMapper
from oddsengine.sourcing.matching.matcher import Matcher, MatchingSettings, feed_of
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.sourcing.source_selector import ConsensusInput, SourceSelector

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import FeedUpdate, MarketDefinition, UpdateBatch
    from oddsengine.domain.ids import MarketId
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.pricing.market.consensus import Consensus
    from oddsengine.pricing.pricer import Pricer
    from oddsengine.sourcing.source_book import SourceMarket
    from oddsengine.sourcing.source_selector import ChosenSource, SourcingRule

#: Why a market is suspended while its state of before a change of owner has not been confirmed.
RECOVERING = "recovering"
#: Why a market is suspended that its sources offer no more.
WITHDRAWN = "withdrawn"
#: How often markets that others disturbed may disturb further ones in one flush; the rest waits for the next.
_MOST_RIPPLES: Final = 8


class Pipeline:
    """All that becomes of feed updates in one engine.

    Args:
        pricer: prices markets for every profile.
        sources: source names, most preferred first.
        shards: how many sequences the changes are spread over.
        sourcing: how markets choose their sources.
        matching: when events of different feeds are one.
    """

    def __init__(
        self,
        pricer: Pricer,
        sources: Sequence[str],
        shards: int = 1,
        sourcing: Sequence[SourcingRule] = (),
        matching: MatchingSettings | None = None,
    ) -> None:
        self.pricer = pricer
        self.selector = SourceSelector(sourcing)
        self._chooses = bool(sourcing)
        #: None where one feed speaks alone and nothing can be matched
        self.id_mapper: EventIdMapper | None = None
        if len({feed_of(source) for source in sources}) > 1:
            self.id_mapper = EventIdMapper(Matcher(matching or MatchingSettings()))
        self._consensus_markets = ConsensusMarkets()
        self.books = {source: SourceBook(source) for source in sources}
        self.offers = [OwnedOffer(tuple(pricer.profiles)) for _ in range(shards)]
        self._dirty: list[set[MarketId]] = [set() for _ in range(shards)]
        self._dirty_events: list[set[EventId]] = [set() for _ in range(shards)]
        #: market -> the sources that quote it and their own ids for it
        self._quoted_by: dict[MarketId, dict[str, str]] = {}
        self._markets_of: dict[str, dict[str, MarketId]] = {source: {} for source in sources}
        self._dead_since: dict[EventId, int] = {}
        #: events as they were last put on offer
        self._published: dict[EventId, Event] = {}
        #: markets whose event nobody has described yet
        self._homeless: dict[EventId, set[MarketId]] = {}

    def receive(self, batch: UpdateBatch, now_ms: int) -> None:
        """Take updates of one source into its book and mark what they touch.

        Args:
            batch: the updates.
            now_ms: our clock, Unix milliseconds; stands in where the provider gave no time.
        """
        source = batch.source
        book = self.books[source]
        names = self._markets_of[source]
        published_ms = batch.published_ms if batch.published_ms is not None else now_ms
        for update in batch.updates if self.id_mapper is None else self._translated(source, batch.updates):
            book.apply(update, published_ms, now_ms)
            if type(update) is MarketUpdate:
                if update.definition is not None:
                    self._name(source, update.market, update.definition.id)
                market = names.get(update.market)
                if market is not None:
                    self._mark(market)
            elif type(update) is EventUpdate:
                event = update.event.id
                self._dirty_events[shard_of(event, len(self.offers))].add(event)
            elif type(update) is MarketGone:
                market = names.pop(update.market, None)
                if market is not None:
                    self._gone(source, update.market, market)
            elif type(update) is SourceStatus:
                for market in names.values():
                    self._mark(market)
                # Who describes an event depends on who can be trusted.
                for event in book.events if len(self.books) > 1 else ():
                    self._dirty_events[shard_of(event, len(self.offers))].add(event)

    def agrees(self, batch: UpdateBatch) -> bool:
        """Tell whether fresh images of a source say what is held of it already; changes nothing."""
        return agrees(self.books[batch.source], batch)

    def _translated(self, source: str, updates: Iterable[FeedUpdate]) -> Iterator[FeedUpdate]:
        """Say updates in the ids of the events they were matched to."""
        id_mapper = self.id_mapper
        assert id_mapper is not None  # noqa: S101 - the caller looked
        for update in updates:
            if type(update) is EventUpdate:
                event, moved = id_mapper.map_event(update.event)
                if moved:
                    self._move(update.event.id)
                yield EventUpdate(event)
            elif type(update) is MarketUpdate and update.definition is not None:
                definition = id_mapper.map_market(source, update.market, update.definition)
                yield MarketUpdate(update.market, update.image, definition, update.books)
            else:
                yield update

    def _gone(self, source: str, source_id: str, market: MarketId) -> None:
        self._quoted_by[market].pop(source, None)
        self._mark(market)
        if self.id_mapper is not None:
            self.id_mapper.remove_market(source, source_id, EventId(market.partition("/")[0]))

    def _move(self, event: EventId) -> None:
        """Put what was said of a feed's own event where it belongs since it was matched."""
        id_mapper = self.id_mapper
        assert id_mapper is not None  # noqa: S101 - the caller looked
        for source, source_id, definition in id_mapper.mapped_markets(event):
            held = self.books[source].markets.get(source_id)
            if held is not None:
                held.define(definition)
                self._name(source, source_id, definition.id)
                self._mark(definition.id)
        placement = id_mapper.matcher.placement(event)
        if placement is not None and placement.event != event:
            offer = self.offers[shard_of(event, len(self.offers))]
            if event in offer.events:
                self._withdraw(offer, event)

    def flush(self, shard: int, now_ms: int) -> None:
        """Price what was marked in a shard and put it on offer; the offer then cuts the batch.

        Args:
            shard: which.
            now_ms: Unix milliseconds, for rules on the time to an event's start.
        """
        offer = self.offers[shard]
        events = self._dirty_events[shard]
        if events:
            self._dirty_events[shard] = set()
            # Sets have no order of their own that is the same in every process; published bytes must be.
            for event in sorted(events):
                described = self._described(event)
                if described is not None:
                    described = self._published[event] = _in_its_place(described, offer.events.get(event))
                    offer.stage_event(described)
                    for market in self._homeless.pop(event, ()):
                        self._mark(market)
        for _ in range(_MOST_RIPPLES):
            markets = self._dirty[shard]
            if not markets:
                return
            self._dirty[shard] = set()
            for market in sorted(markets) if len(markets) > 1 else markets:
                for other in self._reprice(offer, market, now_ms):
                    self._mark(other)

    def _described(self, event: EventId) -> Event | None:
        """Give an event as the first source that can be trusted describes it, else as the first that does."""
        describing = [book for book in self.books.values() if event in book.events]
        if not describing:
            return None
        return next((book for book in describing if book.health == "live"), describing[0]).events[event]

    def _name(self, source: str, source_id: str, market: MarketId) -> None:
        names = self._markets_of[source]
        before = names.get(source_id)
        if before == market:
            return
        if before is not None:
            self._quoted_by[before].pop(source, None)
            self._mark(before)
        names[source_id] = market
        self._quoted_by.setdefault(market, {})[source] = source_id

    def _mark(self, market: MarketId) -> None:
        if len(self.offers) == 1:
            self._dirty[0].add(market)
        else:
            self._dirty[self.shard_of_market(market)].add(market)

    def shard_of_market(self, market: MarketId) -> int:
        """Tell which shard publishes a market."""
        return shard_of(market.partition("/")[0], len(self.offers))  # type: ignore[arg-type]

    def quoting(self, market: MarketId) -> Iterator[tuple[SourceBook, SourceMarket]]:
        """Give the sources that quote a market with what they say of it, most preferred first."""
        quoted_by = self._quoted_by.get(market)
        if quoted_by:
            for source, book in self.books.items():
                source_id = quoted_by.get(source)
                if source_id is not None and source_id in book.markets:
                    yield book, book.markets[source_id]

    def adopt(self, pricer: Pricer) -> None:
        """Price everything anew by other rules; what comes out the same is not published again.

        Raises:
            ValueError: if the profiles are not those whose prices are on offer, in their order.
        """
        if list(pricer.profiles) != list(self.pricer.profiles):
            raise ValueError(
                f"profiles can't be added, removed or put in another order while running: "
                f"{', '.join(self.pricer.profiles)} are on offer, {', '.join(pricer.profiles)} were given"
            )
        self.pricer = pricer
        for names in self._markets_of.values():
            for market in names.values():
                self._mark(market)

    def tick(self, now_ms: int) -> None:
        """Mark the markets for which another rule may hold by now; call about once a second."""
        for market in self.pricer.due(now_ms):
            self._mark(market)
        for market in self.selector.due(now_ms):
            self._mark(market)

    def event_of(self, market: SourceMarket, definition: MarketDefinition) -> Event | None:
        """Give the event of a market as it is on offer, else as the source that prices it describes it."""
        event = self._published.get(definition.event)
        if event is not None:
            return event
        book = self.books.get(market.source)
        return None if book is None else book.events.get(definition.event)

    def choose(self, market: MarketId, now_ms: int, *, remember: bool = True) -> tuple[ChosenSource | None, Consensus | None]:
        """Choose who prices a market; where several do together, also what they agreed on.

        Args:
            market: which.
            now_ms: Unix milliseconds.
            remember: whether the choice is made for good, so that later ones return to a better source only after a while.
        """
        quoting = list(self.quoting(market))
        event = self._published.get(EventId(market.partition("/")[0])) if self._chooses else None
        choice = self.selector.choose(market, quoting, event, now_ms, remember=remember)
        if not isinstance(choice, ConsensusInput):
            return choice, None
        definition = self._consensus_markets.definition_for(market, choice.members[0][1])
        profile = self.pricer.consensus_profile(CONSENSUS, definition, event, now_ms)
        return self._consensus_markets.combine(market, choice, profile)

    def _reprice(self, offer: OwnedOffer, market: MarketId, now_ms: int) -> AbstractSet[MarketId]:
        """Price a market and put it on offer. Returns the other markets that must be priced again because of it."""
        choice, _ = self.choose(market, now_ms)
        if choice is None:
            offer.suspend(market, WITHDRAWN)
            return self.pricer.forget(market)
        if choice.reason is not None:
            priced = self.pricer.suspend(choice.definition, choice.reason)
        else:
            event = self.event_of(choice.market, choice.definition)
            others = partial(self._live_others, market, choice.market)
            priced = self.pricer.price(choice.market, choice.definition, event, now_ms, others)
            if priced.market is None:
                if not priced.changes or offer.stage_prices(market, priced.changes):
                    return priced.dirty
                # The offer is not what these prices are a change of: publish the whole market.
                dirty = priced.dirty | self.pricer.forget(market)
                priced = self.pricer.price(choice.market, choice.definition, event, now_ms, others)
                priced = priced._replace(dirty=priced.dirty | dirty)
        if priced.market is not None:
            offer.stage_market(priced.market)
        event_id = choice.definition.event
        if event_id not in offer.events:
            self._homeless.setdefault(event_id, set()).add(market)
            return priced.dirty | self.pricer.forget(market)
        return priced.dirty

    def _live_others(self, market: MarketId, chosen: SourceMarket) -> list[SourceMarket]:
        return [other for book, other in self.quoting(market) if other is not chosen and book.health == "live"]

    def retire(self, shard: int, now_ms: int, keep_ms: int) -> None:
        """Remove events of which nothing can be bet on any more, once they have been so for a while.

        Args:
            shard: the shard to look through.
            now_ms: Unix milliseconds.
            keep_ms: how long such an event stays on offer, in milliseconds.
        """
        offer = self.offers[shard]
        for event in list(offer.events):
            if not all(_is_dead(market) for market in offer.events[event].markets.values()):
                self._dead_since.pop(event, None)
            elif now_ms - self._dead_since.setdefault(event, now_ms) >= keep_ms:
                self._remove(offer, event)

    def _remove(self, offer: OwnedOffer, event: EventId) -> None:
        for market in offer.events[event].markets:
            for source, source_id in self._quoted_by.get(market, {}).items():
                self.books[source].markets.pop(source_id, None)
                self._markets_of[source].pop(source_id, None)
        self._withdraw(offer, event)
        if self.id_mapper is not None:
            self.id_mapper.forget_event(event)

    def _withdraw(self, offer: OwnedOffer, event: EventId) -> None:
        """Take an event off the offer, with what is remembered of its markets."""
        self._dead_since.pop(event, None)
        self._published.pop(event, None)
        for market in offer.events[event].markets:
            self._quoted_by.pop(market, None)
            # The other markets that this makes dirty are of the same event, and gone with it.
            self.pricer.forget(market)
            self.selector.forget(market)
            self._consensus_markets.forget(market)
        for book in self.books.values():
            book.events.pop(event, None)
        offer.remove_event(event)


def _in_its_place(event: Event, entry: EventEntry | None) -> Event:
    """Keep an event in the sport and competition it was first published in: subscribers follow it there."""
    if entry is None:
        return event
    description = entry.record.description
    if (event.sport, event.competition) == (description.sport, description.competition):
        return event
    return msgspec.structs.replace(event, sport=description.sport, competition=description.competition)


def _is_dead(market: MarketRecord) -> bool:
    return market.state.status == "closed" or market.state.reason in {WITHDRAWN, RECOVERING}
