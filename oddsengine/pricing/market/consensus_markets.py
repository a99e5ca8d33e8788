"""Puts the sources of a consensus together into one market that is priced like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.pricing.market.consensus import agree, opinion, priced_selections
from oddsengine.pricing.methods.implied import ConsensusBook
from oddsengine.sourcing.source_book import SourceMarket
from oddsengine.sourcing.source_selector import TOO_FEW_SOURCES, ChosenSource

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.market.consensus import Consensus
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_selector import ConsensusInput

#: The source that a market priced by consensus is said to come from.
CONSENSUS = "consensus"


class ConsensusMarkets:
    """Keeps one market for each that is priced by consensus, so that pricing can go on from what it was."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, SourceMarket] = {}
        #: market -> the first member's definition, and the same under the blend's own selection ids
        self._definitions: dict[MarketId, tuple[MarketDefinition, MarketDefinition]] = {}

    def blended(self, market: MarketId, blend: ConsensusInput, settings: Profile) -> tuple[ChosenSource, Consensus | None]:
        """Put the members' fair probabilities together.

        Args:
            market: which.
            blend: its members and the rule.
            settings: how their margins are removed and their books believed.
        """
        first, said, _ = blend.members[0]
        opinions = [
            found
            for member, definition, weight in blend.members
            if (found := opinion(member, definition, settings, weight)) is not None
        ]
        # Who holds the market to be another one, say without a draw, is no witness of this one's prices.
        consensus = agree(opinions, said.winners, blend.rule.outlier, blend.rule.min_sources, priced_selections(said))
        if consensus is None:
            return ChosenSource(first, said, TOO_FEW_SOURCES), None
        held = self._markets.get(market)
        if held is None:
            held = self._markets[market] = SourceMarket(CONSENSUS, str(market))
        definition = self.defined(market, said)
        if held.definition is not definition:
            held.define(definition)
            held.books = {}
        for key, fair in consensus.fair.items():
            book = held.books.get(key)
            if not isinstance(book, ConsensusBook):
                book = held.books[key] = ConsensusBook()
            book.set_fair(fair)
        held.updated_ms = max(member.updated_ms for member, _, _ in blend.members)
        held.heard_ms = max(member.heard_ms for member, _, _ in blend.members)
        return ChosenSource(held, definition, None), consensus

    def forget(self, market: MarketId) -> None:
        """Forget a market that is gone."""
        self._markets.pop(market, None)
        self._definitions.pop(market, None)

    def defined(self, market: MarketId, said: MarketDefinition) -> MarketDefinition:
        """Give a member's definition under the blend's own selection ids; the same object for the same one."""
        known = self._definitions.get(market)
        if known is not None and known[0] is said:
            return known[1]
        selections = tuple(msgspec.structs.replace(each, source_id=str(each.key)) for each in said.selections)
        definition = msgspec.structs.replace(said, selections=selections)
        self._definitions[market] = (said, definition)
        return definition
