"""Combine the sources of a consensus into one market that is priced like any other."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.common.times.due_times import DueTimes
from oddsengine.pricing.market.consensus import Member, Opinions, agree_by_line, groups_by_keys
from oddsengine.pricing.market.terms import strictest
from oddsengine.pricing.methods.implied import ConsensusBook
from oddsengine.pricing.profiles.resolver import max_age_ms
from oddsengine.sourcing.source_book import SourceMarket
from oddsengine.sourcing.source_selector import TOO_FEW_SOURCES, ChosenSource

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.ids import MarketId
    from oddsengine.pricing.market.consensus import Consensus
    from oddsengine.pricing.market.outcomes import OutcomeGroup
    from oddsengine.pricing.profiles.profile import ResolvedProfile
    from oddsengine.sourcing.source_selector import ConsensusInput

#: Reason of a suspended market whose sources have been silent about it for longer than the rules allow.
SOURCE_OLD: Final = "source_old"
#: The source named for a market priced by consensus.
CONSENSUS = "consensus"
_UNBOUNDED: Final = (0.0, 1.0)
_NO_RULES: Final[Mapping[str, Sequence[ResolvedProfile]]] = {}


class ConsensusMarkets:
    """Keeps one market of consensus books for each market priced by consensus, so that it is priced incrementally."""

    def __init__(self) -> None:
        self._markets: dict[MarketId, SourceMarket] = {}
        #: market -> source -> its definition, and the same under the consensus market's own selection ids
        self._definitions: dict[MarketId, dict[str, tuple[MarketDefinition, MarketDefinition]]] = {}
        #: market -> source -> its definition, and the sets of selections of that
        self._groups: dict[MarketId, dict[str, tuple[MarketDefinition, dict[frozenset[str], OutcomeGroup]]]] = {}
        self._opinions: dict[MarketId, Opinions] = {}
        #: when a member that counted becomes too old
        self._due_times: DueTimes[MarketId] = DueTimes()

    def combine(
        self,
        market: MarketId,
        members: ConsensusInput,
        resolved: Sequence[ResolvedProfile],
        now_ms: int,
        own: Mapping[str, Sequence[ResolvedProfile]] = _NO_RULES,
    ) -> tuple[ChosenSource, Consensus | None]:
        """Combine the members' fair probabilities. Return the consensus market and what the members agreed on.

        Where too few agree, or too few have spoken lately, returns the first member's market with the reason to suspend it,
        and None.

        Args:
            market: the market.
            members: the sources and the rule that chose them.
            resolved: what applies to the market; the first profile says how margins are removed and which books are used.
            now_ms: Unix milliseconds.
            own: what applies to the market at the members that rules name. One that a rule suspends is left out.
        """
        rule = members.rule
        all_members = members.members
        limit_ms = max_age_ms(resolved)
        if own:
            suspended = {source for source, each in own.items() if any(profile.settings.suspend for profile in each)}
            all_members = [each for each in all_members if each[0].source not in suspended]
        limits_ms = {source: min(limit_ms, max_age_ms(each)) for source, each in own.items()}
        fresh = [each for each in all_members if now_ms - each[0].received_ms <= limits_ms.get(each[0].source, limit_ms)]
        first, first_definition, _ = (fresh or members.members)[0]
        if len(fresh) < rule.min_sources:
            return ChosenSource(first, first_definition, SOURCE_OLD if len(all_members) > len(fresh) else TOO_FEW_SOURCES), None
        voting = [
            Member(
                member,
                self._groups_of(market, member.source, each),
                weight,
                own[member.source][0].settings if member.source in own else None,
            )
            for member, each, weight in fresh
        ]
        opinions = self._opinions.setdefault(market, Opinions())
        opinions.keep({member.source for member, _, _ in members.members})
        consensus = agree_by_line(voting, resolved[0].settings, rule.outlier, rule.min_sources, now_ms, opinions)
        until_ms = min([each[0].received_ms + limits_ms.get(each[0].source, limit_ms) for each in fresh], default=inf)
        # At the last millisecond of its age a member still counts.
        until_ms = min(until_ms + 1, inf if consensus is None else consensus.expires_ms)
        self._due_times.put(market, until_ms)
        if consensus is None:
            return ChosenSource(first, first_definition, TOO_FEW_SOURCES), None
        held = self._update(market, self.definition_for(market, first.source, first_definition), consensus)
        definition = held.definition
        assert definition is not None  # noqa: S101 - it was set
        terms = strictest(member for member, _, _ in fresh)
        held.terms = held.terms if terms == held.terms else terms
        held.updated_ms = max(member.updated_ms for member, _, _ in fresh)
        held.received_ms = max(member.received_ms for member, _, _ in fresh)
        if len(fresh) < len(members.members):
            consensus = consensus._replace(old=tuple(each[0].source for each in members.members if each not in fresh))
        return ChosenSource(held, definition, None), consensus

    def _update(self, market: MarketId, definition: MarketDefinition, consensus: Consensus) -> SourceMarket:
        """Set the definition of a consensus market, and the fair probabilities in its books. Return the market."""
        held = self._markets.get(market)
        if held is None:
            held = self._markets[market] = SourceMarket(CONSENSUS, str(market))
        if held.definition is None or (held.definition is not definition and held.definition != definition):
            held.define(definition)
            held.books = {}
        elif held.books.keys() != consensus.fair.keys():
            held.books = {}
        for key, fair in consensus.fair.items():
            book = held.books.get(key)
            if not isinstance(book, ConsensusBook):
                book = held.books[key] = ConsensusBook()
            if book.set_fair(fair, consensus.bounds.get(key, _UNBOUNDED)):
                held.moves += 1
        return held

    def due(self, now_ms: int) -> list[MarketId]:
        """Return the markets of which a member has become too old since they were last combined."""
        return self._due_times.take(now_ms)

    def forget(self, market: MarketId) -> None:
        """Drop a market that is gone."""
        self._markets.pop(market, None)
        self._definitions.pop(market, None)
        self._groups.pop(market, None)
        self._opinions.pop(market, None)
        self._due_times.forget(market)

    def definition_for(self, market: MarketId, source: str, definition: MarketDefinition) -> MarketDefinition:
        """Return a member's definition under the consensus market's own selection ids.

        Cached by the identity of the definition: the same object returns the same object.
        """
        cached = self._definitions.setdefault(market, {})
        known = cached.get(source)
        if known is not None and known[0] is definition:
            return known[1]
        selections = tuple(msgspec.structs.replace(each, source_id=str(each.key)) for each in definition.selections)
        renamed = msgspec.structs.replace(definition, selections=selections)
        cached[source] = (definition, renamed)
        return renamed

    def _groups_of(self, market: MarketId, source: str, definition: MarketDefinition) -> dict[frozenset[str], OutcomeGroup]:
        """Return the sets of selections of a definition; cached like `definition_for`."""
        cached = self._groups.setdefault(market, {})
        known = cached.get(source)
        if known is not None and known[0] is definition:
            return known[1]
        groups = groups_by_keys(definition)
        cached[source] = (definition, groups)
        return groups
