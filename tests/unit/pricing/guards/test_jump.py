"""The jump guard's states."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.pricing.guards.jump import TRANSITIONS, JumpGuard, Observation, OtherSource, State
from oddsengine.pricing.market.market_book import MarketBook
from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from tests.support.builders import a_definition, a_quote

LIMIT = 0.2


def a_source(home: float, received_ms: int = 0, *, in_play: bool = False) -> SourceMarket:
    """A market of two selections, by the fair probability of the first."""
    market = SourceMarket("src", "1.1")
    market.define(a_definition(in_play=in_play))
    for change in (a_quote("home", 1 / home), a_quote("away", 1 / (1 - home))):
        market.books[change.selection] = SelectionBook()
        market.books[change.selection].apply(change)
    market.received_ms = received_ms
    return market


class Guarded:
    """A jump guard and the market it guards."""

    def __init__(self) -> None:
        self.guard = JumpGuard()
        self.now_ms = 0
        self.source: SourceMarket | None = None
        self.home = 0.0

    def check(self, home: float, *others: float, is_update: bool = True, are_in_play: bool = False) -> bool:
        self.now_ms += is_update
        if is_update or self.source is None or home != self.home:
            self.source, self.home = a_source(home, self.now_ms), home
        market = self.source
        assert market.definition is not None
        book = MarketBook(market, market.definition, (ResolvedProfile(Profile(jump_limit=LIMIT), ()),))
        assert book.imply() is None
        return self.guard.check(book, lambda: [OtherSource(a_source(each, in_play=are_in_play), Profile()) for each in others])


def test_every_observation_has_a_transition_but_those_that_a_new_market_can_not_make() -> None:
    missing = set(product(State, Observation)) - TRANSITIONS.keys()
    impossible = {(State.NEW, each) for each in Observation if each is not Observation.NEAR}
    assert impossible | {(State.TRUSTED, Observation.REPEATED)} == missing


def test_the_first_probabilities_are_trusted() -> None:
    guarded = Guarded()
    assert State.NEW is guarded.guard.state
    assert not guarded.check(0.9)
    assert State.TRUSTED is guarded.guard.state


def test_a_jump_is_confirmed_by_the_next_update_near_it() -> None:
    guarded = Guarded()
    guarded.check(0.5)
    assert guarded.check(0.8)
    assert State.SUSPECT is guarded.guard.state
    assert 0.5 == pytest.approx(guarded.guard.trusted["home"]), "the probabilities of before"
    assert not guarded.check(0.79)
    assert 0.79 == pytest.approx(guarded.guard.trusted["home"])


def test_time_alone_confirms_nothing() -> None:
    guarded = Guarded()
    guarded.check(0.5)
    assert guarded.check(0.8)
    assert guarded.check(0.8, is_update=False)
    assert State.SUSPECT is guarded.guard.state


def test_another_jump_does_not_confirm_the_first() -> None:
    guarded = Guarded()
    guarded.check(0.5)
    assert guarded.check(0.8)
    assert guarded.check(0.5), "not even one back"
    assert not guarded.check(0.5)


@pytest.mark.parametrize("is_update", [True, False])
def test_another_source_corroborates_at_once(*, is_update: bool) -> None:
    guarded = Guarded()
    guarded.check(0.5)
    assert not guarded.check(0.8, 0.5, 0.79)
    assert guarded.check(0.4, 0.8)
    assert not guarded.check(0.4, 0.41, is_update=is_update)


def test_a_source_on_the_other_side_of_the_start_corroborates_nothing() -> None:
    guarded = Guarded()
    guarded.check(0.5)
    assert guarded.check(0.8, 0.8, are_in_play=True)
    assert not guarded.check(0.8, 0.8, is_update=False)


@given(st.lists(st.tuples(st.floats(0.05, 0.95), st.booleans()), max_size=20))
def test_an_open_market_is_near_what_was_trusted_or_confirmed(checks: list[tuple[float, bool]]) -> None:
    """Law: without other sources, probabilities are open only within the limit of those of an earlier update."""
    guarded = Guarded()
    earlier: list[tuple[float, int]] = []
    for home, is_update in checks:
        suspended = guarded.check(home, is_update=is_update)
        if not suspended and earlier:
            assert any(
                abs(home - before) <= LIMIT * before * (1 + 1e-9) and abs(home - before) <= LIMIT * (1 - before) * (1 + 1e-9)
                for before, _ in earlier
            )
        earlier.append((home, guarded.now_ms))
