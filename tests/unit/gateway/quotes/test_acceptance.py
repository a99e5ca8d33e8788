"""Which prices a bet may be taken at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.formats import FORMATS, format_odds
from oddsengine.gateway.protocol.client_messages import BadMessage, QuotesCheck, QuoteToCheck
from oddsengine.gateway.quotes.acceptance import is_acceptable, result_of, shown_as
from oddsengine.gateway.quotes.checker import parse_price, quotes_of

if TYPE_CHECKING:
    from oddsengine.gateway.protocol.client_messages import Accept

ODDS = st.integers(1001, 1_000_000)
TOLERANCES = st.one_of(st.just(0.0), st.floats(0, 1))
MODES: list[Accept] = ["exact", "better", "any"]


@given(current=ODDS, quoted=ODDS, tolerance=TOLERANCES)
def test_each_mode_accepts_what_the_one_before_does(current: int, quoted: int, tolerance: float) -> None:
    exact, better, whatever = (is_acceptable(current, quoted, mode, tolerance) for mode in MODES)
    assert exact <= better <= whatever
    assert whatever
    assert is_acceptable(quoted, quoted, "exact", tolerance), "an unchanged price is always accepted"


@given(current=ODDS, quoted=ODDS, smaller=TOLERANCES, more=TOLERANCES, mode=st.sampled_from(MODES))
def test_more_tolerance_refuses_nothing_more(current: int, quoted: int, smaller: float, more: float, mode: Accept) -> None:
    smaller, more = sorted((smaller, more))
    assert is_acceptable(current, quoted, mode, smaller) <= is_acceptable(current, quoted, mode, more)


@given(current=ODDS, quoted=ODDS, longer=st.integers(0, 10_000), tolerance=TOLERANCES)
def test_better_accepts_every_longer_price_too(current: int, quoted: int, longer: int, tolerance: float) -> None:
    assert is_acceptable(current, quoted, "better", tolerance) <= is_acceptable(current + longer, quoted, "better", tolerance)
    assert (current >= quoted) <= is_acceptable(current, quoted, "better", tolerance)


@given(current=ODDS, quoted=ODDS)
def test_without_tolerance_exact_is_equal_and_better_is_not_shorter(current: int, quoted: int) -> None:
    assert (current == quoted) == is_acceptable(current, quoted, "exact", 0.0)
    assert (current >= quoted) == is_acceptable(current, quoted, "better", 0.0)


@pytest.mark.parametrize(
    ("current", "mode", "expected"),
    [
        *((2450, "exact", True), (2449, "exact", False), (2550, "exact", True), (2551, "exact", False)),
        *((2450, "better", True), (2449, "better", False), (9000, "better", True), (1010, "any", True)),
    ],
)
def test_the_tolerance_is_a_share_of_the_quoted_odds(current: int, mode: Accept, *, expected: bool) -> None:
    assert expected == is_acceptable(current, 2500, mode, 0.02)


@given(current=st.none() | ODDS, mode=st.sampled_from(MODES), tolerance=TOLERANCES, data=st.data())
def test_only_an_open_current_price_is_ever_accepted(current: int | None, mode: Accept, tolerance: float, data: Any) -> None:
    status = data.draw(st.sampled_from(["open", "suspended", "closed"]))
    is_stale, has_expired = data.draw(st.booleans()), data.draw(st.booleans())
    result = result_of(status, current, data.draw(ODDS), mode, tolerance, is_stale=is_stale, has_expired=has_expired)
    may_be_accepted = status == "open" and current is not None and not is_stale and not has_expired
    assert (result in {"ok", "price_changed"}) == may_be_accepted


@given(odds=ODDS, odds_format=st.sampled_from(FORMATS))
def test_a_price_is_accepted_in_every_format_in_which_it_is_shown(odds: int, odds_format: str) -> None:
    text = format_odds(odds, odds_format)
    assert odds == shown_as(odds, parse_price(text, odds_format), text, odds_format)


@pytest.mark.parametrize(
    ("text", "odds_format"),
    [
        *(
            ("2.5", "decimal"),
            (2.5, "fractional"),
            (1.0, "decimal"),
            (1.0004, "decimal"),
            (1e300, "decimal"),
            (50, "american"),
            ("5/0", "fractional"),
        ),
        *((0.0, "percent"), (1e-12, "percent"), (1e300, "hong_kong"), (2.0, "malay"), ("x", "american")),
    ],
)
def test_what_is_no_price_in_its_format_is_refused(text: Any, odds_format: str) -> None:
    with pytest.raises(BadMessage, match="price"):
        parse_price(text, odds_format)


@pytest.mark.parametrize("quote", [{}, {"market": "m", "selection": "s"}, {"signed": "x", "price": 2.0}, {"signed": "x", "v": 1}])
def test_a_quote_is_given_in_one_way(quote: dict[str, Any]) -> None:
    with pytest.raises(BadMessage, match=r"quotes\[0\]"):
        list(quotes_of(QuotesCheck(quotes=[QuoteToCheck(**quote)]), {}, 0.0))
