"""What a comparison says of two offers whose markets are known by heart, and laws that hold for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.changes import MarketIdentity, MarketRecord, MarketState, MarketTerms, SelectionRecord
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.results import HALF_WON, LOST, PLACED, TAKEN_BACK, VOID, WON, SelectionResult, dead_heat
from oddsengine.repricing.comparison import NEW, THEN, Comparison
from oddsengine.repricing.views import Observation
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from oddsengine.repricing.report import Line, Report

MARKET = MarketId("e1/total/ft/2.5")
PROFILES = ("default", "vip")
EVER_MS = 1000 * 3600


def a_record(
    *odds: int | None,
    market: MarketId = MARKET,
    status: str = "open",
    reason: str | None = None,
    results: tuple[SelectionResult | None, ...] = (),
    removed: tuple[str, ...] = (),
    vip_suspended: bool = False,
) -> MarketRecord:
    """Build a market with the selections over, under and so on, at the same odds in both profiles."""
    selections = {
        key: SelectionRecord(
            key,
            "removed" if key in removed else "active",
            (price, price),
            1,
            1,
            1,
            results[i] if i < len(results) else None,
        )
        for i, (key, price) in enumerate(zip(("over", "under", "third"), odds, strict=False))
    }
    terms = (MarketTerms(), MarketTerms(suspended=True)) if vip_suspended else ()
    state = MarketState(status, reason, in_play=False, terms=terms)  # type: ignore[arg-type]
    return MarketRecord(market, MarketIdentity(EventId("e1"), "total", "ft", 2.5), 1, state, 1, 1, 1, selections)


def seen(at_s: float, record: MarketRecord | None, market: MarketId = MARKET) -> Observation:
    return Observation(round(at_s * 1000), market if record is None else record.id, record, PROFILES)


def compared(then: list[Observation], new: list[Observation], since_s: float = 0, until_s: float = 100) -> Report:
    """Compare what two sides have offered."""
    comparison = Comparison(PROFILES, round(since_s * 1000), round(until_s * 1000))
    for side, each in sorted(
        [(THEN, each) for each in then] + [(NEW, each) for each in new], key=lambda pair: (pair[1].at_ms, pair[0])
    ):
        comparison.observe(side, each)
    return comparison.finish(EVER_MS)


def line(report: Report, profile: str = "default", market_type: str = "total") -> Line:
    return next(each for each in report.lines if (each.profile, each.type) == (profile, market_type))


def test_margin_and_prices_count_for_as_long_as_they_hold() -> None:
    then = [seen(0, a_record(2000, 2000))]
    new = [seen(0, a_record(2000, 2000)), seen(75, a_record(1600, 2000))]
    found = line(compared(then, new))
    assert (1.0, 1.03125, 0.03125) == msgspec.structs.astuple(found.book_sum)
    # A quarter of the time one of two prices is a fifth lower.
    assert (-0.025, 0.025) == (found.price.mean, found.price.mean_absolute)
    assert found.price.largest is not None
    assert (-0.2, "over", 75_000) == (found.price.largest.change, found.price.largest.selection, found.price.largest.at_ms)
    assert (0, 1, 1) == msgspec.structs.astuple(found.changes)


def test_what_differs_only_while_a_change_is_on_its_way_is_no_largest_change() -> None:
    new = [seen(0, a_record(2000, 2000)), seen(50, a_record(4000, 4000)), seen(60, a_record(2000, 2000))]
    then = [seen(0, a_record(2000, 2000)), seen(50.05, a_record(4000, 4000)), seen(60.05, a_record(2000, 2000))]
    found = line(compared(then, new))
    assert (None, 0.00075) == (found.price.largest, found.price.mean_absolute)


def test_suspensions_count_by_reason_and_are_compared_with_no_price() -> None:
    then = [seen(0, a_record(2000, 2000)), seen(50, a_record(None, None, status="suspended", reason="jump"))]
    new = [seen(0, a_record(1900, 1900)), seen(90, a_record(None, None, status="suspended", reason="arbitrage"))]
    found = line(compared(then, new))
    assert (0.5, 0.1, -0.4) == msgspec.structs.astuple(found.suspended)
    assert {"then": {"jump": 0.5}, "new": {"arbitrage": 0.1}} == found.reasons
    assert (50, 90, 50) == (found.open_s.then, found.open_s.new, found.both_open_s)


def test_a_profile_that_a_person_has_suspended_is_suspended_there_only() -> None:
    report = compared([seen(0, a_record(2000, 2000, vip_suspended=True))], [seen(0, a_record(2000, 2000))])
    assert 0 == line(report).suspended.then
    assert {"trader": 1.0} == line(report, "vip").reasons["then"]


def test_what_one_side_does_not_offer_is_not_compared_but_counted() -> None:
    other = MarketId("e2/total/ft/2.5")
    report = compared(
        [seen(0, a_record(2000, 2000)), seen(60, None)],
        [seen(40, a_record(1900, 1900)), seen(0, a_record(2000, 2000, market=other))],
    )
    found = line(report)
    assert (1, 2, 1) == (found.markets.then, found.markets.new, found.markets_both)
    assert 20 == found.both_open_s
    assert found == msgspec.structs.replace(line(report, market_type="all"), type="total")


def test_only_the_time_that_was_asked_for_counts() -> None:
    then = [seen(0, a_record(2000, 2000)), seen(80, a_record(4000, 4000))]
    new = [seen(0, a_record(1000, 1000)), seen(20, a_record(2000, 2000))]
    report = compared(then, new, 20, 80)
    assert (20_000, 80_000) == (report.from_ms, report.to_ms)
    assert (0.0, None, 0) == (line(report).price.mean, line(report).price.largest, line(report).changes.then)


def test_nothing_is_compared_while_it_is_not_known_what_was_published() -> None:
    comparison = Comparison(PROFILES, 0, 100_000)
    comparison.observe(THEN, seen(0, a_record(2000, 2000)))
    comparison.observe(NEW, seen(0, a_record(2000, 2000)))
    comparison.lose(10_000)
    comparison.observe(NEW, seen(20, a_record(1500, 1500)))
    comparison.observe(NEW, seen(60, a_record(2000, 2000)))
    comparison.regain(70_000)
    report = comparison.finish(EVER_MS)
    assert (60, 40, 0.0) == (report.unknown_s, line(report).both_open_s, line(report).price.mean_absolute)


@pytest.mark.parametrize(
    ("results", "hold"),
    [
        # Equal stakes at 2.0 and 1.8: whoever wins takes 2.0 or 1.8 of 2.
        ((WON, LOST), 0.0),
        ((LOST, WON), 0.1),
        ((VOID, VOID), 0.0),
        ((HALF_WON, SelectionResult("loser", 0.5)), 0.0),
        ((dead_heat(2, 1), dead_heat(2, 1)), 1 - (1.0 + 0.9) / 2),
        ((WON, None), None),
        ((WON, TAKEN_BACK), None),
        ((WON, PLACED), None),
    ],
)
def test_hold_is_what_is_kept_of_equal_stakes(results: tuple[SelectionResult | None, ...], hold: float | None) -> None:
    # Results come after the end, and on one side only.
    then = [seen(0, a_record(2000, 1800)), seen(150, a_record(None, None, status="closed", results=results))]
    found = line(compared(then, [seen(0, a_record(2000, 1800))]))
    assert (found.hold.then, found.hold.new) == ((None, None) if hold is None else (pytest.approx(hold), pytest.approx(hold)))
    assert (hold is not None) == bool(found.hold_markets)


def test_a_stake_on_what_was_withdrawn_is_returned() -> None:
    closed = a_record(None, None, None, status="closed", results=(WON, LOST), removed=("third",))
    then = [seen(0, a_record(3000, 3000, 3000)), seen(150, closed)]
    assert pytest.approx(1 - 4 / 3) == line(compared(then, then)).hold.then


def test_hold_of_all_open_time_counts_the_moments_that_only_one_side_took_bets_in() -> None:
    end = seen(150, a_record(None, None, status="closed", results=(WON, LOST)))
    suspended = a_record(None, None, status="suspended", reason="jump")
    then = [seen(0, a_record(2000, 2000)), seen(50, a_record(3000, 1500)), end]
    new = [seen(0, a_record(2000, 2000)), seen(50, suspended), end]
    found = line(compared(then, new))
    assert (0.0, 0.0) == (found.hold.then, found.hold.new)
    assert (-0.25, 0.0) == (found.hold_while_open.then, found.hold_while_open.new)


ODDS = st.none() | st.integers(1010, 20_000)
RESULTS = st.sampled_from([None, WON, LOST, VOID, HALF_WON, TAKEN_BACK, PLACED])
RECORDS = st.none() | st.builds(
    lambda odds, status, results, vip: a_record(
        *(odds if status == "open" else [None] * 3), status=status, reason="jump", results=results, vip_suspended=vip
    ),
    st.lists(ODDS, min_size=3, max_size=3),
    st.sampled_from(["open", "open", "suspended", "closed"]),
    st.tuples(RESULTS, RESULTS, RESULTS),
    st.booleans(),
)
STORIES = st.lists(st.tuples(st.integers(0, 120), RECORDS, st.sampled_from(["e1/a", "e1/b"])), max_size=10).map(
    lambda steps: [
        Observation(at_s * 1000, MarketId(name), None if record is None else msgspec.structs.replace(record, id=name), PROFILES)
        for at_s, record, name in sorted(steps, key=lambda step: step[0])
    ]
)


def differences(of: Line) -> list[float]:
    """Return every figure that says that something differs."""
    figures = (of.markets, of.open_s, of.book_sum, of.suspended, of.changes, of.hold, of.hold_while_open)
    assert all((each.then is None) == (each.new is None) for each in figures)
    return [each.change for each in figures if each.change] + [each for each in (of.price.mean, of.price.mean_absolute) if each]


@examples(25)
@given(STORIES)
def test_an_offer_compared_with_itself_differs_in_nothing(story: list[Observation]) -> None:
    for each in compared(story, story, 10, 110).lines:
        assert [] == differences(each)
        assert each.price.largest is None
        assert each.reasons["then"] == each.reasons["new"]
        assert each.both_open_s == each.open_s.then


@examples(25)
@given(STORIES, STORIES)
def test_what_is_then_on_one_side_is_new_on_the_other(one: list[Observation], other: list[Observation]) -> None:
    """Exchanged sides exchange all figures, up to their last decimals; but results are those of what was published."""
    forth, back = compared(one, other), compared(other, one)
    for a, b in zip(forth.lines, back.lines, strict=True):
        for name in ("markets", "open_s", "book_sum", "suspended", "changes"):
            there, here = getattr(a, name), getattr(b, name)
            assert (there.then, there.new) == (pytest.approx(here.new), pytest.approx(here.then)), name
        assert (a.reasons["then"], a.reasons["new"]) == (b.reasons["new"], b.reasons["then"])


@examples(25)
@given(STORIES, STORIES, st.integers(1, 99))
def test_two_parts_of_a_time_take_as_long_as_the_whole(one: list[Observation], other: list[Observation], cut_s: int) -> None:
    whole, first, second = compared(one, other), compared(one, other, 0, cut_s), compared(one, other, cut_s, 100)

    def totals(*reports: Report) -> float:
        return sum(
            each.both_open_s + (each.open_s.then or 0) + (each.open_s.new or 0) for report in reports for each in report.lines
        )

    assert pytest.approx(totals(whole)) == totals(first, second)
