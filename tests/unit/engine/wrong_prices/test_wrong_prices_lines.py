"""A consensus on an Asian handicap: each line is a market of its own."""

from __future__ import annotations

from typing import Any

import msgspec

from oddsengine.domain.feed_updates import MarketDefinition, MarketUpdate, SelectionDefinition
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.engine.explain import explain
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_quote
from tests.support.sources import OPEN, A, B, C, Sources

LINES = (-1.0, -0.5, 0.0, 0.5)


def a_handicap(*lines: float) -> MarketDefinition:
    selections = tuple(
        SelectionDefinition(f"{runner}@{handicap:g}", SelectionKey(f"{runner}@{handicap:g}"), runner, "active", handicap)
        for line in lines
        for runner, handicap in (("1", line), ("2", 0 - line))
    )
    return MarketDefinition(
        id=MarketId("e1/asian_handicap/ft"),
        event=EventId("e1"),
        type="asian_handicap",
        period="ft",
        status="open",
        selections=selections,
    )


def handicap_prices(*lines: float, shift: float = 0.0) -> list[Any]:
    """Books of some lines, likelier for the first side the higher its line."""
    books = []
    for line in lines:
        first = 0.5 + 0.1 * line + shift
        for runner, probability, handicap in (("1", first, line), ("2", 1 - first, 0 - line)):
            quote = a_quote("any", 1 / probability)
            quote.selection = f"{runner}@{handicap:g}"
            books.append(quote)
    return books


HANDICAP = "e1/asian_handicap/ft"


def offer_lines(
    sources: Sources, source: str, *lines: float, priced: tuple[float, ...] | None = None, shift: float = 0.0
) -> Sources:
    books = handicap_prices(*(lines if priced is None else priced), shift=shift)
    return sources.receive(source, MarketUpdate("ah", True, a_handicap(*lines), books))


def test_a_consensus_prices_a_handicap_of_many_lines() -> None:
    sources = offer_lines(Sources(A, mode="consensus", min_sources=1), A, *LINES)
    alone = offer_lines(Sources(A), A, *LINES)
    assert OPEN == sources.state(HANDICAP)
    assert alone.prices(HANDICAP) == sources.prices(HANDICAP)
    assert None not in sources.prices(HANDICAP).values()


def test_each_line_of_a_consensus_has_its_own_sources() -> None:
    rule: dict[str, Any] = {"mode": "consensus", "min_sources": 2, "outlier": 0.02}
    sources = offer_lines(Sources(A, B, C, **rule), A, *LINES)
    offer_lines(sources, B, *LINES, priced=(-1.0, 0.0))
    offer_lines(sources, C, 0.0, 0.5, shift=0.1)
    assert OPEN == sources.state(HANDICAP)
    prices = sources.prices(HANDICAP)
    assert {"1@-1", "2@1", "1@0", "2@0"} == {key for key, price in prices.items() if price is not None}
    assert 2500 == prices["1@-1"]
    explanation = explain(sources.pipeline, MarketId(HANDICAP), 0)
    assert explanation is not None
    assert ((A, B), (C,)) == (explanation["consensus"]["used"], explanation["consensus"]["outliers"])
    offer_lines(sources, B, *LINES, priced=(-0.5, 0.0))
    assert {"1@-0.5", "2@0.5", "1@0", "2@0"} == {key for key, price in sources.prices(HANDICAP).items() if price is not None}
    offer_lines(sources, B, *LINES, priced=())
    assert ("suspended", "too_few_sources") == sources.state(HANDICAP)


def test_a_line_without_its_other_side_makes_a_book_incomplete() -> None:
    sources = offer_lines(Sources(A, profile=Profile(require_complete_book=True)), A, -0.5, 0.5)
    assert OPEN == sources.state(HANDICAP)
    lines = a_handicap(-0.5, 0.5)
    removed = (msgspec.structs.replace(lines.selections[0], status="removed"), *lines.selections[1:])
    sources.receive(A, MarketUpdate("ah", definition=msgspec.structs.replace(lines, selections=removed)))
    assert ("suspended", "no_price") == sources.state(HANDICAP)
