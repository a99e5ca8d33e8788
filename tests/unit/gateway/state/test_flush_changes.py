"""What a flush delivers of several entries; that it equals the diff is a law of test_offer_laws.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.state.flush_changes import FlushChanges, from_entries
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.entries import changes_in, sent

if TYPE_CHECKING:
    from oddsengine.domain.changes import Changes
    from oddsengine.offer.entries.entry import Entry

EVENTS = ("e1", "e2", "e3")


class Published:
    """An owner of three events with a market each, its replica, and the entries published since."""

    def __init__(self) -> None:
        self.owner = OwnedOffer(("default", "vip"))
        self.owner.open_epoch(7)
        self.replica = ReplicaOffer()
        self.replica.load(7, 0, [msgspec.convert(self.owner.meta(), type(self.owner.meta()))])
        self.entries: list[Entry] = []
        self.publishes(e1=2000, e2=2000, e3=2000)
        self.entries.clear()

    def publishes(self, *, status: Any = "active", **prices: int) -> None:
        for event, price in prices.items():
            self.owner.stage_event(an_event(event))
            offered = an_offer_of(f"{event}/match_odds", {"home": price})
            selections = {"home": offered.selections["home"]._replace(status=status, prices=(price, price + 100))}
            self.owner.stage_market(msgspec.structs.replace(offered, selections=selections))
        self.commit()

    def commit(self) -> None:
        batch = self.owner.commit(0)
        assert batch is not None
        entry = sent(self.owner, batch)
        self.replica.apply(entry)
        self.entries.append(entry)

    def suspends(self, event: str) -> None:
        self.owner.suspend(MarketId(f"{event}/match_odds"), "doubt")
        self.commit()

    def removes(self, event: str) -> None:
        self.owner.remove_event(EventId(event))
        self.commit()

    @property
    def flush(self) -> FlushChanges:
        return from_entries(self.entries, self.replica)

    @property
    def changes(self) -> Changes:
        return changes_in(self.flush, profiles=2)


def events_of(changes: Changes) -> list[str]:
    return [market.id.partition("/")[0] for market in changes.markets]


def test_fragments_of_different_markets_are_passed_on() -> None:
    published = Published()
    published.publishes(e1=2100, e3=2100)
    published.publishes(e2=2200)
    assert ["e1", "e2", "e3"] == sorted(events_of(published.changes))
    assert published.flush.ready(0).all is not None
    assert published.flush.ready(1).all is not None


def test_suspensions_come_first() -> None:
    published = Published()
    published.publishes(e1=2100)
    published.suspends("e2")
    changes = published.changes
    assert (["e2", "e1"], 1) == (events_of(changes), changes.urgent)
    assert published.flush.ready(0).all is not None


def test_of_a_market_that_changed_twice_in_the_same_way_the_latest_is_passed_on() -> None:
    published = Published()
    published.publishes(e1=2100, e2=2100)
    published.publishes(e1=2200, e3=2200)
    published.publishes(e1=12_300)
    assert ["e1", "e2", "e3"] == sorted(events_of(published.changes))
    for place, price in ((0, b"12.3"), (1, b"12.4")):
        ready = published.flush.ready(place).all
        assert ready is not None
        assert price in b"".join(ready)


def test_of_a_market_that_changed_in_two_ways_the_latest_is_encoded_anew() -> None:
    published = Published()
    published.publishes(e1=2100, e2=2100)
    published.publishes(status="removed", e1=2200)
    published.suspends("e3")
    changes = published.changes
    assert (["e3", "e2", "e1"], 1) == (events_of(changes), changes.urgent)
    assert [False, False, True] == [fragment is None for fragment in published.flush.ready(0).some]
    assert [2, 3] == [market.v for market in changes.markets[1:]]
    assert "removed" == changes.markets[2].selections["home"].status


def test_a_market_suspended_and_opened_again_is_not_urgent() -> None:
    published = Published()
    published.suspends("e1")
    published.publishes(e1=2100)
    changes = published.changes
    assert 0 == changes.urgent
    assert changes.markets[0].state is not None
    assert "open" == changes.markets[0].state.status


def test_a_removal_cancels_earlier_changes_and_an_event_that_returns_the_removal() -> None:
    published = Published()
    published.publishes(e1=2100)
    published.removes("e1")
    changes = published.changes
    assert ([], ["market", "event"]) == (changes.markets, sorted([removal.kind for removal in changes.removals], reverse=True))
    published.publishes(e1=2200)
    changes = published.changes
    assert (["e1"], []) == (events_of(changes), changes.removals)
    assert changes.markets[0].identity is not None


def test_a_part_has_its_share_of_everything() -> None:
    published = Published()
    published.publishes(e1=2100)
    published.suspends("e2")
    published.suspends("e3")
    flush = published.flush
    first, rest = flush.part(0, 2), flush.part(2, 10)
    assert (2, 0) == (first.urgent, rest.urgent)
    both = changes_in(first, 2).markets + changes_in(rest, 2).markets
    assert changes_in(flush).markets == both


def test_an_entry_without_fragments_that_can_be_read_is_encoded_here() -> None:
    published = Published()
    published.publishes(e1=2100)
    (entry,) = published.entries
    for ready in ([], [msgspec.Raw(b"\xc1")], [msgspec.Raw(b"\x90")]):
        published.entries = [msgspec.structs.replace(entry, ready=ready)]
        assert [None] == published.flush.ready(0).some
        assert ["e1"] == events_of(published.changes)
