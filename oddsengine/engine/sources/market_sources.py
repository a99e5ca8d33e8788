"""Which sources quote a market, and which of them prices it now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.ids import EventId
from oddsengine.pricing.market.consensus_markets import CONSENSUS
from oddsengine.sourcing.source_selector import ConsensusInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.described_events import DescribedEvents
    from oddsengine.engine.sources.market_directory import MarketDirectory
    from oddsengine.pricing.market.consensus import Consensus
    from oddsengine.pricing.market.consensus_markets import ConsensusMarkets
    from oddsengine.pricing.pricer import Pricer
    from oddsengine.sourcing.source_book import SourceBook, SourceMarket
    from oddsengine.sourcing.source_selector import ChosenSource, SourceSelector


class MarketSources:
    """The sources of each market.

    Args:
        books: the sources, most preferred first.
        directory: which markets they quote.
        selector: chooses among them.
        consensus_markets: combines several.
        events: the events as the sources describe them.
        pricer: knows by which rules several are combined; see `use`.
        has_rules: whether the choice depends on the event.
    """

    def __init__(
        self,
        books: Mapping[str, SourceBook],
        directory: MarketDirectory,
        selector: SourceSelector,
        consensus_markets: ConsensusMarkets,
        events: DescribedEvents,
        pricer: Pricer,
        *,
        has_rules: bool,
    ) -> None:
        self._books = books
        self._directory = directory
        self._selector = selector
        self._consensus_markets = consensus_markets
        self._events = events
        self._pricer = pricer
        #: whether the choice depends on the event
        self.has_rules = has_rules

    def use(self, pricer: Pricer) -> None:
        """Combine sources by the rules of another pricer from now on."""
        self._pricer = pricer

    def quoting(self, market: MarketId) -> list[tuple[SourceBook, SourceMarket]]:
        """Return the sources that quote a market with their books of it, most preferred first."""
        sources = self._directory.sources_of(market)
        found: list[tuple[SourceBook, SourceMarket]] = []
        # One source, as for most markets, needs no order.
        for source in sources if len(sources) == 1 else [each for each in self._books if each in sources]:
            book = self._books[source]
            held = book.markets.get(sources[source])
            if held is not None:
                found.append((book, held))
        return found

    def note_results(self, market: MarketId, now_ms: int) -> None:
        """Note who closes a market with a result, or reopens it: at the next flush the source may be down or gone."""
        self._selector.choose(market, self.quoting(market), self._event_of(market), now_ms, begun=self._events.begun)

    def definition_of(self, market: MarketId, now_ms: int) -> MarketDefinition | None:
        """Return the definition that a market is published by, None if it has no source that may price it."""
        known = self.quoting(market)
        choice = self._selector.choose(market, known, self._event_of(market), now_ms, begun=self._events.begun, remember=False)
        return choice.members[0][1] if isinstance(choice, ConsensusInput) else choice and choice.definition

    def choose(self, market: MarketId, now_ms: int, *, remember: bool = True) -> tuple[ChosenSource | None, Consensus | None]:
        """Choose the source that prices a market; where several do together, also return their consensus.

        Args:
            market: the market.
            now_ms: Unix milliseconds.
            remember: whether the choice counts, so that a later return to a better source waits for the configured time.
        """
        event = self._event_of(market)
        choice = self._selector.choose(market, self.quoting(market), event, now_ms, begun=self._events.begun, remember=remember)
        if not isinstance(choice, ConsensusInput):
            return choice, None
        first, first_definition, _ = choice.members[0]
        definition = self._consensus_markets.definition_for(market, first.source, first_definition)
        resolved = self._pricer.resolve(CONSENSUS, definition, event, now_ms)
        own = self._pricer.resolve_members([each.source for each, _, _ in choice.members], definition, event, now_ms)
        return self._consensus_markets.combine(market, choice, resolved, now_ms, own)

    def _event_of(self, market: MarketId) -> Event | None:
        """Return the event of a market for the sourcing rules, None where there are none."""
        return self._events.current.get(EventId(market.partition("/")[0])) if self.has_rules else None

    def event_of(self, market: SourceMarket, definition: MarketDefinition) -> Event | None:
        """Return the event of a market as it was last described, else as the source that prices the market has it."""
        event = self._events.current.get(definition.event)
        if event is not None:
            return event
        book = self._books.get(market.source)
        return None if book is None else book.events.get(definition.event)

    def other_live(self, market: MarketId, chosen: SourceMarket) -> list[SourceMarket]:
        """Return the other live sources' books of a market."""
        return [other for book, other in self.quoting(market) if other is not chosen and book.health == "live"]
