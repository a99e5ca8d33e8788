"""What nothing can be priced by is refused, market by market, before it reaches any book."""

from __future__ import annotations

from math import inf, nan
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.inspection import UpdateInspector
from oddsengine.common import speedups
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.methods.fair import ExchangeLimits
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_batch, a_definition, an_event, live
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.feed_updates import FeedUpdate

HUGE = 10**400
UNUSABLE: tuple[Any, ...] = (nan, inf, -inf, HUGE, -HUGE, -1.0, 1e13, 5e-324, "2.0", None)
USABLE = (0, 0.0, 1e-100, 1e-9, 0.5, 1.0, 1.01, 2, 3.5, 1000.0, 1e12)

any_number = st.sampled_from((*UNUSABLE, *USABLE, *USABLE))
rows = st.none() | st.lists(st.tuples(any_number, any_number) | st.tuples(any_number), max_size=2)
levels = st.none() | st.lists(st.tuples(st.sampled_from((0, 1, nan)), any_number, any_number), max_size=2)
number = st.none() | any_number
any_changes: Any = st.lists(
    st.builds(BookChange, st.sampled_from(("s-home", "s-away")), rows, rows, levels, levels, levels, levels, number, number),
    max_size=3,
)


@pytest.fixture(params=[True, False], ids=["in C", "in Python"])
def _either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(speedups, "books", None)
    elif speedups.books is None:
        pytest.skip("the loop in C is not built")


def image(market: str, *books: BookChange, **fields: Any) -> MarketUpdate:
    definition = msgspec.structs.replace(a_definition(f"src.e1/{market}", ("home", "away")), **fields)
    return MarketUpdate(market, True, definition, list(books))


def quoted(home: Any, away: Any = 2.0) -> list[BookChange]:
    return [BookChange("s-home", quote=home), BookChange("s-away", quote=away)]


def inspected(inspector: UpdateInspector, *updates: FeedUpdate) -> tuple[list[FeedUpdate], list[str]]:
    batch, rejected = inspector.inspect(a_batch(*updates))
    return batch.updates, [each.where for each in rejected]


@pytest.mark.usefixtures("_either")
@pytest.mark.parametrize("wrong", UNUSABLE[:-1])
@pytest.mark.parametrize(
    "change",
    [
        lambda wrong: {"back": [(wrong, 10.0)]},
        lambda wrong: {"lay": [(2.0, 10.0), (2.1, wrong)]},
        lambda wrong: {"back_levels": [(0, wrong, 10.0)]},
        lambda wrong: {"lay_display": [(0, 2.0, wrong)]},
        lambda wrong: {"last": wrong},
        lambda wrong: {"quote": wrong},
    ],
)
def test_a_market_with_a_number_that_is_none_is_refused_alone(change: Any, wrong: Any) -> None:
    bad, good = MarketUpdate("m1", books=[BookChange("s-home", **change(wrong))]), MarketUpdate("m2", books=quoted(2.0))
    batch, rejected = UpdateInspector().inspect(a_batch(good, bad, good))
    assert batch.updates == [good, MarketGone("m1"), good]
    assert [each.where for each in rejected] == ["market m1"]
    assert rejected[0].reason.startswith("selection s-home: ")
    assert len(rejected[0].reason) < 250


@pytest.mark.parametrize(
    "wrong",
    [
        {"line": nan},
        {"line": HUGE},
        {"winners": HUGE},
        {"winners": nan},
        {"start_ms": HUGE},
        {"start_ms": nan},
        {"limit": nan},
        {"bet_delay_s": HUGE},
    ],
)
def test_a_definition_with_a_number_that_is_none_is_refused(wrong: dict[str, Any]) -> None:
    assert inspected(UpdateInspector(), image("m1", **wrong)) == ([MarketGone("m1")], ["market m1"])


def test_a_market_stays_withdrawn_until_it_is_sent_whole() -> None:
    inspector, change, whole = UpdateInspector(), MarketUpdate("m1", books=quoted(2.0)), image("m1", *quoted(2.0))
    inspected(inspector, MarketUpdate("m1", books=quoted(nan)))
    assert inspected(inspector, change) == ([], ["market m1"])
    assert inspected(inspector, image("m1", *quoted(HUGE))) == ([MarketGone("m1")], ["market m1"])
    assert inspected(inspector, whole) == ([whole], [])
    assert inspected(inspector, change) == ([change], [])


def test_a_market_that_its_source_withdraws_begins_anew() -> None:
    inspector, change = UpdateInspector(), MarketUpdate("m1", books=quoted(2.0))
    inspected(inspector, MarketUpdate("m1", books=quoted(nan)))
    assert inspected(inspector, MarketGone("m1"), change) == ([MarketGone("m1"), change], [])


def test_a_start_and_a_time_that_are_none_are_left_out() -> None:
    event = an_event("src.e1")
    batch = msgspec.structs.replace(
        a_batch(EventUpdate(msgspec.structs.replace(event, start_ms=HUGE)), EventUpdate(event)), published_ms=HUGE
    )
    usable, rejected = UpdateInspector().inspect(batch)
    assert usable.published_ms is None
    assert usable.updates == [EventUpdate(msgspec.structs.replace(event, start_ms=None)), EventUpdate(event)]
    assert [each.where for each in rejected] == ["time of a message", "start of event src.e1"]


def test_what_is_usable_is_passed_on_as_it_is() -> None:
    batch = a_batch(image("m1", *quoted(2.0)), MarketUpdate("m1", books=quoted(2.1)), MarketGone("m1"))
    assert UpdateInspector().inspect(batch)[0] is batch


@pytest.mark.skipif(speedups.books is None, reason="the loop in C is not built")
@examples(200)
@given(any_changes)
def test_both_refuse_the_same(changes: list[BookChange]) -> None:
    batch = a_batch(MarketUpdate("m1", books=changes))
    in_c, rejected = UpdateInspector().inspect(batch)
    built, speedups.books = speedups.books, None
    try:
        assert UpdateInspector().inspect(batch) == (in_c, rejected)
    finally:
        speedups.books = built
    assert (in_c is batch) == (not rejected)


def profiles() -> Iterator[Profile]:
    """Yield the ways in which numbers are used."""
    for method in ("multiplicative", "power", "shin", "odds_ratio"):
        limits = ExchangeLimits(max_spread=1e9, min_size=0.0, last_traded=method == "power", normalise=method)
        yield Profile(method=method, exchange=limits, bound_by_exchanges=method == "shin", book_sum=1.1)


@examples(60)
@given(st.lists(st.tuples(any_changes, st.booleans()), max_size=4), st.sampled_from([*profiles()]))
def test_one_market_never_stops_its_neighbours(messages: list[tuple[list[BookChange], bool]], profile: Profile) -> None:
    inspector, pipeline = UpdateInspector(), Pipeline(Pricer({"default": profile}), ["src"])

    def receive(*updates: FeedUpdate) -> None:
        batch, _ = inspector.inspect(a_batch(*updates))
        pipeline.receive(batch, 0)
        pipeline.flush(0, 0)
        pipeline.offers[0].commit(0)

    receive(live().updates[0], EventUpdate(an_event("src.e1")))
    receive(image("bad", *quoted(2.0)), image("good", *quoted(2.0)))
    for changes, is_whole in messages:
        receive(image("bad", *changes) if is_whole else MarketUpdate("bad", books=changes))
        receive(MarketUpdate("good", books=quoted(1.9)))
        assert pipeline.offers[0].markets["src.e1/good"].state.status == "open"  # type: ignore[index]
