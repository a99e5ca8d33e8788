"""Totals and handicaps of one event: no line contradicts another while it is open."""

from __future__ import annotations

from math import fsum
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, SelectionDefinition
from oddsengine.domain.ids import MarketId, SelectionKey
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.market.lines import pooled
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from tests.support.builders import a_batch, a_definition, a_quote, an_event, live

PROBABILITIES = st.lists(st.floats(0.0, 1.0), max_size=12)


@given(PROBABILITIES)
def test_pooled_probabilities_never_fall_and_keep_their_sum(probabilities: list[float]) -> None:
    answer = pooled(probabilities)
    assert sorted(answer) == answer
    assert fsum(probabilities) == pytest.approx(fsum(answer), abs=1e-9)


@given(PROBABILITIES.map(sorted))
def test_a_sequence_that_never_falls_is_unchanged(probabilities: list[float]) -> None:
    assert probabilities == pooled(probabilities)


@given(PROBABILITIES, st.lists(st.floats(0.0, 1.0), min_size=12, max_size=12))
def test_no_other_rising_sequence_is_closer(probabilities: list[float], other: list[float]) -> None:
    def distance(rising: list[float]) -> float:
        return fsum((mine - own) ** 2 for mine, own in zip(rising, probabilities, strict=True))

    assert distance(pooled(probabilities)) <= distance(sorted(other[: len(probabilities)])) + 1e-12


class Totals:
    """The totals of one event, each by its fair odds of over."""

    def __init__(self, **profile: Any) -> None:
        self.pipeline = Pipeline(Pricer({"default": Profile(ladder="decimal_3", **profile)}), ("src",))
        self.pipeline.receive(live(), 0)
        self.pipeline.receive(a_batch(EventUpdate(an_event())), 0)

    def update(self, line: float, over: float, *, quoted: bool = False, **definition: Any) -> None:
        """Set a line's order books, or its quotes, around the fair odds of over."""
        definition = {"type": "total", "period": "ft", "line": line, **definition}
        market = a_definition(f"e1/total/ft/{line:g}", ("over", "under"), **definition)
        under = 1 / (1 - 1 / over)
        books = [a_quote("over", over), a_quote("under", under)]
        if quoted:
            books = [BookChange("s-over", quote=over), BookChange("s-under", quote=under)]
        self.pipeline.receive(a_batch(MarketUpdate(f"1.{line:g}", image=True, definition=market, books=books)), 1)
        self.pipeline.flush(0, 1)

    def over(self, line: float) -> int | None:
        return self.pipeline.offers[0].markets[MarketId(f"e1/total/ft/{line:g}")].selections["over"].prices[0]

    def reason(self, line: float) -> str | None:
        return self.pipeline.offers[0].markets[MarketId(f"e1/total/ft/{line:g}")].state.reason


def test_a_small_contradiction_is_pooled() -> None:
    totals = Totals()
    totals.update(1.5, 1.50)
    alone = totals.over(1.5)
    totals.update(2.5, 1.48)
    assert totals.over(1.5) == totals.over(2.5)
    assert alone is not None
    assert (totals.over(1.5) or 0) < alone, "the line that was first on offer moves too"
    totals.update(2.5, 2.1)
    assert alone == totals.over(1.5), "and moves back once they agree"


def test_a_large_contradiction_suspends_until_the_lines_agree() -> None:
    totals = Totals(pool_limit=0.02)
    totals.update(1.5, 2.0)
    totals.update(3.5, 4.0)
    totals.update(2.5, 1.6)
    assert ["contradiction", "contradiction", None] == [totals.reason(line) for line in (1.5, 2.5, 3.5)]
    totals.update(2.5, 2.6)
    assert [None, None, None] == [totals.reason(line) for line in (1.5, 2.5, 3.5)]


def test_a_line_that_is_not_offered_is_not_pooled() -> None:
    totals = Totals()
    totals.update(1.5, 2.0)
    totals.update(2.5, 1.6)
    assert "contradiction" == totals.reason(1.5)
    totals.update(2.5, 1.6, status="suspended")
    assert (None, "provider") == (totals.reason(1.5), totals.reason(2.5))


def test_the_lines_of_one_asian_handicap_market_agree_too() -> None:
    pipeline = Pipeline(Pricer({"default": Profile(ladder="decimal_3")}), ("src",))
    pipeline.receive(live(), 0)
    selections = tuple(
        SelectionDefinition(f"{side}@{line:g}", SelectionKey(f"{side}@{line:g}"), side, "active", line)
        for home in (-0.5, 0.5)
        for side, line in (("1", home), ("2", -home))
    )
    definition = a_definition("e1/asian_handicap", type="asian_handicap")
    definition = msgspec.structs.replace(definition, selections=selections)
    odds = {"1@-0.5": 1.95, "2@0.5": 1 / (1 - 1 / 1.95), "1@0.5": 2.0, "2@-0.5": 2.0}
    books = [
        BookChange(key, back_levels=[(0, each * 0.99, 50.0)], lay_levels=[(0, each * 1.01, 50.0)]) for key, each in odds.items()
    ]
    pipeline.receive(a_batch(EventUpdate(an_event()), MarketUpdate("1.1", True, definition, books)), 1)
    pipeline.flush(0, 1)
    prices = {key: record.prices[0] for key, record in pipeline.offers[0].markets[definition.id].selections.items()}
    assert prices["1@-0.5"] == prices["1@0.5"]
    assert prices["2@-0.5"] == prices["2@0.5"]


def test_arbitrage_between_two_lines_suspends_both() -> None:
    """A rule for in-play makes the over of one line so long that the under of the next covers it."""
    totals = Totals(book_sum=1.0, rules=(Rule(in_play=True, shift={"over": -0.2}),))
    totals.update(1.5, 2.0, quoted=True, in_play=True)
    totals.update(2.5, 2.04, quoted=True)
    assert ["arbitrage", "arbitrage"] == [totals.reason(line) for line in (1.5, 2.5)]
    totals.update(2.5, 2.04, quoted=True, in_play=True)
    assert [None, None] == [totals.reason(line) for line in (1.5, 2.5)]
