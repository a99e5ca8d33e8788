"""The laws of positions, against a client that knows nothing but what it is told."""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from oddsengine.domain.changes import Batch, Changes, MarketIdentity, MarketState, Record
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.offer.change_index import ALL
from oddsengine.offer.merge import merged
from oddsengine.offer.offer import BEGINNING, Offer
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer

EVENTS = ["e1", "e2", "e3"]
SPORT_OF = {"e1": "football", "e2": "football", "e3": "tennis"}
COMPETITION_OF = {"e1": "cup", "e2": "league", "e3": "open"}
MARKETS = [f"{event}/{kind}" for event in EVENTS for kind in ("a", "b")]
SELECTIONS = ["home", "draw", "away"]
SCOPES = [
    ALL,
    "sport:football",
    "sport:tennis",
    "competition:cup",
    "competition:league",
    "event:e1",
    "event:e3",
    "market:e1/a",
    "market:e2/b",
]


class Told:
    """A client's state of one scope."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.events: dict[str, dict[str, Any]] = {}
        self.markets: dict[str, dict[str, Any]] = {}

    def apply(self, changes: Changes) -> Told:
        for removal in changes.removals:
            if removal.what == "market":
                self.markets.pop(removal.id, None)
                if self.scope.startswith("market:"):
                    self.events.clear()  # it was shown only for the market's sake
            else:
                self.events.pop(removal.id, None)
        for event in changes.events:
            known = self.events.setdefault(event.id, {})
            if event.description is not None:
                known["description"] = event.description
            if event.progress is not None:
                known["progress"] = event.progress
        for market in changes.markets:
            if market.identity is not None:
                self.markets[market.id] = {"identity": market.identity, "selections": {}}
            known = self.markets[market.id]
            known["v"] = market.v
            if market.state is not None:
                known["state"] = market.state
            for key, selection in market.selections.items():
                mine = known["selections"].setdefault(key, {})
                if selection.name is not None:
                    mine["name"] = selection.name
                if selection.status is not None:
                    mine["status"] = selection.status
                mine["prices"] = selection.prices
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Told) and (self.events, self.markets) == (other.events, other.markets)

    def __hash__(self) -> int:
        raise TypeError

    def __repr__(self) -> str:
        return f"Told({self.events}, {self.markets})"


def told_all(offer: Offer, scope: str) -> Told:
    return Told(scope).apply(offer.changes_since(BEGINNING, scope))


class Positions(RuleBasedStateMachine):
    """An owner that does anything at all, clients that remember every position, and a replica fed by the batches."""

    positions = Bundle("positions")

    @initialize()
    def begin(self) -> None:
        self.owner = OwnedOffer(("default",), tombstones_kept=4)
        self.owner.open_epoch(7)
        self.replica = ReplicaOffer()
        self.restart_replica()
        self.remembered: list[tuple[int, dict[str, Told]]] = []
        self.batches: list[Batch] = []
        self.remember()

    def remember(self) -> None:
        self.remembered.append((self.owner.seq, {scope: told_all(self.owner, scope) for scope in SCOPES}))

    @rule(event=st.sampled_from(EVENTS), in_play=st.booleans(), score=st.sampled_from([None, "0-0", "1-0"]))
    def put_event(self, event: str, in_play: bool, score: str | None) -> None:
        self.owner.put_event(
            Event(
                id=EventId(event),
                sport=SPORT_OF[event],
                competition=Competition(COMPETITION_OF[event], "x"),
                name=event,
                in_play=in_play,
                score=score,
            )
        )

    @rule(
        market=st.sampled_from(MARKETS),
        status=st.sampled_from(["open", "open", "suspended", "closed"]),
        prices=st.dictionaries(st.sampled_from(SELECTIONS), st.sampled_from([None, 1500, 2000, 2020]), min_size=1),
        selection_status=st.sampled_from(["active", "active", "suspended", "removed"]),
        line=st.sampled_from([None, None, None, 2.5]),
    )
    def put_market(self, market: str, status: Any, prices: dict[str, int | None], selection_status: Any, line: Any) -> None:
        offered = OfferedMarket(
            MarketId(market),
            MarketIdentity(EventId(market[:2]), "other", None, line, 1),
            MarketState(status, None if status == "open" else "why", in_play=False),
            {
                key: OfferedSelection(key, selection_status if place == 0 else "active", (price,))
                for place, (key, price) in enumerate(prices.items())
            },
        )
        self.owner.put_market(offered)

    @rule(market=st.sampled_from(MARKETS), price=st.sampled_from([None, 1600, 2020]))
    def put_prices(self, market: str, price: int | None) -> None:
        record = self.owner.markets.get(MarketId(market))
        if record is not None:
            self.owner.put_prices(MarketId(market), [(key, (price,)) for key in record.selections])

    @rule(market=st.sampled_from(MARKETS))
    def suspend(self, market: str) -> None:
        self.owner.suspend(MarketId(market), "doubt")

    @rule(market=st.sampled_from(MARKETS))
    def remove_market(self, market: str) -> None:
        self.owner.remove_market(MarketId(market))

    @rule(event=st.sampled_from(EVENTS))
    def remove_event(self, event: str) -> None:
        self.owner.remove_event(EventId(event))

    @rule(sign_of_life=st.booleans())
    def cut(self, sign_of_life: bool) -> None:
        before = self.owner.seq
        batch = self.owner.cut(0, sign_of_life=sign_of_life)
        assert self.owner.seq == before + (batch is not None)
        if batch is None:
            return
        for record in self.owner.records_of(batch)[0]:
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) == record
        sent = msgspec.msgpack.decode(msgspec.msgpack.encode(batch), type=Batch)
        self.replica.apply(self.owner.seq, sent)
        self.batches.append(sent)
        self.remember()

    @rule()
    def restart_replica(self) -> None:
        """A gateway that starts now reads the snapshot; what was staged and not cut is not in it."""
        if self.owner.has_staged:
            return
        records = [msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) for record in self.owner.records()]
        self.replica = ReplicaOffer()
        self.replica.load(self.owner.epoch, self.owner.seq, records)

    @invariant()
    def a_diff_since_any_position_gives_the_present(self) -> None:
        """state(P) + diff(P -> now) = state(now), in every scope, on the replica that clients talk to."""
        for seq, states in [*self.remembered[:3], *self.remembered[-4:]]:
            if not self.replica.has_diff_since(7, seq):
                continue
            for scope in SCOPES:
                state = copy.deepcopy(states[scope]).apply(self.replica.changes_since(seq, scope))
                assert told_all(self.replica, scope) == state, (seq, scope)

    @invariant()
    def batches_merged_say_what_the_diff_says(self) -> None:
        for place in {0, len(self.batches) - 2, len(self.batches) - 1} & set(range(len(self.batches))):
            _, states = self.remembered[place]
            changes = merged(self.batches[place:])
            assert told_all(self.replica, ALL) == copy.deepcopy(states[ALL]).apply(changes), place
            stopped = [change.state is not None and change.state.status != "open" for change in changes.markets]
            assert [True] * changes.urgent + [False] * (len(stopped) - changes.urgent) == stopped

    @invariant()
    def the_replica_is_what_was_last_cut(self) -> None:
        seq, states = self.remembered[-1]
        assert self.replica.seq == seq
        for scope in SCOPES:
            assert told_all(self.replica, scope) == states[scope]

    @invariant()
    def nothing_that_can_not_be_bet_on_has_a_price(self) -> None:
        for offer in (self.owner, self.replica):
            for market in offer.markets.values():
                for selection in market.selections.values():
                    if market.state.status != "open" or selection.status != "active":
                        assert selection.prices == (None,)

    @invariant()
    def versions_only_grow(self) -> None:
        for market in self.owner.markets.values():
            before = self.remembered[-1][1][ALL].markets.get(market.id)
            if before is not None and before["identity"] == market.identity and market.created_at <= self.owner.seq:
                assert 0 <= market.v - before["v"] <= 1


Positions.TestCase.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
TestPositions = Positions.TestCase


@given(st.integers(0, 30))
def test_a_position_older_than_the_oldest_tombstone_has_no_diff(removals: int) -> None:
    """Removed markets leave a tombstone; a position older than the oldest tombstone kept gets a snapshot."""
    offer = OwnedOffer(("default",), tombstones_kept=10)
    offer.open_epoch(1)
    offer.put_event(Event(id=EventId("e1"), sport="s", competition=Competition("c", "c"), name="e"))
    for number in range(removals):
        market = MarketId(f"e1/{number}")
        identity = MarketIdentity(EventId("e1"), "other")
        offer.put_market(OfferedMarket(market, identity, MarketState("open", None, in_play=False), {}))
        offer.cut(0)
        offer.remove_market(market)
        offer.cut(0)
    forgotten = max(0, removals - 10)
    assert offer.floor == 2 * forgotten
    assert not forgotten or not offer.has_diff_since(1, offer.floor - 1)
    assert offer.has_diff_since(1, offer.floor)
    assert not offer.has_diff_since(1, offer.seq + 1)
    assert not offer.has_diff_since(2, offer.seq)
