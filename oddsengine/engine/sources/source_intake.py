"""The intake of updates of sources: their books, the markets that they quote, and which of their events are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.domain.ids import EventId
from oddsengine.engine.matched_events import MatchedEvents
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.matching.event_id_mapper import EventIdMapper
from oddsengine.sourcing.matching.matcher import Matcher, feed_of
from oddsengine.sourcing.source_book import SourceBook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import FeedUpdate
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.flushing.dirty_sets import DirtySets
    from oddsengine.engine.sources.market_directory import MarketDirectory
    from oddsengine.engine.sources.market_sources import MarketSources
    from oddsengine.engine.sources.withdrawn_markets import WithdrawnMarkets
    from oddsengine.sourcing.matching.settings import MatchingSettings
    from oddsengine.sourcing.source_selector import SourceSelector


class SourceIntake:
    """Applies updates to the source books, and marks what they touch dirty.

    Args:
        books: the sources, most preferred first; this adds and removes them.
        directory: which markets they quote.
        market_sources: chooses among them; is notified of results.
        selector: is notified of markets that a source no longer quotes.
        withdrawn: is notified of the same, to keep how they were defined last.
        dirty: what the next flush has to do.
        matching: when events of different feeds are the same.
        defers_matching: see `Pipeline`.
    """

    def __init__(
        self,
        books: dict[str, SourceBook],
        directory: MarketDirectory,
        market_sources: MarketSources,
        selector: SourceSelector,
        withdrawn: WithdrawnMarkets,
        dirty: DirtySets,
        matching: MatchingSettings,
        defers_matching: bool,  # noqa: FBT001 - it is wired once
    ) -> None:
        self._books = books
        self._directory = directory
        self._market_sources = market_sources
        self._selector = selector
        self._withdrawn = withdrawn
        self._matching = matching
        self._defers_matching = defers_matching
        self.mark, self.mark_event, self.leave = dirty.mark, dirty.mark_event, dirty.leave
        self._mark_moved = dirty.mark_moved
        #: both None with a single feed, where nothing can be matched
        self.id_mapper: EventIdMapper | None = None
        self.matched: MatchedEvents | None = None
        self._match_feeds()

    @property
    def matcher(self) -> Matcher | None:
        """The matcher, which decides which events are the same; None with a single feed."""
        return None if self.id_mapper is None else self.id_mapper.matcher

    def receive(self, batch: UpdateBatch, now_ms: int) -> None:
        """Apply updates of one source to its book and mark what they touch dirty. Those of an unknown source have no effect.

        Args:
            batch: the updates.
            now_ms: our clock, Unix milliseconds; stands in where the provider gave no time.
        """
        book = self._books.get(batch.source)
        # A feed that was removed from the config may still send.
        if book is not None:
            self._apply(book, batch, now_ms)

    def _apply(self, book: SourceBook, batch: UpdateBatch, now_ms: int) -> None:
        source, directory = batch.source, self._directory
        names = directory.markets_of(source)
        published_ms = batch.published_ms if batch.published_ms is not None else now_ms
        for update in batch.updates if self.matched is None else self.matched.mapped(source, batch.updates):
            if type(update) is MarketGone:
                # What the source has said of it is in its book only now.
                self._note_withdrawal(source, update.market, now_ms)
            book.apply(update, published_ms, now_ms)
            if type(update) is MarketUpdate:
                definition = update.definition
                if definition is not None and (self.matched is None or not self.matched.withholds(definition.event)):
                    self.assign(source, update.market, definition.id)
                    self._note_results(definition.id, now_ms, is_closed=definition.status == "closed")
                market = names.get(update.market)
                if market is None:
                    continue
                if definition is None and not update.image and not directory.unquoted:
                    self._mark_moved(market)
                else:
                    directory.restore(source, update.market)
                    self.mark(market)
            elif type(update) is EventUpdate:
                self.mark_event(update.event.id)
            elif type(update) is MarketGone:
                self._remove_quote(source, update.market)
            elif type(update) is SourceStatus:
                self._mark_all_of(book, now_ms)

    def _mark_all_of(self, book: SourceBook, now_ms: int) -> None:
        """Mark everything of a source whose health has changed."""
        for market in self._directory.markets_of(book.source).values():
            self._note_results(market, now_ms)
            self.mark(market)
        # The health of a source decides whether its description of an event is used.
        for event in book.events if len(self._books) > 1 else ():
            self.mark_event(event)

    def _note_results(self, market: MarketId, now_ms: int, *, is_closed: bool = False) -> None:
        if is_closed or self._selector.has_closing(market):
            self._market_sources.note_results(market, now_ms)

    def _note_withdrawal(self, source: str, source_id: str, now_ms: int) -> None:
        market = self._directory.markets_of(source).get(source_id)
        if market is not None:
            self._withdrawn.note(market, now_ms)

    def assign(self, source: str, source_id: str, market: MarketId) -> None:
        """Assign a source's id to a market. The market it was assigned to before is no longer quoted by it."""
        before = self._directory.assign(source, source_id, market)
        if before is not None:
            self._selector.retract(before, source)
            self._withdrawn.retract(before)
            self.mark(before)

    def agrees(self, batch: UpdateBatch) -> bool:
        """Check whether new images of a source equal what its book holds. Changes nothing."""
        return agrees(self._books[batch.source], batch)

    def use_sources(self, sources: Sequence[str], now_ms: int) -> None:
        """Take over other sources, most preferred first. Markets of those that are gone have the prices of others, if any.

        Args:
            sources: their names.
            now_ms: Unix milliseconds.
        """
        for source in [each for each in self._books if each not in sources]:
            self._remove_source(source, now_ms)
        books = {source: self._books.get(source) or SourceBook(source) for source in sources}
        # Everything that knows the sources has this mapping, whose order is that of preference.
        self._books.clear()
        self._books.update(books)
        self._directory.use_sources(sources)
        self._match_feeds()

    def _remove_source(self, source: str, now_ms: int) -> None:
        book = self._books[source]
        gone: list[FeedUpdate] = [MarketGone(market) for market in book.markets]
        self.receive(UpdateBatch(source, None, [SourceStatus("down", "removed from the config"), *gone]), now_ms)
        book.events.clear()
        self._selector.forget_source(source)

    def match_by(self, settings: MatchingSettings) -> None:
        """Match events by other settings from now on."""
        self._matching = settings
        if self.matched is not None:
            self.matched.match_by(settings)

    def _match_feeds(self) -> None:
        """Begin to match events once there are several feeds."""
        if self.matched is not None or len({feed_of(source) for source in self._books}) <= 1:
            return
        self.id_mapper = EventIdMapper(Matcher(self._matching, defers=self._defers_matching))
        self.matched = matched = MatchedEvents(self.id_mapper, self._books, self)
        for source, book in self._books.items():
            # What the only feed so far has said: its events come first, and keep their ids.
            known: list[FeedUpdate] = [EventUpdate(event) for event in book.events.values()]
            known += [
                MarketUpdate(each.source_id, definition=each.definition) for each in book.markets.values() if each.definition
            ]
            for _ in matched.mapped(source, known):
                pass

    def forget_event(self, event: EventId) -> None:
        """Forget which events were the same as one that is gone."""
        if self.id_mapper is not None:
            self.id_mapper.forget_event(event)

    def _remove_quote(self, source: str, source_id: str) -> None:
        market = self._directory.remove(source, source_id)
        if market is None:
            return
        self.mark(market)
        if self.matched is not None:
            self.matched.remove_market(source, source_id, EventId(market.partition("/")[0]))
