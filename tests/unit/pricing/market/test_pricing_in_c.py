"""What selections are priced at by their own offers is the same in C and in Python."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.common import speedups
from oddsengine.domain.changes import MarketChange, SelectionChange, SelectionRecord
from oddsengine.domain.feed_updates import BookChange
from oddsengine.domain.ids import MarketId
from oddsengine.domain.ladders import LADDERS
from oddsengine.offer.entries.fragments import ready_fragments
from oddsengine.pricing.market.incremental_book import IncrementalBook
from oddsengine.pricing.market.outcomes import outcome_groups
from oddsengine.pricing.market.priced_group import PricedGroup
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.selection_book import SelectionBook
from oddsengine.sourcing.source_book import SourceMarket
from tests.support.builders import a_definition
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.skipif(speedups.pricing is None, reason="the loops in C are not built")

IN_C: Any = speedups.pricing
KEYS = ("home", "draw", "away")
PROFILES = st.lists(
    st.builds(
        Profile,
        ladder=st.sampled_from(sorted(LADDERS)),
        book_sum=st.floats(1.0, 1.3),
        rounding=st.sampled_from(["down", "down", "down", "balanced"]),
        max_odds=st.sampled_from([1000.0, 20.0]),
        min_odds=st.sampled_from([1.01, 1.5]),
    ),
    min_size=1,
    max_size=4,
)
prices = st.sampled_from((1, 1.0, 1.01, 1.5, 1.52, 2, 2.02, 2.1, 3.0, 3.05, 6.4, 30.0, 900.0))
rows = st.none() | st.lists(st.tuples(prices, st.sampled_from((0.0, 0.5, 2, 30.25, 400.0))), max_size=3)
changes = st.builds(
    BookChange,
    st.sampled_from([f"s-{key}" for key in KEYS]),
    rows,
    rows,
    last=st.none() | prices,
    quote=st.sampled_from([None] * 9 + [3.0]),
)
messages = st.lists(st.lists(changes, max_size=3), max_size=12)


def a_group(profiles: Sequence[Profile], winners: int) -> tuple[SourceMarket, PricedGroup]:
    market = SourceMarket("src", "1.1")
    market.books = {f"s-{key}": SelectionBook() for key in KEYS[: len(KEYS) - (winners == 1 and len(profiles) == 4)]}
    [outcomes] = outcome_groups(a_definition("e1/match_odds", KEYS, winners=winners))
    return market, PricedGroup(outcomes, market, profiles[0].fair_price_inputs, list(profiles))


def contents(value: Any) -> Any:
    """Return what an object holds, with everything that it refers to."""
    if isinstance(value, PricedGroup | IncrementalBook):
        left_out = {"_version_of", "_independent", "_market"}
        return {name: contents(getattr(value, name)) for name in type(value).__slots__ if name not in left_out}
    if isinstance(value, SelectionBook):
        return [repr(getattr(value, name)) for name in SelectionBook.__slots__]
    return [contents(each) for each in value] if isinstance(value, list) else repr(value)


@examples(150)
@given(profiles=PROFILES, told=messages, winners=st.sampled_from([1, 1, 1, 2]))
def test_both_have_the_same_prices(profiles: list[Profile], told: list[list[BookChange]], winners: int) -> None:
    """Law: every number that is kept of a set of selections is the same to the last digit, after every message."""
    kept = a_group(profiles, winners), a_group(profiles, winners)
    for message in told:
        found = []
        for (market, group), used in zip(kept, (IN_C, None), strict=True):
            speedups.pricing = used
            try:
                for change in message:
                    if change.selection in market.books:
                        market.books[change.selection].apply(change)
                refusal = group.imply(1)
                found.append((refusal, sorted(group.price(fresh=False)) if group.is_dirty else [], contents(group)))
            finally:
                speedups.pricing = IN_C
        assert found[0] == found[1]


odds = st.none() | st.integers(0, 1_000_001)


@examples(60)
@given(rows=st.lists(st.tuples(odds, odds), min_size=1, max_size=4), key=st.text(max_size=4))
def test_prices_are_encoded_alike(rows: list[tuple[int | None, ...]], key: str) -> None:
    changed = {f"{key}{number}": SelectionChange(None, None, row) for number, row in enumerate(rows)}
    change = MarketChange(MarketId(f"e1/{key}"), 7, None, None, changed)
    in_c = ready_fragments([change], 2)
    speedups.pricing = None
    try:
        assert ready_fragments([change], 2) == in_c
    finally:
        speedups.pricing = IN_C


def test_what_has_moved_since_a_position_is_found() -> None:
    records = {str(at): SelectionRecord("name", "active", (), at, 0, 0) for at in range(4)}
    assert [("2", records["2"]), ("3", records["3"])] == IN_C.moved_since(records, 1)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("differing", ([1.0], [])),
        ("moved_since", ({"a": 1}, 1)),
        ("moved_since", ([], 1)),
        ("price_fragments", (b"", [b"a"], [(2000,)], 2)),
        ("price_fragments", (b"", [b"a"], [(-1,)], 1)),
        ("price_fragments", (b"", [b"a"], [("2",)], 1)),
        ("price_fragments", ("", [], [], 1)),
        ("changed_books", ([], (1,))),
        ("changed_books", (["book"], [1])),
        ("imply_singly", ("group", [], 0.1, 2.0)),
        ("imply_singly", (a_group([Profile()], 1)[1], [3], 0.1, 2.0)),
        ("imply_singly", (a_group([Profile()], 1)[1], [0], 0.1, "2")),
        ("common_factor", ("group",)),
        ("update_independent", (a_group([Profile()], 1)[1].incremental, [0.5], 1.0, [0], set())),
        ("update_independent", (a_group([Profile()], 1)[1].incremental, [0.5] * 3, 1.0, [3], set())),
        ("update_independent", (a_group([Profile()], 1)[1].incremental, ["a"] * 3, 1.0, [0], set())),
        ("update_independent", (a_group([Profile()], 1)[1].incremental, [0.5] * 3, 1.0, [0], [])),
        ("common_factor", ()),
    ],
)
def test_what_is_no_set_of_selections_is_an_error(function: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, AttributeError)):
        getattr(IN_C, function)(*arguments)
