"""Consecutive batches merged into one diff; that it equals `changes_since` is a law of test_offer_laws.py."""

from __future__ import annotations

from oddsengine.domain.changes import (
    Batch,
    EventChange,
    EventProgress,
    MarketChange,
    MarketIdentity,
    MarketState,
    Removal,
    SelectionChange,
)
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.results import LOST, WON
from oddsengine.offer.merge import merge_batches

OPEN = MarketState("open", None, in_play=False)
SUSPENDED = MarketState("suspended", "why", in_play=False)
IDENTITY = MarketIdentity(EventId("e1"), "match_odds")


def a_market(
    key: str, v: int = 1, *, whole: bool = False, state: MarketState | None = None, **selections: SelectionChange
) -> MarketChange:
    return MarketChange(MarketId(key), v, IDENTITY if whole else None, OPEN if whole and state is None else state, selections)


def a_batch(*markets: MarketChange, events: list[EventChange] | None = None, removals: list[Removal] | None = None) -> Batch:
    return Batch(0, events or [], list(markets), removals or [])


def a_removal(key: str) -> Removal:
    return Removal("market", key, EventId("e1"), "football", "cup")


def test_the_latest_value_of_everything_is_kept() -> None:
    changes = merge_batches(
        [
            a_batch(a_market("m", 1, home=SelectionChange("Home", "active", (2000,)), away=SelectionChange(None, None, (1800,)))),
            a_batch(a_market("m", 2, home=SelectionChange(None, None, (2020,)))),
        ]
    )
    (market,) = changes.markets
    assert 2 == market.v
    assert {
        "home": SelectionChange("Home", "active", (2020,)),
        "away": SelectionChange(None, None, (1800,)),
    } == market.selections


def test_markets_that_stopped_taking_bets_come_first() -> None:
    changes = merge_batches([a_batch(a_market("a"), a_market("b")), a_batch(a_market("b", 2, state=SUSPENDED), a_market("c"))])
    assert ["b", "a", "c"] == [market.id for market in changes.markets]
    assert 1 == changes.urgent


def test_a_market_suspended_and_opened_again_is_not_urgent() -> None:
    changes = merge_batches([a_batch(a_market("a", state=SUSPENDED)), a_batch(a_market("a", 2, state=OPEN))])
    assert ([OPEN], 0) == ([market.state for market in changes.markets], changes.urgent)


def test_a_removal_cancels_earlier_changes() -> None:
    changes = merge_batches([a_batch(a_market("a", whole=True)), a_batch(removals=[a_removal("a")])])
    assert ([], [a_removal("a")]) == (changes.markets, changes.removals)


def test_a_market_added_again_cancels_its_removal() -> None:
    changes = merge_batches([a_batch(removals=[a_removal("a")]), a_batch(a_market("a", whole=True))])
    assert (["a"], []) == ([market.id for market in changes.markets], changes.removals)


def test_a_whole_market_replaces_earlier_changes() -> None:
    earlier = a_market("a", home=SelectionChange("Home", "active", (2000,)))
    whole = a_market("a", 2, whole=True, away=SelectionChange("Away", "active", (1800,)))
    assert [whole] == merge_batches([a_batch(earlier), a_batch(whole)]).markets


def test_the_parts_of_an_event_are_merged() -> None:
    first, second = EventProgress(in_play=True, score="0-0", clock=None), EventProgress(in_play=True, score="1-0", clock=None)
    event = EventId("e1")
    changes = merge_batches(
        [a_batch(events=[EventChange(event, None, progress)]) for progress in (first, second)],
    )
    assert [EventChange(event, None, second)] == changes.events


def test_the_latest_result_is_kept() -> None:
    won = SelectionChange(None, "winner", (None,), WON)
    later = SelectionChange(None, None, (None,))
    revised = SelectionChange(None, "loser", (None,), LOST)
    for selections, expected in (([won, later], won), ([later, won], won), ([won, revised], revised)):
        (market,) = merge_batches([a_batch(a_market("m", v, home=home)) for v, home in enumerate(selections, 1)]).markets
        assert {"home": expected} == market.selections
