"""Combine the sources of a consensus into one market that is priced like any other."""

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

#: The source named for a market priced by consensus.
CONSENSUS = "consensus"


class ConsensusMarkets:
    """Keeps one market of consensus books for each market priced by consensus, so that it is priced incrementally."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, SourceMarket] = {}
        #: market -> the first member's definition, and the same under the consensus market's own selection ids
        self._definitions: dict[MarketId, tuple[MarketDefinition, MarketDefinition]] = {}

    def combine(self, market: MarketId, members: ConsensusInput, profile: Profile) -> tuple[ChosenSource, Consensus | None]:
        """Combine the members' fair probabilities. Returns the consensus market and what the members agreed on.

        Where too few agree, returns the first member's market with the reason to suspend it, and None.

        Args:
            market: the market.
            members: the sources and the rule that chose them.
            profile: how margins are removed and which books are used.
        """
        rule = members.rule
        first, first_definition, _ = members.members[0]
        opinions = [
            found
            for member, definition, weight in members.members
            if (found := opinion(member, definition, profile, weight)) is not None
        ]
        # A source with other selections, say without a draw, has prices of another market.
        selections = priced_selections(first_definition)
        consensus = agree(opinions, first_definition.winners, rule.outlier, rule.min_sources, selections)
        if consensus is None:
            return ChosenSource(first, first_definition, TOO_FEW_SOURCES), None
        held = self._markets.get(market)
        if held is None:
            held = self._markets[market] = SourceMarket(CONSENSUS, str(market))
        definition = self.definition_for(market, first_definition)
        if held.definition is not definition:
            held.define(definition)
            held.books = {}
        for key, fair in consensus.fair.items():
            book = held.books.get(key)
            if not isinstance(book, ConsensusBook):
                book = held.books[key] = ConsensusBook()
            book.set_fair(fair)
        held.updated_ms = max(member.updated_ms for member, _, _ in members.members)
        held.received_ms = max(member.received_ms for member, _, _ in members.members)
        return ChosenSource(held, definition, None), consensus

    def forget(self, market: MarketId) -> None:
        """Drop a market that is gone."""
        self._markets.pop(market, None)
        self._definitions.pop(market, None)

    def definition_for(self, market: MarketId, definition: MarketDefinition) -> MarketDefinition:
        """Return a member's definition under the consensus market's own selection ids.

        Cached by the identity of the definition: the same object returns the same object.
        """
        known = self._definitions.get(market)
        if known is not None and known[0] is definition:
            return known[1]
        selections = tuple(msgspec.structs.replace(each, source_id=str(each.key)) for each in definition.selections)
        renamed = msgspec.structs.replace(definition, selections=selections)
        self._definitions[market] = (definition, renamed)
        return renamed
