"""The sources' own market ids, and the markets they stand for."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.ids import MarketId
from oddsengine.engine.sources.market_directory import MarketDirectory

SOURCES = ("a", "b")
MARKETS = tuple(MarketId(f"e1/m{number}") for number in range(3))
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("assign"), st.sampled_from(SOURCES), st.sampled_from(["1", "2"]), st.sampled_from(MARKETS)),
        st.tuples(st.just("remove"), st.sampled_from(SOURCES), st.sampled_from(["1", "2"])),
        st.tuples(st.just("restore"), st.sampled_from(SOURCES), st.sampled_from(["1", "2"])),
        st.tuples(st.just("forget"), st.sampled_from(MARKETS)),
    ),
    max_size=30,
)


@given(STEPS)
def test_both_directions_agree(steps: list[tuple[str, ...]]) -> None:
    """Law: whatever sources a market has, they have that market, by the id it was last assigned."""
    directory = MarketDirectory(SOURCES)
    for what, *arguments in steps:
        getattr(directory, what)(*arguments)
        for market in MARKETS:
            for source, source_id in directory.sources_of(market).items():
                assert market == directory.markets_of(source)[source_id]
            if what == "forget" and [market] == arguments:
                assert {} == directory.sources_of(market)
        if what == "assign":
            source, _, assigned = arguments
            assert source in directory.sources_of(MarketId(assigned))


def test_an_id_that_was_replaced_may_go() -> None:
    directory = MarketDirectory(SOURCES)
    directory.assign("a", "1", MARKETS[0])
    directory.assign("a", "2", MARKETS[0])
    assert MARKETS[0] == directory.remove("a", "1")
    assert {"a": "2"} == directory.sources_of(MARKETS[0])


def test_an_id_left_over_from_a_forgotten_market_may_go_or_return() -> None:
    for is_defined_again in (True, False):
        directory = MarketDirectory(SOURCES)
        directory.assign("a", "1", MARKETS[0])
        directory.assign("a", "2", MARKETS[0])
        directory.forget(MARKETS[0])
        if is_defined_again:
            directory.assign("a", "1", MARKETS[0])
            assert {"a": "1"} == directory.sources_of(MARKETS[0])
        else:
            assert MARKETS[0] == directory.remove("a", "1")


def test_assign_returns_the_market_that_lost_the_source() -> None:
    directory = MarketDirectory(SOURCES)
    assert directory.assign("a", "1", MARKETS[0]) is None
    assert directory.assign("a", "1", MARKETS[0]) is None
    assert MARKETS[0] == directory.assign("a", "1", MARKETS[1])
    assert {} == directory.sources_of(MARKETS[0])
    assert MARKETS[1] == directory.remove("a", "1")
    assert directory.remove("a", "1") is None
