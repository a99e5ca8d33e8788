"""What the random stories of tests/oracles have found, each as its smallest story."""

from __future__ import annotations

import msgspec
import pytest

from oddsengine.domain.feed_updates import BookChange, MarketGone, MarketUpdate
from oddsengine.domain.ids import MarketId
from oddsengine.pricing.profiles.profile import Profile
from tests.support.builders import a_definition
from tests.support.sources import CLOSED, OPEN, A, B, C, Sources

ELSEWHERE = ("suspended", "closed_elsewhere")


def quotes(home: float, away: float) -> list[BookChange]:
    return [BookChange("s-home", quote=home), BookChange("s-away", quote=away)]


def rows(key: str, back: float, lay: float) -> BookChange:
    return BookChange(f"s-{key}", back=[(back, 100.0)], lay=[(lay, 100.0)])


def closing(sources: Sources, source: str) -> Sources:
    closed = a_definition("e1/moneyline", type="moneyline", status="closed")
    selections = tuple(msgspec.structs.replace(each, status="winner") for each in closed.selections)
    return sources.define(source, msgspec.structs.replace(closed, selections=selections))


def test_a_result_of_any_source_stands_after_it_has_withdrawn_the_market() -> None:
    """A provider takes away what it has settled."""
    sources = Sources(A, B, C).offer(A).offer(B)
    assert ELSEWHERE == closing(sources, B).receive(B, MarketGone("m")).state()
    assert ELSEWHERE == sources.health(B, "down").state()
    assert ELSEWHERE == sources.offer(C).state()
    assert OPEN == sources.health(B, "live").offer(B).state()


def test_a_second_result_stands_when_the_source_of_the_first_reopens() -> None:
    sources = closing(closing(Sources(A, B).offer(A).offer(B), A), B)
    assert CLOSED == sources.state()
    assert ELSEWHERE == sources.receive(B, MarketGone("m")).offer(A).state()
    assert OPEN == sources.offer(B).state()


def test_a_source_that_has_closed_a_market_and_withdrawn_it_bears_on_it_only_where_states_are_shared() -> None:
    sources = Sources(A, B, shared_state=False).offer(A).offer(B)
    assert OPEN == closing(sources, B).receive(B, MarketGone("m")).state()


def test_a_bookmakers_market_with_its_winner_known_is_suspended() -> None:
    sources = Sources(A).define(A).receive(A, MarketUpdate("m", books=quotes(1.9, 1.9)))
    assert OPEN == sources.state()
    decided = a_definition("e1/moneyline", type="moneyline")
    selections = (msgspec.structs.replace(decided.selections[0], status="winner"), decided.selections[1])
    assert ("suspended", "decided") == sources.define(A, msgspec.structs.replace(decided, selections=selections)).state()


@pytest.mark.parametrize("settings", [{}, {"skew": 1.2}, {"shift": {"away": 0.2}}])
def test_a_consensus_is_not_over_the_lay_of_one_of_its_exchanges(settings: dict[str, object]) -> None:
    """The bookmaker pulls the median past what the exchange's own book allows."""
    profile = Profile(ladder="decimal_3", book_sum=1.0, **settings)  # type: ignore[arg-type]
    sources = Sources(A, B, profile=profile, mode="consensus", min_sources=2, outlier=0.3)
    sources.define(A).receive(A, MarketUpdate("m", books=[rows("home", 5.9, 6.0), rows("away", 1.2, 1.21)]))
    sources.define(B).receive(B, MarketUpdate("m", books=quotes(6.4, 1.14)))
    assert OPEN == sources.state()
    assert (sources.prices()["home"] or 0) <= 6000
    assert (sources.prices()["away"] or 0) <= 1210


@pytest.mark.parametrize(
    ("lay", "size", "is_bound", "is_open"),
    [
        (1.8, 100.0, True, False),
        (1.8, 100.0, False, True),
        (1.8, 1.0, True, True),
        (2.1, 100.0, True, True),
    ],
)
def test_a_price_is_not_over_the_lay_of_another_exchange_where_rules_say_so(
    lay: float, size: float, is_bound: bool, is_open: bool
) -> None:
    """The second source does not speak, but what it lays can be taken."""
    profile = Profile(ladder="decimal_3", book_sum=1.0, bound_by_exchanges=is_bound)
    sources = Sources(A, B, profile=profile).define(A).receive(A, MarketUpdate("m", books=quotes(2.0, 2.0)))
    offer = BookChange("s-home", lay=[(lay, size)])
    sources.define(B).receive(B, MarketUpdate("m", books=[offer]))
    assert (OPEN if is_open else ("suspended", "over_lay")) == sources.state()
    assert OPEN == sources.health(B, "down").state()


def test_a_consensus_without_one_selection_is_not_over_a_lay_either() -> None:
    """The first source has suspended a selection, so what is left sums to less than the winners."""
    sources = Sources(A, B, C, mode="consensus", min_sources=2, outlier=0.3, profile=Profile(book_sum=1.0, ladder="decimal_3"))
    keys, market = ("home", "draw", "away"), "e1/match_odds"
    definition = a_definition(market, keys)
    selections = (msgspec.structs.replace(definition.selections[0], status="suspended"), *definition.selections[1:])
    sources.receive(A, MarketUpdate("m", True, msgspec.structs.replace(definition, selections=selections)))
    exchange = [rows("home", 12.0, 12.1), rows("draw", 12.0, 12.1), rows("away", 1.18, 1.21)]
    sources.receive(B, MarketUpdate("m", True, definition, exchange))
    quoted = [BookChange(f"s-{key}", quote=quote) for key, quote in zip(keys, (11.4, 15.0, 1.12), strict=True)]
    sources.receive(C, MarketUpdate("m", True, definition, quoted))
    assert OPEN == sources.state(market)
    assert 12_100 == sources.prices(market)["draw"]


def test_a_consensus_is_not_over_the_lay_of_an_exchange_that_shows_one_side() -> None:
    sources = Sources(A, B, profile=Profile(ladder="decimal_3", book_sum=1.0), mode="consensus", min_sources=1)
    sources.define(A).receive(A, MarketUpdate("m", books=quotes(1.95, 1.95)))
    sources.define(B).receive(B, MarketUpdate("m", books=[BookChange("s-home", lay=[(1.92, 100.0)])]))
    assert OPEN == sources.state()
    assert (sources.prices()["home"] or 0) <= 1920
    far = [BookChange("s-home", lay=[(1.92, 0.0), (1.3, 100.0)])]
    assert 2000 == sources.receive(B, MarketUpdate("m", books=far)).prices()["home"], "an outlier does not count"


def test_a_consensus_of_exchanges_that_leave_no_room_is_suspended() -> None:
    sources = Sources(A, B, mode="consensus", min_sources=2, outlier=0.3)
    sources.define(A).receive(A, MarketUpdate("m", books=[rows("home", 1.98, 2.0), rows("away", 2.0, 2.02)]))
    sources.define(B).receive(B, MarketUpdate("m", books=[rows("home", 2.38, 2.4), rows("away", 1.69, 1.7)]))
    assert ("suspended", "incoherent") == sources.state(MarketId("e1/moneyline"))
