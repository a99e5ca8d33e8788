"""Several sources combined into one market."""

from __future__ import annotations

import msgspec
import pytest

from oddsengine.domain.changes import MarketTerms
from oddsengine.domain.feed_updates import BookChange, MarketDefinition
from oddsengine.domain.ids import MarketId
from oddsengine.pricing.market.consensus_markets import CONSENSUS, ConsensusMarkets
from oddsengine.pricing.methods.implied import ConsensusBook
from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from oddsengine.sourcing.source_selector import TOO_FEW_SOURCES, ConsensusInput
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_definition

MARKET = MarketId("e1/match_odds")
RESOLVED = (ResolvedProfile(Profile(), ()),)
RULE = SourcingRule(mode="consensus", min_sources=2)


def a_member(source: str, home: float, received_ms: int = 1) -> tuple[SourceMarket, MarketDefinition, float]:
    market, definition = SourceMarket(source, "1.1"), a_definition()
    market.define(definition)
    market.received_ms = market.updated_ms = received_ms
    for key, odds in (("s-home", home), ("s-away", 1 / (1 - 1 / home))):
        market.books[key] = SelectionBook()
        market.books[key].apply(BookChange(key, quote=odds))
    return market, definition, 1.0


def test_the_combined_market_is_priced_like_any_other() -> None:
    members = [a_member("a", 2.0, received_ms=3), a_member("b", 2.0, received_ms=7)]
    choice, consensus = ConsensusMarkets().combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    assert consensus is not None
    assert ("a", "b") == consensus.used
    assert (CONSENSUS, None, 7, 7) == (choice.market.source, choice.reason, choice.market.received_ms, choice.market.updated_ms)
    assert {"home", "away"} == choice.market.books.keys() == {each.source_id for each in choice.definition.selections}
    book = choice.market.books["home"]
    assert isinstance(book, ConsensusBook)
    assert 0.5 == pytest.approx(book.fair)


def test_of_several_limits_and_delays_the_strictest_hold() -> None:
    markets, members = ConsensusMarkets(), [a_member("a", 2.0), a_member("b", 2.0), a_member("c", 2.0)]
    for (member, definition, _), (limit, delay_s) in zip(members, ((90.0, None), (50.0, 2.0), (None, 5.0)), strict=True):
        member.define(msgspec.structs.replace(definition, limit=limit, bet_delay_s=delay_s))
    choice, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 1)
    terms = choice.market.terms
    assert MarketTerms(False, 50.0, 5.0) == terms
    choice, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 1)
    assert terms is choice.market.terms


def test_the_same_probabilities_change_nothing() -> None:
    """Objects are kept, so that pricing is incremental."""
    markets, members = ConsensusMarkets(), [a_member("a", 2.0), a_member("b", 2.0)]
    first, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    versions = {key: book.version for key, book in first.market.books.items()}
    again, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    assert (again.market, again.definition) == (first.market, first.definition)
    assert again.definition is first.definition
    assert versions == {key: book.version for key, book in again.market.books.items()}


def test_another_definition_begins_with_new_books() -> None:
    markets, members = ConsensusMarkets(), [a_member("a", 2.0), a_member("b", 2.0)]
    first, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    books = first.market.books
    redefined = [(market, a_definition(in_play=True), weight) for market, _, weight in members]
    again, _ = markets.combine(MARKET, ConsensusInput(redefined, RULE), RESOLVED, 7)
    assert again.market is first.market
    assert again.definition.in_play
    assert again.market.books is not books


def test_too_few_sources_suspend_the_first_ones_market() -> None:
    members = [a_member("a", 2.0), a_member("b", 4.0)]
    choice, consensus = ConsensusMarkets().combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    assert consensus is None
    assert (members[0][0], TOO_FEW_SOURCES) == (choice.market, choice.reason)


def test_a_forgotten_market_begins_again() -> None:
    markets, members = ConsensusMarkets(), [a_member("a", 2.0), a_member("b", 2.0)]
    first, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    markets.forget(MARKET)
    again, _ = markets.combine(MARKET, ConsensusInput(members, RULE), RESOLVED, 7)
    assert again.market is not first.market
    assert again.definition is not first.definition
