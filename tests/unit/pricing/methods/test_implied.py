"""The probabilities implied by a source's books."""

from __future__ import annotations

from math import fsum

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange
from oddsengine.pricing.market.outcomes import outcome_groups
from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.methods.implied import ConsensusBook, FairPriceInputs, implied
from oddsengine.pricing.methods.margin import METHODS, Method
from oddsengine.sourcing.selection_book import SelectionBook
from tests.support.builders import a_definition, a_quote

INPUTS = FairPriceInputs(ExchangeLimits(), "multiplicative", 0.0)


def a_book(change: BookChange) -> SelectionBook:
    book = SelectionBook()
    book.apply(change)
    return book


def a_consensus(probability: float) -> ConsensusBook:
    book = ConsensusBook()
    book.set_fair(probability)
    return book


def test_bookmaker_quotes_go_before_order_books() -> None:
    books = [a_book(BookChange("", quote=1.9)), a_book(a_quote("away", 5.0))]
    books[1].apply(BookChange("", quote=1.9))
    assert [(0.5, "bookmaker")] * 2 == implied(books, 1, INPUTS).fair


def test_consensus_goes_before_everything() -> None:
    assert [(0.4, "consensus"), None] == implied([a_consensus(0.4), a_book(BookChange("", quote=1.9))], 1, INPUTS).fair


def test_a_consensus_book_has_a_new_version_only_with_another_probability() -> None:
    book = a_consensus(0.4)
    version = book.version
    book.set_fair(0.4)
    assert version == book.version
    book.set_fair(0.5)
    assert version < book.version


@given(st.lists(st.floats(1.5, 12.0), min_size=2, max_size=8), st.sampled_from(METHODS))
def test_normalised_order_books_sum_to_the_winner(odds: list[float], method: Method) -> None:
    total = fsum(1 / each for each in odds)
    books = [a_book(a_quote("", each * total, spread=0.001)) for each in odds]
    inputs = INPUTS._replace(limits=ExchangeLimits(normalise=method))
    answers = implied(books, 1, inputs).fair
    assert all(answer is not None and answer.basis == "book" for answer in answers)
    if method != "multiplicative":
        assert 1.0 == pytest.approx(fsum(answer.probability for answer in answers if answer is not None), abs=1e-3)


def test_a_set_with_a_gap_is_not_normalised() -> None:
    books = [a_book(a_quote("home", 2.0)), None]
    answers = implied(books, 1, INPUTS._replace(limits=ExchangeLimits(normalise="power"))).fair
    assert implied(books, 1, INPUTS).fair == answers


@pytest.mark.parametrize(
    ("type_", "line", "rising"),
    [("total", 2.5, "under"), ("handicap", -1.0, "home"), ("total", None, None), ("match_odds", 2.5, None)],
)
def test_the_rising_side_of_a_line(type_: str, line: float | None, rising: str | None) -> None:
    selections = ("over", "under") if type_ == "total" else ("home", "away")
    (group,) = outcome_groups(a_definition(selections=selections, type=type_, line=line))
    assert rising == (None if group.rising is None else group.selections[group.rising].key)
    assert (line if rising else None) == group.line


def test_only_active_selections_are_priced() -> None:
    (group,) = outcome_groups(a_definition(selections=("home", "draw", "away"), removed=("draw",), type="winner"))
    assert ["home", "away"] == [selection.key for selection in group.selections]
    assert [] == outcome_groups(a_definition(removed=("home", "away")))


def test_lines_of_a_market_with_several_winners_form_no_ladder() -> None:
    definition = msgspec.structs.replace(a_definition(selections=("over", "under", "push"), type="total", line=2.5), winners=2)
    (group,) = outcome_groups(definition)
    assert (None, None) == (group.line, group.rising)
