"""What follows from the fields of published values."""

from __future__ import annotations

from typing import get_args

import pytest

from oddsengine.domain.changes import Changes, EventChange, MarketChange, MarketState, Removal
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus


@pytest.mark.parametrize("status", get_args(MarketStatus))
def test_a_market_that_stops_taking_bets_is_urgent(status: MarketStatus) -> None:
    assert (status != "open") == MarketChange(MarketId("m"), 1, None, MarketState(status, None, in_play=False), {}).is_urgent


def test_a_change_without_a_status_is_not_urgent() -> None:
    assert not MarketChange(MarketId("m"), 1, None, None, {}).is_urgent


def test_changes_are_true_if_there_are_any() -> None:
    removal = Removal("event", "e1", EventId("e1"), "football", "cup")
    assert not Changes([], [], [])
    assert Changes([], [], [removal])
    assert Changes([EventChange(EventId("e1"), None, None)], [], [])


def test_an_events_optional_fields_have_defaults() -> None:
    event = Event(id=EventId("e1"), sport="football", competition=Competition("cup", "Cup"), name="E1")
    assert ((), None, False, None, None) == (event.participants, event.start_ms, event.in_play, event.score, event.clock)


def test_unknown_market_types_have_a_type() -> None:
    assert "other" in get_args(MarketType)
    assert {"suspended"} == set(get_args(MarketStatus)) & set(get_args(SelectionStatus))
