"""Laws of the published offer, whatever the updates and their order.

The pipeline works incrementally: it prices what moved, and of that only the prices where nothing else can have changed. The
result must equal that of a new pipeline that receives the current state of all sources at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import MarketId
from oddsengine.engine.pipeline import WITHDRAWN, Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.source_selector import SourcingRule
from tests.support.builders import a_batch, a_definition, a_quote, an_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.changes import MarketRecord

_SOURCES = ("feed.a", "feed.b", "feed.c")
_RULES = (SourcingRule(hold_s=0.0), SourcingRule(mode="consensus", outlier=0.3))
#: a source's own id -> the market
_MARKETS = {"1.1": "e1/match_odds", "1.2": "e2/match_odds"}
_SELECTIONS = ("home", "away", "draw")

_sources = st.sampled_from(_SOURCES)
_markets = st.sampled_from(tuple(_MARKETS))
_odds = st.floats(1.2, 9.0).map(lambda odds: round(odds, 2))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("quote"), _sources, _markets, st.sampled_from(_SELECTIONS), _odds),
        st.tuples(st.just("remove price"), _sources, _markets, st.sampled_from(_SELECTIONS)),
        st.tuples(
            st.just("define"),
            _sources,
            _markets,
            st.sampled_from(("open", "open", "suspended", "closed")),
            st.sets(st.sampled_from(_SELECTIONS), min_size=2),
            st.sets(st.sampled_from(_SELECTIONS), max_size=1),
            st.booleans(),
        ),
        st.tuples(st.just("gone"), _sources, _markets),
        st.tuples(st.just("health"), _sources, st.sampled_from(("live", "live", "lagging", "stale", "down"))),
        st.tuples(st.just("flush")),
    ),
    max_size=40,
)


def _initial_steps() -> Iterator[tuple[Any, ...]]:
    """Yield the steps by which every source offers everything."""
    for source in _SOURCES:
        yield "health", source, "live"
        for market in _MARKETS:
            yield "define", source, market, "open", set(_SELECTIONS), set(), True
            for selection in _SELECTIONS:
                yield "quote", source, market, selection, 3.0
    yield ("flush",)


def _new_pipeline(rule: SourcingRule) -> Pipeline:
    return Pipeline(Pricer({"default": Profile()}), _SOURCES, sourcing=[rule])


def _apply(pipeline: Pipeline, what: str, source: str, *of: Any) -> None:
    if what == "quote":
        market, selection, odds = of
        updates: list[Any] = [MarketUpdate(market, books=[a_quote(selection, odds)])]
    elif what == "remove price":
        market, selection = of
        nothing: list[tuple[int, float, float]] = [(0, 0.0, 0.0)]
        updates = [MarketUpdate(market, books=[BookChange(f"s-{selection}", back_levels=nothing, lay_levels=nothing)])]
    elif what == "define":
        market, status, named, removed, image = of
        selections = tuple(key for key in _SELECTIONS if key in named)
        definition = a_definition(_MARKETS[market], selections, status=status, removed=tuple(removed))
        updates = [EventUpdate(an_event(definition.event)), MarketUpdate(market, image, definition)]
    elif what == "gone":
        updates = [MarketGone(of[0])]
    else:
        updates = [SourceStatus(of[0], "test")]
    pipeline.receive(a_batch(*updates, source=source), 1)


def _rebuilt(pipeline: Pipeline, rule: SourcingRule) -> Pipeline:
    """Build another pipeline from the current state of this one's sources."""
    fresh = _new_pipeline(rule)
    for source, book in pipeline.books.items():
        updates: list[Any] = [EventUpdate(event) for event in book.events.values()]
        for market in book.markets.values():
            books = [
                BookChange(
                    selection,
                    back_levels=[(level, *row) for level, row in held.back_levels.items()],
                    lay_levels=[(level, *row) for level, row in held.lay_levels.items()],
                )
                for selection, held in market.books.items()
            ]
            updates.append(MarketUpdate(market.source_id, True, market.definition, books))
        fresh.receive(a_batch(*updates, SourceStatus(book.health, book.health_reason), source=source), 1)
    fresh.flush(0, 1)
    return fresh


def _bettable(record: MarketRecord) -> Any:
    """Return what can be bet on in a market."""
    selections = {
        key: (selection.status, selection.prices)
        for key, selection in record.selections.items()
        if selection.status != "removed" or selection.prices != (None,)
    }
    return record.state.status, record.state.reason, selections


def _is_offered(pipeline: Pipeline, market: MarketId) -> bool:
    """Check whether a live source offers a market open."""
    return any(
        book.health == "live" and held.definition is not None and held.definition.status == "open"
        for book, held in pipeline.quoting(market)
    )


#: Two of three sources drop the draw, and the third no longer has a price for it.
_WITHOUT_A_DRAW = [
    ("remove price", "feed.a", "1.1", "draw"),
    *[("define", source, "1.1", "open", {"home", "away"}, set(), True) for source in ("feed.b", "feed.c")],
    *[("quote", source, "1.1", selection, 2.0) for source in ("feed.b", "feed.c") for selection in ("home", "away")],
]


@settings(max_examples=300)
@given(st.sampled_from(_RULES), steps)
@example(_RULES[1], _WITHOUT_A_DRAW)
def test_the_offer_depends_on_the_current_state_of_the_sources_alone(rule: SourcingRule, updates: list[tuple[Any, ...]]) -> None:
    pipeline = _new_pipeline(rule)
    for step in [*_initial_steps(), *updates, ("flush",)]:
        if step != ("flush",):
            _apply(pipeline, *step)
            continue
        pipeline.flush(0, 1)
        pipeline.offers[0].commit(1)
        fresh = _rebuilt(pipeline, rule)
        for market in map(MarketId, _MARKETS.values()):
            here, rebuilt = pipeline.offers[0].markets.get(market), fresh.offers[0].markets.get(market)
            if rebuilt is None:
                # A closed market stays closed.
                assert here is None or _bettable(here)[:2] in {("suspended", WITHDRAWN), ("closed", None)}
                assert here is None or {(None,)} >= {selection.prices for selection in here.selections.values()}
            else:
                assert here is not None
                assert _bettable(rebuilt) == _bettable(here)
            if here is not None and here.state.status == "open":
                assert _is_offered(pipeline, market), "a market that may be wrong is suspended"
