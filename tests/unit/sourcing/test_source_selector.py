"""Which source prices a market."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import MarketUpdate, SourceStatus
from oddsengine.domain.ids import MarketId
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.sourcing.source_selector import ChosenSource, ConsensusInput, SourceSelector, SourcingRule
from tests.support.builders import a_definition, an_event

MARKET = MarketId("e1/match_odds")


class Floor:
    """Sources of one market, and who is chosen."""

    def __init__(self, *sources: str, **rule: Any) -> None:
        self.books = {source: SourceBook(source) for source in sources}
        self.selector = SourceSelector([SourcingRule(**rule)] if rule else [])
        self.now = 0
        for source in sources:
            self.health(source, "live").status(source, "open")

    def health(self, source: str, health: str) -> Floor:
        self.books[source].apply(SourceStatus(health, "why"), self.now, self.now)  # type: ignore[arg-type]
        return self

    def status(self, source: str, status: str) -> Floor:
        self.books[source].apply(MarketUpdate("m", definition=a_definition(status=status)), self.now, self.now)
        return self

    def at(self, now_s: float) -> Floor:
        self.now = round(now_s * 1000)
        return self

    def choice(self, event: Any = None) -> ChosenSource | ConsensusInput | None:
        candidates = [(book, book.markets["m"]) for book in self.books.values() if "m" in book.markets]
        return self.selector.choose(MARKET, candidates, event, self.now)

    def chosen(self, event: Any = None) -> tuple[str, str, str | None]:
        choice = self.choice(event)
        assert isinstance(choice, ChosenSource)
        return choice.market.source, choice.definition.status, choice.reason


def test_the_first_healthy_source_prices() -> None:
    floor = Floor("a", "b")
    assert ("a", "open", None) == floor.chosen()
    floor.health("a", "stale")
    assert ("b", "open", None) == floor.chosen()
    floor.health("b", "down")
    assert ("a", "open", "source_stale") == floor.chosen()


@pytest.mark.parametrize("health", ["lagging", "stale", "down"])
def test_a_market_falls_back_at_once_and_returns_only_after_a_while(health: str) -> None:
    floor = Floor("a", "b", hold_s=30.0)
    floor.chosen()
    assert "b" == floor.at(100).health("a", health).chosen()[0]
    assert "b" == floor.at(110).health("a", "live").chosen()[0]
    assert [] == floor.selector.due(139_999)
    assert [MARKET] == floor.selector.due(140_000)
    assert "b" == floor.at(139.999).chosen()[0]
    assert "a" == floor.at(140).chosen()[0]
    assert [] == floor.selector.due(10**9)


def test_a_source_that_comes_and_goes_does_not_take_the_price_with_it() -> None:
    floor = Floor("a", "b", hold_s=30.0)
    floor.chosen()
    floor.at(10).health("a", "down").chosen()
    for second in range(11, 100, 10):
        assert "b" == floor.at(second).health("a", "live").chosen()[0]
        assert "b" == floor.at(second + 5).health("a", "down").chosen()[0]


def test_a_better_source_in_its_hold_is_better_than_none() -> None:
    floor = Floor("a", "b", hold_s=30.0)
    floor.chosen()
    floor.at(10).health("a", "down").chosen()
    floor.at(11).health("a", "live").chosen()
    assert ("a", "open", None) == floor.at(12).health("b", "down").chosen()


def test_a_suspension_by_the_first_source_wins_unless_the_rule_says_otherwise() -> None:
    floor = Floor("a", "b")
    floor.chosen()
    assert ("a", "suspended", None) == floor.at(10).status("a", "suspended").chosen()
    assert ("a", "open", None) == floor.at(11).status("a", "open").chosen(), "it never stopped pricing it"
    floor = Floor("a", "b", primary_suspends=False)
    floor.chosen()
    assert ("b", "open", None) == floor.at(10).status("a", "suspended").chosen()


def test_a_suspension_by_another_than_the_first_falls_to_the_next() -> None:
    floor = Floor("a", "b", "c")
    floor.at(1).health("a", "down").chosen()
    assert "b" == floor.chosen()[0]
    assert ("c", "open", None) == floor.at(2).status("b", "suspended").chosen()


def test_where_all_that_live_are_suspended_it_is_suspended() -> None:
    floor = Floor("a", "b", "c")
    floor.health("a", "down").status("b", "suspended").status("c", "suspended")
    assert ("b", "suspended", None) == floor.chosen()


def test_a_rule_says_who_may_price_and_in_which_order() -> None:
    floor = Floor("a", "b.x", "c", sources=("c", "b"))
    assert "c" == floor.chosen()[0]
    assert "b.x" == floor.health("c", "down").chosen()[0]
    assert ("c", "open", "source_down") == floor.health("b.x", "stale").chosen()
    assert Floor("a", sources=("z",)).choice() is None


def test_the_last_rule_that_matches_holds() -> None:
    floor = Floor("a", "b")
    floor.selector = SourceSelector(
        [
            SourcingRule(sport="football", sources=("b",)),
            SourcingRule(sport="football", competition="Cup", in_play=False, sources=("a",)),
        ]
    )
    assert "a" == floor.chosen(an_event("e1", competition="cup"))[0]
    assert "b" == floor.chosen(an_event("e1", competition="league"))[0]
    assert "a" == floor.chosen(an_event("e1", sport="tennis"))[0]


def test_a_consensus_is_of_all_that_are_healthy() -> None:
    floor = Floor("a", "b", "c", mode="consensus", weights={"b": 3.0}, min_sources=2)
    choice = floor.choice()
    assert isinstance(choice, ConsensusInput)
    assert [("a", 1.0), ("b", 3.0), ("c", 1.0)] == [(market.source, weight) for market, _, weight in choice.members]
    floor.health("a", "down").status("c", "suspended")
    assert ("b", "open", "too_few_sources") == floor.chosen()


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["live", "stale", "down", "open", "suspended"]), st.integers(0, 40)
    ),
    max_size=30,
)


@given(MOVES, st.booleans())
def test_nobody_prices_who_is_not_live_and_open(moves: list[tuple[str, str, int]], primary_suspends: bool) -> None:
    """Whatever comes in whatever order; and where somebody may price, somebody does."""
    floor = Floor("a", "b", "c", primary_suspends=primary_suspends, hold_s=30.0)
    now = 0
    for source, what, gap in moves:
        now += gap
        floor.at(now)
        (floor.status if what in {"open", "suspended"} else floor.health)(source, what)
        chosen, status, reason = floor.chosen()
        healthy = [
            name
            for name, book in floor.books.items()
            if book.health == "live" and book.markets["m"].definition.status == "open"  # type: ignore[union-attr]
        ]
        if reason is None and status == "open":
            assert chosen in healthy
        else:
            first = floor.books["a"]
            vetoed = primary_suspends and first.health == "live" and "a" not in healthy
            assert vetoed or not healthy
