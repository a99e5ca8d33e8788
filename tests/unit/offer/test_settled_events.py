"""The events that have left the offer last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.ids import EventId, MarketId
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.settled_events import SettledEvent, SettledEvents
from tests.support.builders import an_event, an_offer_of

if TYPE_CHECKING:
    from oddsengine.domain.changes import EventRecord, MarketRecord


def an_event_that_left(event: str, *kinds: str) -> SettledEvent:
    offer = OwnedOffer()
    offer.stage_event(an_event(event))
    markets: dict[MarketId, MarketRecord] = {}
    for kind in kinds:
        offer.stage_market(an_offer_of(f"{event}/{kind}", status="closed"))
        markets[MarketId(f"{event}/{kind}")] = offer.markets[MarketId(f"{event}/{kind}")]
    record: EventRecord = offer.events[EventId(event)].record
    return SettledEvent(record, markets, frozenset({"src"}))


def test_the_first_to_leave_is_dropped_first() -> None:
    settled = SettledEvents(limit=3)
    for event in ("e1", "e2", "e3"):
        settled.add(an_event_that_left(event, "a", "b"))
    assert [None, None, "e3"] == [found and found.record.id for found in map(settled.get, map(EventId, ("e1", "e2", "e3")))]
    assert [0, 1] == [settled.version(EventId(event), MarketId(f"{event}/a")) for event in ("e1", "e3")]


def test_an_event_that_leaves_again_keeps_its_other_markets() -> None:
    settled = SettledEvents()
    settled.add(an_event_that_left("e1", "a"))
    settled.add(an_event_that_left("e1", "b"))
    found = settled.pop(EventId("e1"))
    assert found is not None
    assert {"e1/a", "e1/b"} == found.markets.keys()
    assert settled.get(EventId("e1")) is None
