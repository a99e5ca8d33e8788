"""Results: given, revised, taken back, kept after the event has left the offer, and back on offer when revised then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oddsengine.domain.changes import Batch, SettledMarket
from oddsengine.domain.feed_updates import EventUpdate, MarketDefinition, MarketGone, MarketUpdate, SourceStatus
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.results import HALF_LOST, LOST, TAKEN_BACK, VOID, WON, SelectionResult
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.sourcing_rule import SourcingRule
from tests.support.builders import a_batch, a_definition, a_quote, an_event, live, market_updates

if TYPE_CHECKING:
    from oddsengine.domain.taxonomy import SelectionStatus

MARKET = MarketId("e1/match_odds")
QUOTES = a_quote("home", 2.0), a_quote("away", 2.0)


def resulted(status: str = "closed", **selections: SelectionStatus | tuple[SelectionStatus, SelectionResult]) -> MarketDefinition:
    """A definition whose selections have these statuses, and results beyond them."""
    definition = a_definition(status=status)
    changed = []
    for selection in definition.selections:
        said = selections[selection.key]
        new_status, result = said if isinstance(said, tuple) else (said, None)
        changed.append(msgspec.structs.replace(selection, status=new_status, result=result))
    return msgspec.structs.replace(definition, selections=tuple(changed))


class Story:
    """A pipeline of sources and what it publishes."""

    def __init__(self, *sources: str) -> None:
        self.pipeline = Pipeline(Pricer({"default": Profile()}), sources or ("src",))
        self.offer = self.pipeline.offers[0]
        self.settled: list[SettledMarket] = []
        for source in sources or ("src",):
            self.pipeline.receive(live(source), 1)

    def feed(self, *updates: Any, source: str = "src", now_ms: int = 1) -> Batch | None:
        self.pipeline.receive(a_batch(*updates, source=source), now_ms)
        return self.flush(now_ms)

    def define(self, definition: MarketDefinition, source: str = "src") -> Batch | None:
        return self.feed(MarketUpdate("1.1", definition=definition), source=source)

    def flush(self, now_ms: int = 1) -> Batch | None:
        self.pipeline.flush(0, now_ms)
        batch = self.offer.commit(now_ms)
        if batch is not None:
            self.settled += self.offer.snapshot_update(batch).settled
        return batch

    def leave(self) -> None:
        for now_ms in (1000, 2000):
            self.pipeline.retire(0, now_ms, keep_ms=500)
        self.flush(2000)
        assert {} == self.offer.events

    @property
    def results(self) -> dict[str, SelectionResult | None]:
        return {key: selection.result for key, selection in self.offer.markets[MARKET].selections.items()}


def an_open_story(*sources: str) -> Story:
    story = Story(*sources)
    for source in sources or ("src",):
        story.feed(*market_updates(a_definition(), *QUOTES), source=source)
    return story


def test_a_result_is_published_and_revised_with_the_next_version() -> None:
    story = an_open_story()
    assert {"home": None, "away": None} == story.results
    story.define(resulted(home="winner", away="loser"))
    assert {"home": WON, "away": LOST} == story.results
    version = story.offer.markets[MARKET].v
    batch = story.define(resulted(home="loser", away="winner"))
    assert {"home": LOST, "away": WON} == story.results
    assert batch is not None
    assert [(version + 1, {"home": LOST, "away": WON})] == [
        (change.v, {key: selection.result for key, selection in change.selections.items()}) for change in batch.markets
    ]


def test_a_factor_alone_is_a_revision() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    version = story.offer.markets[MARKET].v
    story.define(resulted(home="winner", away=("loser", HALF_LOST)))
    assert {"home": WON, "away": HALF_LOST} == story.results
    assert version + 1 == story.offer.markets[MARKET].v


def test_a_result_is_taken_back_when_the_market_reopens() -> None:
    for status in ("open", "suspended"):
        story = an_open_story()
        story.define(resulted(home="winner", away="loser"))
        version = story.offer.markets[MARKET].v
        batch = story.define(a_definition(status=status))
        assert batch is not None
        (change,) = batch.markets
        assert change.state is not None
        assert (version + 1, status) == (change.v, change.state.status)
        assert {"home": TAKEN_BACK, "away": TAKEN_BACK} == {key: each.result for key, each in change.selections.items()}
        assert ["active", "active"] == [each.status for each in change.selections.values()]


@pytest.mark.parametrize("is_flushed", [True, False])
@pytest.mark.parametrize(
    ("said", "statuses"), [("closed", {"home": "winner", "away": "loser"}), ("open", {"home": "active", "away": "loser"})]
)
@pytest.mark.parametrize(
    ("last", "reason"), [(MarketGone("1.1"), "withdrawn"), (SourceStatus("down", "cut"), "source_down"), (None, "withdrawn")]
)
def test_a_result_is_taken_back_though_its_source_is_lost_before_the_next_flush(
    said: str, statuses: dict[str, Any], last: Any, reason: str, is_flushed: bool
) -> None:
    """By then the source has withdrawn the market, is down, or is no source any more."""
    story = an_open_story()
    story.define(resulted(said, **statuses))
    story.pipeline.receive(a_batch(MarketUpdate("1.1", definition=a_definition())), 1)
    if is_flushed:
        story.flush()
    if last is None:
        story.pipeline.use_sources((), 1)
    else:
        story.pipeline.receive(a_batch(last), 1)
    story.flush()
    market = story.offer.markets[MARKET]
    assert ("suspended", reason) == (market.state.status, market.state.reason)
    assert {"home": TAKEN_BACK if said == "closed" else None, "away": TAKEN_BACK} == story.results
    assert {"active"} == {each.status for each in market.selections.values()}


def test_a_result_of_a_selection_counts_though_its_market_is_withdrawn_before_the_next_flush() -> None:
    story = an_open_story()
    story.feed(MarketUpdate("1.1", definition=resulted("open", home="active", away="loser")), MarketGone("1.1"))
    assert {"home": None, "away": LOST} == story.results


def test_a_market_that_was_withdrawn_and_came_back_keeps_its_results_where_its_source_may_not_price_it_any_more() -> None:
    story = an_open_story()
    story.feed(MarketGone("1.1"))
    story.define(resulted("open", home="active", away="loser"))
    story.pipeline.choose_by([SourcingRule(sources=("other",))])
    story.flush()
    assert {"home": None, "away": LOST} == story.results


def test_a_result_is_taken_back_by_a_source_that_reopens_the_market_before_it_is_live_again() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    story.feed(SourceStatus("down", "cut"))
    reopened = MarketUpdate("1.1", definition=a_definition())
    story.feed(reopened, SourceStatus("live", "back"), SourceStatus("down", "cut"))
    assert {"home": TAKEN_BACK, "away": TAKEN_BACK} == story.results


def test_a_removed_selection_is_void_at_once() -> None:
    story = an_open_story()
    story.define(resulted("suspended", home=("removed", VOID), away="active"))
    assert {"home": VOID, "away": None} == story.results


def test_what_leaves_with_results_is_kept() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    version = story.offer.markets[MARKET].v
    story.leave()
    (kept,) = story.settled
    assert (MARKET, version, 2000) == (kept.market.id, kept.market.v, kept.left_ms)
    assert ("e1", "football", "cup") == (kept.removal.event, kept.removal.sport, kept.removal.competition)
    assert WON == kept.market.selections["home"].result
    assert kept == msgspec.msgpack.decode(msgspec.msgpack.encode(kept), type=SettledMarket)


def test_what_leaves_without_a_result_is_not_kept() -> None:
    story = an_open_story()
    story.pipeline.receive(a_batch(), 1)
    story.define(a_definition(status="suspended"))
    story.offer.suspend(MARKET, "withdrawn")
    story.leave()
    assert [] == story.settled


def test_a_result_revised_after_its_event_has_left_brings_it_back() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    version = story.offer.markets[MARKET].v
    story.leave()
    story.define(resulted(home="loser", away="winner"))
    assert {"home": LOST, "away": WON} == story.results
    assert version + 1 == story.offer.markets[MARKET].v
    assert "E1" == story.offer.events[EventId("e1")].record.description.name
    story.leave()
    assert [WON, LOST] == [kept.market.selections["home"].result for kept in story.settled]


def test_a_result_taken_back_after_its_event_has_left_reopens_it() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    story.leave()
    story.feed(MarketUpdate("1.1", image=True, definition=a_definition(), books=list(QUOTES)))
    assert "open" == story.offer.markets[MARKET].state.status
    assert {"home": TAKEN_BACK, "away": TAKEN_BACK} == story.results


def test_a_repeated_result_does_not_bring_an_event_back() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    story.leave()
    story.define(resulted(home="winner", away="loser"))
    assert {} == story.offer.events


def test_a_source_that_did_not_close_a_market_does_not_bring_it_back() -> None:
    """A bookmaker that still quotes a match that is over has just not noticed."""
    story = an_open_story("src", "other")
    story.define(resulted(home="winner", away="loser"))
    story.feed(MarketGone("1.1"), source="other")
    story.leave()
    story.feed(MarketUpdate("1.1", image=True, definition=a_definition(), books=list(QUOTES)), source="other")
    assert {} == story.offer.events


def test_versions_go_on_when_a_source_describes_the_event_again() -> None:
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    version = story.offer.markets[MARKET].v
    story.leave()
    story.feed(EventUpdate(an_event()), MarketUpdate("1.1", definition=a_definition(), books=list(QUOTES)))
    assert version < story.offer.markets[MARKET].v


def test_a_source_that_withdraws_a_closed_market_may_still_revise_it() -> None:
    """Providers drop closed markets from their images."""
    story = an_open_story()
    story.define(resulted(home="winner", away="loser"))
    story.feed(MarketGone("1.1"))
    story.leave()
    story.define(resulted(home="loser", away="winner"))
    assert {"home": LOST, "away": WON} == story.results
