"""Flushes of many markets are cut: what they publish in the end, what they publish first, and who has a turn meanwhile."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.feed_updates import EventUpdate, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.engine.flushing.backlog import MARKETS_AT_ONCE, Backlog
from oddsengine.engine.ownership.shard_writer import ShardWriter
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.pricing.profiles.rules import Rule
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_batch, a_command, a_definition, a_quote, an_event
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pytest

    from oddsengine.domain.changes import Batch
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.streams.publisher import Publication

SOURCES = ("feed.a", "feed.b")
EVENTS = tuple(f"e{number}" for number in range(4))
LINES = (1.5, 2.5, 3.5)
_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("quote"), st.sampled_from(SOURCES), st.sampled_from(EVENTS), st.sampled_from(LINES), st.floats(1.3, 6.0)
        ),
        st.tuples(st.just("define"), st.sampled_from(SOURCES), st.sampled_from(EVENTS), st.sampled_from(("open", "suspended"))),
        st.tuples(st.just("health"), st.sampled_from(SOURCES), st.sampled_from(("live", "live", "stale", "down"))),
        st.tuples(st.just("begin"), st.sampled_from(SOURCES), st.sampled_from(EVENTS), st.booleans()),
        st.tuples(st.just("gone"), st.sampled_from(SOURCES), st.sampled_from(EVENTS), st.sampled_from(LINES)),
        st.tuples(st.just("command"), st.sampled_from(EVENTS), st.booleans()),
        st.tuples(st.just("flush"), st.integers(1, 9)),
    ),
    max_size=30,
)


class Counted:
    """A time slice of a number of steps."""

    whole_up_to = 0

    def __init__(self, steps: int) -> None:
        self._steps = self._left = steps

    def begin(self, sharers: int) -> None:
        self._left = self._steps

    def has_time(self) -> bool:
        self._left -= 1
        return self._left > 0


def a_pipeline(sources: tuple[str, ...] = SOURCES) -> Pipeline:
    # What a source that was lost for a moment only has waited for depends on when that was noticed.
    pricer = Pricer({"default": Profile(rules=(Rule(in_play=True, book_sum=1.1),))})
    return Pipeline(pricer, sources, sourcing=[SourcingRule(hold_s=0.0)])


def total(event: str, line: float) -> str:
    return f"{event}/total/ft/{line}"


def offered(source: str, event: str, line: float = 2.5, *, odds: float = 2.0, status: str = "open") -> Iterator[MarketUpdate]:
    """Yield what a source says of a total that it offers."""
    definition = a_definition(total(event, line), ("over", "under"), type="total", period="ft", line=line, status=status)
    yield MarketUpdate(total(event, line), definition=definition)
    yield from moved(event, line, odds)


def moved(event: str, line: float, odds: float) -> Iterator[MarketUpdate]:
    yield MarketUpdate(total(event, line), books=[a_quote("over", odds), a_quote("under", odds / (odds - 1))])


def receive(pipeline: Pipeline, source: str, *updates: Any) -> None:
    pipeline.receive(a_batch(*updates, source=source), 1)


def start(pipeline: Pipeline, events: tuple[str, ...] = EVENTS, sources: tuple[str, ...] = SOURCES) -> None:
    """Offer the totals of all events at every source."""
    for source in sources:
        receive(pipeline, source, SourceStatus("live", "test"))
        for event in events:
            receive(pipeline, source, EventUpdate(an_event(event)))
            receive(pipeline, source, *[each for line in LINES for each in offered(source, event, line, odds=line)])


def publish(pipeline: Pipeline) -> None:
    pipeline.flush(0, 1)
    pipeline.offers[0].commit(1)


def apply(pipeline: Pipeline, what: str, *of: Any) -> None:
    if what == "quote":
        source, event, line, odds = of
        receive(pipeline, source, *moved(event, line, odds))
    elif what == "define":
        source, event, status = of
        receive(pipeline, source, *offered(source, event, status=status))
    elif what == "health":
        receive(pipeline, of[0], SourceStatus(of[1], "test"))
    elif what == "begin":
        source, event, in_play = of
        receive(pipeline, source, EventUpdate(an_event(event, in_play=in_play)))
    elif what == "gone":
        source, event, line = of
        receive(pipeline, source, MarketGone(total(event, line)))
    else:
        event, is_lifted = of
        pipeline.obey(a_command("suspend", key=f"c-{event}", event=event, lifted_ms=20 if is_lifted else None))


def published(offer: OwnedOffer) -> dict[str, Any]:
    """Return what can be bet on."""
    return {
        market: (
            record.state.status,
            record.state.reason,
            record.state.in_play,
            {key: (each.status, each.prices) for key, each in record.selections.items()},
        )
        for market, record in offer.markets.items()
    } | {event: entry.record.progress for event, entry in offer.events.items()}


@examples(50)
@given(_STEPS)
def test_cut_flushes_end_in_the_state_of_whole_ones(steps: list[tuple[Any, ...]]) -> None:
    whole, cut = a_pipeline(), a_pipeline()
    for pipeline in (whole, cut):
        start(pipeline)
        publish(pipeline)
    for what, *of in steps:
        if what == "flush":
            whole.flush(0, 1)
            cut.flush(0, 1, Counted(of[0]))
        else:
            for pipeline in (whole, cut):
                apply(pipeline, what, *of)
        for pipeline in (whole, cut):
            pipeline.offers[0].commit(1)
    whole.flush(0, 1)
    parts = 0
    while not cut.flush(0, 1, Counted(1)):
        parts += 1
        assert parts < 100
    assert published(whole.offers[0]) == published(cut.offers[0])
    assert not cut.is_dirty


def open_markets(offer: OwnedOffer) -> set[str]:
    return {market for market, record in offer.markets.items() if record.state.status == "open"}


def test_suspensions_come_before_prices() -> None:
    pipeline = a_pipeline()
    start(pipeline)
    publish(pipeline)
    offer = pipeline.offers[0]
    for event in EVENTS:
        receive(pipeline, "feed.a", *moved(event, 1.5, 1.6), *offered("feed.a", event, 2.5, status="suspended"))
    assert not pipeline.flush(0, 1, Counted(len(EVENTS) * 2))
    batch = offer.commit(1)
    assert batch is not None
    assert {total(event, 2.5) for event in EVENTS} <= {change.id for change in batch.markets}
    assert {total(event, line) for event in EVENTS for line in (1.5, 3.5)} == open_markets(offer)


def test_what_waited_is_priced_by_the_newest_state() -> None:
    pipeline = a_pipeline()
    start(pipeline)
    publish(pipeline)
    for event in EVENTS:
        receive(pipeline, "feed.a", *moved(event, 2.5, 2.2))
    assert not pipeline.flush(0, 1, Counted(1))
    pipeline.offers[0].commit(1)
    receive(pipeline, "feed.a", SourceStatus("down", "test"))
    receive(pipeline, "feed.b", SourceStatus("down", "test"))
    while not pipeline.flush(0, 1, Counted(1)):
        batch = pipeline.offers[0].commit(1)
        assert batch is not None
        assert {"suspended"} == {change.state.status for change in batch.markets if change.state is not None}
        assert not any(price for change in batch.markets for each in change.selections.values() for price in each.prices or ())
    assert set() == open_markets(pipeline.offers[0])


def test_a_command_is_acknowledged_once_all_that_it_changes_is_published() -> None:
    pipeline = a_pipeline()
    start(pipeline)
    publish(pipeline)
    offer = pipeline.offers[0]
    for event in EVENTS:
        receive(pipeline, "feed.a", *moved(event, 2.5, 2.2))
    pipeline.flush(0, 1, Counted(1))
    pipeline.obey(a_command("suspend", event="e1"))
    pipeline.commands.obeyed = 1
    while offer.commands != 1:
        assert not pipeline.flush(0, 1, Counted(1)), "it does not wait for other events"
    assert {"e1"}.isdisjoint(market.partition("/")[0] for market in open_markets(offer))
    pipeline.obey(a_command("suspend", event="e1", lifted_ms=20))
    pipeline.commands.obeyed = 2
    while offer.commands != 2:
        assert {total("e1", line) for line in LINES} - open_markets(offer)
        pipeline.flush(0, 1, Counted(1))
    assert {total("e1", line) for line in LINES} <= open_markets(offer)
    pipeline.obey(a_command("suspend", event="e1"))
    pipeline.commands.obeyed = 3
    pipeline.flush(0, 1)
    assert 3 == offer.commands, "a whole flush leaves nothing to wait for"


def test_what_does_not_settle_in_a_cut_flush_is_priced_with_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = a_pipeline()
    start(pipeline)
    with monkeypatch.context() as patch:
        patch.setattr("oddsengine.engine.pipeline.MAX_REPRICE_ROUNDS", 0)
        pipeline.flush(0, 1, Counted(1000))
    assert set() == open_markets(pipeline.offers[0])
    assert pipeline.is_dirty
    publish(pipeline)
    assert {total(event, line) for event in EVENTS for line in LINES} <= open_markets(pipeline.offers[0])


def test_a_large_event_is_cut_between_its_market_types() -> None:
    backlog, event = Backlog(), EventId("e1")
    kinds = ("a", "b", "c")
    backlog.to_price(event, {MarketId(f"e1/{kind}/{number}") for kind in kinds for number in range(MARKETS_AT_ONCE - 1)})
    parts = []
    while backlog:
        parts.append({market.split("/")[1] for market in backlog.take_to_price()})
    assert [{"a", "b"}, {"c"}] == parts


class MemoryPublisher:
    """Counts the markets of each write."""

    def __init__(self, offer: OwnedOffer) -> None:
        self.offer = offer
        self.writes = 0

    async def load(self) -> None:
        """Load nothing."""

    async def claim(self, now_ms: int, unpublished: Sequence[Batch] = (), age_ms: int = 0) -> None:
        """Claim nothing."""

    async def publish(self, publication: Publication) -> None:
        self.writes += 1


async def test_others_have_their_turn_while_thousands_of_markets_are_suspended_and_repriced() -> None:
    pipeline, events = a_pipeline(("feed.a",)), tuple(f"e{number}" for number in range(1000))
    start(pipeline, events, ("feed.a",))
    offer = pipeline.offers[0]
    publisher = MemoryPublisher(offer)
    writer = ShardWriter(pipeline, 0, publisher, lambda: 1, 60.0, time_slice=Counted(50))
    task = asyncio.create_task(writer.run())
    try:
        for health, opened in (("live", 3000), ("down", 0)):
            receive(pipeline, "feed.a", SourceStatus(health, "test"))  # type: ignore[arg-type]
            writer.wake()
            turns, before = 0, publisher.writes
            while pipeline.is_dirty:
                await asyncio.sleep(0)
                turns += 1
            assert opened == len(open_markets(offer))
            assert publisher.writes - before >= 1000 // 50
            assert turns >= 1000 // 50
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_a_line_is_priced_again_where_a_cut_flush_suspends_the_one_it_was_pooled_with() -> None:
    pipeline = Pipeline(Pricer({"default": Profile(pool_limit=0.5)}), SOURCES)
    start(pipeline, ("e0",), ("feed.a",))
    for line, odds in ((1.5, 2.1), (2.5, 2.0)):
        receive(pipeline, "feed.a", *offered("feed.a", "e0", line))
        books = [a_quote("over", odds, spread=0.08), a_quote("under", odds / (odds - 1), spread=0.08)]
        receive(pipeline, "feed.a", MarketUpdate(total("e0", line), books=books))
    pipeline.flush(0, 1)
    offer = pipeline.offers[0]
    assert offer.markets[MarketId(total("e0", 2.5))].selections["over"].prices == (1950,)
    definition = a_definition(total("e0", 1.5), ("over", "under"), type="total", period="ft", line=1.5, status="suspended")
    receive(pipeline, "feed.a", MarketUpdate(total("e0", 1.5), definition=definition))
    pipeline.flush(0, 2, Counted(9))
    assert offer.markets[MarketId(total("e0", 2.5))].selections["over"].prices == (1900,)
