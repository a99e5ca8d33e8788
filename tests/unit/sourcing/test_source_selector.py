"""Which sources price a market."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import MarketUpdate, SourceStatus
from oddsengine.domain.ids import MarketId
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.sourcing.source_selector import ChosenSource, ConsensusInput, SourceSelector
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_definition, an_event

MARKET = MarketId("e1/match_odds")


class Sources:
    """Several sources of one market and the selector."""

    def __init__(self, *sources: str, **rule: Any) -> None:
        self.books = {source: SourceBook(source) for source in sources}
        self.selector = SourceSelector([SourcingRule(**rule)] if rule else [])
        self.now = 0
        for source in sources:
            self.health(source, "live").status(source, "open")

    def health(self, source: str, health: str) -> Sources:
        self.books[source].apply(SourceStatus(health, "why"), self.now, self.now)  # type: ignore[arg-type]
        return self

    def status(self, source: str, status: str) -> Sources:
        self.books[source].apply(MarketUpdate("m", definition=a_definition(status=status)), self.now, self.now)
        return self

    def at(self, now_s: float) -> Sources:
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
    sources = Sources("a", "b")
    assert ("a", "open", None) == sources.chosen()
    sources.health("a", "stale")
    assert ("b", "open", None) == sources.chosen()
    sources.health("b", "down")
    assert ("a", "open", "source_stale") == sources.chosen()


@pytest.mark.parametrize("health", ["lagging", "stale", "down"])
def test_a_market_falls_back_at_once_and_returns_after_hold_s(health: str) -> None:
    sources = Sources("a", "b", hold_s=30.0)
    sources.chosen()
    assert "b" == sources.at(100).health("a", health).chosen()[0]
    assert "b" == sources.at(110).health("a", "live").chosen()[0]
    assert [] == sources.selector.due(139_999)
    assert [MARKET] == sources.selector.due(140_000)
    assert "b" == sources.at(139.999).chosen()[0]
    assert "a" == sources.at(140).chosen()[0]
    assert [] == sources.selector.due(10**9)


def test_an_unstable_source_does_not_make_the_price_flap() -> None:
    sources = Sources("a", "b", hold_s=30.0)
    sources.chosen()
    sources.at(10).health("a", "down").chosen()
    for second in range(11, 100, 10):
        assert "b" == sources.at(second).health("a", "live").chosen()[0]
        assert "b" == sources.at(second + 5).health("a", "down").chosen()[0]


def test_a_preferred_source_prices_during_its_hold_if_no_other_is_healthy() -> None:
    sources = Sources("a", "b", hold_s=30.0)
    sources.chosen()
    sources.at(10).health("a", "down").chosen()
    sources.at(11).health("a", "live").chosen()
    assert ("a", "open", None) == sources.at(12).health("b", "down").chosen()


def test_a_suspension_by_the_first_source_wins_unless_the_rule_disables_it() -> None:
    sources = Sources("a", "b")
    sources.chosen()
    assert ("a", "suspended", None) == sources.at(10).status("a", "suspended").chosen()
    assert ("a", "open", None) == sources.at(11).status("a", "open").chosen(), "it was the current source all along"
    sources = Sources("a", "b", primary_suspends=False)
    sources.chosen()
    assert ("b", "open", None) == sources.at(10).status("a", "suspended").chosen()


def test_a_suspension_by_another_source_falls_back_to_the_next() -> None:
    sources = Sources("a", "b", "c")
    sources.at(1).health("a", "down").chosen()
    assert "b" == sources.chosen()[0]
    assert ("c", "open", None) == sources.at(2).status("b", "suspended").chosen()


def test_a_market_suspended_by_all_live_sources_is_suspended() -> None:
    sources = Sources("a", "b", "c")
    sources.health("a", "down").status("b", "suspended").status("c", "suspended")
    assert ("b", "suspended", None) == sources.chosen()


def test_a_rule_lists_the_sources_in_order_of_preference() -> None:
    sources = Sources("a", "b.x", "c", sources=("c", "b"))
    assert "c" == sources.chosen()[0]
    assert "b.x" == sources.health("c", "down").chosen()[0]
    assert ("c", "open", "source_down") == sources.health("b.x", "stale").chosen()
    assert Sources("a", sources=("z",)).choice() is None


def test_the_last_matching_rule_applies() -> None:
    sources = Sources("a", "b")
    sources.selector = SourceSelector(
        [
            SourcingRule(sport="football", sources=("b",)),
            SourcingRule(sport="football", competition="Cup", in_play=False, sources=("a",)),
        ]
    )
    assert "a" == sources.chosen(an_event("e1", competition="cup"))[0]
    assert "b" == sources.chosen(an_event("e1", competition="league"))[0]
    assert "a" == sources.chosen(an_event("e1", sport="tennis"))[0]


def test_a_consensus_takes_all_healthy_sources() -> None:
    sources = Sources("a", "b", "c", mode="consensus", weights={"b": 3.0}, min_sources=2)
    choice = sources.choice()
    assert isinstance(choice, ConsensusInput)
    assert [("a", 1.0), ("b", 3.0), ("c", 1.0)] == [(market.source, weight) for market, _, weight in choice.members]
    sources.health("a", "down").status("c", "suspended")
    assert ("b", "open", "too_few_sources") == sources.chosen()


MOVES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]), st.sampled_from(["live", "stale", "down", "open", "suspended"]), st.integers(0, 40)
    ),
    max_size=30,
)


@given(MOVES, st.booleans())
def test_only_a_live_and_open_source_prices(moves: list[tuple[str, str, int]], primary_suspends: bool) -> None:
    """After any sequence of updates; and if a source may price, one does."""
    sources = Sources("a", "b", "c", primary_suspends=primary_suspends, hold_s=30.0)
    now = 0
    for source, what, gap in moves:
        now += gap
        sources.at(now)
        (sources.status if what in {"open", "suspended"} else sources.health)(source, what)
        chosen, status, reason = sources.chosen()
        healthy = [
            name
            for name, book in sources.books.items()
            if book.health == "live" and book.markets["m"].definition.status == "open"  # type: ignore[union-attr]
        ]
        if reason is None and status == "open":
            assert chosen in healthy
        else:
            first = sources.books["a"]
            vetoed = primary_suspends and first.health == "live" and "a" not in healthy
            assert vetoed or not healthy
