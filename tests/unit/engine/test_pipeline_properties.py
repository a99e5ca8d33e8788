"""Laws of the published offer, whatever the updates and their order.

The pipeline works incrementally: it prices what moved, and of that only the prices where nothing else can have changed. The
result must equal that of a new pipeline that receives the current state of all sources at once, but for results: a market closed
with a result stays closed until the source that closed it reopens it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.engine.ended_events import WITHDRAWN
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.sourcing.source_health import CLOSED_ELSEWHERE
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_batch, a_definition, a_quote, an_event
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.feed_updates import MarketDefinition

_SOURCES = ("feed.a", "feed.b", "feed.c")
_RULES = (SourcingRule(hold_s=0.0), SourcingRule(mode="consensus", outlier=0.3))
#: a source's own id -> the market
_MARKETS = {"1.1": "e1/match_odds", "1.2": "e2/match_odds"}
_SELECTIONS = ("home", "away", "draw")
_MAX_AGE_MS = 60_000
_PROFILE = Profile(max_age_s=_MAX_AGE_MS / 1000, rules=(Rule(starts_within_min=10, suspend=True),))
#: The result of a closed market, by selection.
_RESULT = {"home": "winner", "away": "loser", "draw": "loser"}

_sources = st.sampled_from(_SOURCES)
_markets = st.sampled_from(tuple(_MARKETS))
#: eleven minutes and an hour after the beginning of a story
_starts = st.sampled_from((None, 660_000, 3_600_000))
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
            st.booleans(),
        ),
        st.tuples(st.just("result"), _sources, _markets),
        st.tuples(st.just("event"), _sources, _markets, st.booleans(), st.sampled_from((None, "0-0", "1-0")), _starts),
        st.tuples(st.just("wait"), st.integers(1, 100)),
        st.tuples(st.just("gone"), _sources, _markets),
        st.tuples(st.just("health"), _sources, st.sampled_from(("live", "live", "lagging", "stale", "down"))),
        st.tuples(st.just("profiles"), st.sampled_from((("default", "brand"), ("brand", "default"), ("brand",)))),
        st.tuples(st.just("flush")),
    ),
    max_size=40,
)


def _initial_steps() -> Iterator[tuple[Any, ...]]:
    """Yield the steps by which every source offers everything."""
    for source in _SOURCES:
        yield "health", source, "live"
        for market in _MARKETS:
            yield "event", source, market, False, None, None
            yield "define", source, market, "open", set(_SELECTIONS), set(), True, False
            for selection in _SELECTIONS:
                yield "quote", source, market, selection, 3.0
    yield ("flush",)


def _new_pipeline(rule: SourcingRule) -> Pipeline:
    return Pipeline(Pricer({"default": _PROFILE}), _SOURCES, sourcing=[rule])


def _apply(pipeline: Pipeline, now_ms: int, what: str, source: str, *of: Any) -> None:
    if what == "quote":
        market, selection, odds = of
        updates: list[Any] = [MarketUpdate(market, books=[a_quote(selection, odds)])]
    elif what == "remove price":
        market, selection = of
        nothing: list[tuple[int, float, float]] = [(0, 0.0, 0.0)]
        updates = [MarketUpdate(market, books=[BookChange(f"s-{selection}", back_levels=nothing, lay_levels=nothing)])]
    elif what == "define":
        market, status, named, removed, image, in_play = of
        selections = tuple(key for key in _SELECTIONS if key in named)
        definition = a_definition(_MARKETS[market], selections, status=status, removed=tuple(removed), in_play=in_play)
        updates = [MarketUpdate(market, image, definition)]
    elif what == "result":
        updates = [MarketUpdate(of[0], definition=_with_result(_MARKETS[of[0]]))]
    elif what == "event":
        market, in_play, score, start_ms = of
        event = an_event(_MARKETS[market].partition("/")[0], in_play=in_play, score=score, start_ms=start_ms)
        updates = [EventUpdate(event)]
    elif what == "gone":
        updates = [MarketGone(of[0])]
    else:
        updates = [SourceStatus(of[0], "test")]
    pipeline.receive(a_batch(*updates, source=source), now_ms)


def _change_profiles(pipeline: Pipeline, now_ms: int, names: tuple[str, ...]) -> None:
    """Publish for other profiles with the same rules, which all have the same prices, and then for the usual one again."""
    pipeline.adopt(Pricer(dict.fromkeys(names, _PROFILE)))
    pipeline.flush(0, now_ms)
    pipeline.offers[0].commit(now_ms)
    prices = [each.prices for market in pipeline.offers[0].markets.values() for each in market.selections.values()]
    assert {len(names)} >= {len(each) for each in prices}
    assert all(len(set(each)) == 1 for each in prices)
    pipeline.adopt(Pricer({"default": _PROFILE}))


def _with_result(market: str) -> MarketDefinition:
    closed = a_definition(market, _SELECTIONS, status="closed")
    selections = tuple(msgspec.structs.replace(each, status=_RESULT[each.key]) for each in closed.selections)
    return msgspec.structs.replace(closed, selections=selections)


def _rebuilt(pipeline: Pipeline, rule: SourcingRule, now_ms: int) -> Pipeline:
    """Build another pipeline from the current state of this one's sources, each market as old as it is there."""
    fresh = _new_pipeline(rule)
    for source, book in pipeline.books.items():
        fresh.receive(a_batch(*[EventUpdate(event) for event in book.events.values()], source=source), now_ms)
        for market in book.markets.values():
            books = [
                BookChange(
                    selection,
                    back_levels=[(level, *row) for level, row in held.back_levels.items()],
                    lay_levels=[(level, *row) for level, row in held.lay_levels.items()],
                )
                for selection, held in market.books.items()
            ]
            image = MarketUpdate(market.source_id, True, market.definition, books)
            fresh.receive(a_batch(image, source=source), market.received_ms)
        fresh.receive(a_batch(SourceStatus(book.health, book.health_reason), source=source), now_ms)
    fresh.flush(0, now_ms)
    return fresh


def _bettable(record: MarketRecord) -> Any:
    """Return what can be bet on in a market."""
    selections = {
        key: (selection.status, selection.prices)
        for key, selection in record.selections.items()
        if selection.status != "removed" or selection.prices != (None,)
    }
    return record.state.status, record.state.reason, selections


def _has_result(record: MarketRecord | None) -> bool:
    """Check whether a market is on offer as closed with a result."""
    if record is None or record.state.status != "closed":
        return False
    statuses = {selection.status for selection in record.selections.values()}
    return "winner" in statuses or statuses == {"removed"}


def _assert_may_be_open(pipeline: Pipeline, market: MarketId, now_ms: int) -> None:
    """Check an open market: a live source offers it, it is not old, and no live source knows that it is over or has begun."""
    live = [(book, held, held.definition) for book, held in pipeline.quoting(market) if book.health == "live"]
    known = [(held, definition) for _, held, definition in live if definition is not None]
    offering = [(held, definition) for held, definition in known if definition.status == "open"]
    assert offering, "a market that may be wrong is suspended"
    assert any(now_ms - held.received_ms <= _MAX_AGE_MS for held, _ in offering)
    assert all(definition.status != "closed" for _, definition in known)
    events = [book.events[EventId(market.partition("/")[0])] for book in pipeline.books.values() if book.health == "live"]
    has_begun = any(event.in_play or event.score == "1-0" for event in events)
    if has_begun or any(definition.in_play for _, definition in known):
        assert any(definition.in_play for _, definition in offering)
        assert pipeline.offers[0].markets[market].state.in_play


#: Two of three sources drop the draw, and the third no longer has a price for it.
_WITHOUT_A_DRAW = [
    ("remove price", "feed.a", "1.1", "draw"),
    *[("define", source, "1.1", "open", {"home", "away"}, set(), True, False) for source in ("feed.b", "feed.c")],
    *[("quote", source, "1.1", selection, 2.0) for source in ("feed.b", "feed.c") for selection in ("home", "away")],
]


@examples(100)
@given(st.sampled_from(_RULES), steps)
@example(_RULES[1], _WITHOUT_A_DRAW)
@example(_RULES[0], [("result", "feed.b", "1.1"), ("quote", "feed.a", "1.1", "home", 2.0), ("gone", "feed.b", "1.1")])
@example(
    _RULES[0],
    [
        *(("result", "feed.a", "1.1"), ("flush",)),
        ("define", "feed.a", "1.1", "open", set(_SELECTIONS), set(), False, False),
        *(("profiles", ("brand",)), ("gone", "feed.a", "1.1")),
    ],
)
@example(
    _RULES[0],
    [
        ("result", "feed.a", "1.1"),
        ("define", "feed.a", "1.1", "closed", {"home", "away"}, set(), False, False),
        ("gone", "feed.a", "1.1"),
    ],
)
def test_the_offer_depends_on_the_current_state_of_the_sources_alone(rule: SourcingRule, updates: list[tuple[Any, ...]]) -> None:
    pipeline = _new_pipeline(rule)
    now_ms = 1
    #: the sources that have said a result of a market
    resulting: dict[str, set[str]] = {market: set() for market in _MARKETS}
    had_result: set[str] = set()
    for step in [*_initial_steps(), *updates, ("flush",)]:
        if step[0] == "wait":
            now_ms += step[1] * 1000
        elif step[0] == "profiles":
            _change_profiles(pipeline, now_ms, step[1])
            # That flushes too: what it reopens may be withdrawn by the next flush of the story.
            for source_id, market in _MARKETS.items():
                if market in had_result and not _has_result(pipeline.offers[0].markets.get(MarketId(market))):
                    had_result.discard(market)
                    _assert_reopened(pipeline, MarketId(market), resulting[source_id])
        elif step != ("flush",):
            _apply(pipeline, now_ms, *step)
            if step[0] == "result" or (step[0] == "define" and step[3] == "closed"):
                resulting[step[2]].add(step[1])
        if step != ("flush",):
            continue
        pipeline.tick(now_ms)
        pipeline.flush(0, now_ms)
        pipeline.offers[0].commit(now_ms)
        fresh = _rebuilt(pipeline, rule, now_ms)
        for source_id, market in [(source_id, MarketId(each)) for source_id, each in _MARKETS.items()]:
            here, rebuilt = pipeline.offers[0].markets.get(market), fresh.offers[0].markets.get(market)
            if _has_result(here):
                assert resulting[source_id]
                had_result.add(market)
                continue
            if market in had_result:
                had_result.discard(market)
                _assert_reopened(pipeline, market, resulting[source_id])
            if _has_result(rebuilt):
                # A result of a source that is not live is published only where no other source has spoken before.
                assert here is None or here.state.status != "open"
                continue
            if here is not None and here.state.reason == CLOSED_ELSEWHERE:
                # So it stays when the source that closed it withdraws it, which the new pipeline has not seen.
                assert resulting[source_id]
                assert {(None,)} >= {selection.prices for selection in here.selections.values()}
                continue
            if here is not None and here.state.status == "closed" and not _is_reopened(pipeline, market, resulting[source_id]):
                # A result that was taken back without a reopening leaves the market closed, also once it is withdrawn.
                assert resulting[source_id] or rebuilt is None or rebuilt.state.status == "closed"
                assert {(None,)} >= {selection.prices for selection in here.selections.values()}
                continue
            if rebuilt is None:
                # A closed market stays closed.
                assert here is None or _bettable(here)[:2] in {("suspended", WITHDRAWN), ("closed", None)}
                assert here is None or {(None,)} >= {selection.prices for selection in here.selections.values()}
            else:
                assert here is not None
                assert _bettable(rebuilt) == _bettable(here)
            if here is not None and here.state.status == "open":
                _assert_may_be_open(pipeline, market, now_ms)


def _assert_reopened(pipeline: Pipeline, market: MarketId, resulting: set[str]) -> None:
    """Check a market that has no result any more: a live source that had closed it with one says so."""
    is_reopened = _is_reopened(pipeline, market, resulting) or _is_taken_back(pipeline, market)
    assert is_reopened, "only the source that closed a market reopens it"


def _is_reopened(pipeline: Pipeline, market: MarketId, resulting: set[str]) -> bool:
    """Check whether a live source that had closed a market has it otherwise now."""
    return any(
        book.source in resulting and held.definition is not None and held.definition.status != "closed"
        for book, held in pipeline.quoting(market)
        if book.health == "live"
    )


def _is_taken_back(pipeline: Pipeline, market: MarketId) -> bool:
    """Check whether a live source has the market closed without a result."""
    return any(
        book.health == "live" and held.definition is not None and held.definition.status == "closed"
        for book, held in pipeline.quoting(market)
    )
