"""The laws of positions, checked by a client that knows only the changes it receives."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from oddsengine.domain.changes import Changes, MarketIdentity, MarketState, MarketTerms, Meta, Record
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.domain.results import HALF_WON, LOST, WON
from oddsengine.gateway.state.flush_changes import from_entries
from oddsengine.offer.change_index import ALL
from oddsengine.offer.entries.entry import batch_of
from oddsengine.offer.offer import BEGINNING
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from tests.support.builders import an_event, an_offer_of
from tests.support.laws.examples import examples
from tests.support.streams.entries import changes_in, sent

if TYPE_CHECKING:
    from oddsengine.offer.entries.entry import Entry

AnyOffer: TypeAlias = "OwnedOffer | ReplicaOffer"

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


class ClientState:
    """A client's state of one scope."""

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.events: dict[str, dict[str, Any]] = {}
        self.markets: dict[str, dict[str, Any]] = {}

    def apply(self, changes: Changes) -> ClientState:
        for removal in changes.removals:
            if removal.kind == "market":
                self.markets.pop(removal.id, None)
                if self.scope.startswith("market:"):
                    self.events.clear()  # it was sent only with the market
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
                    mine["name"], mine["order"] = selection.name, selection.order
                if selection.status is not None:
                    mine["status"] = selection.status
                if selection.result is not None:
                    mine["result"] = selection.result
                mine["prices"], mine["fair"] = selection.prices, selection.fair
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClientState) and (self.events, self.markets) == (other.events, other.markets)

    def __hash__(self) -> int:
        raise TypeError

    def __repr__(self) -> str:
        return f"ClientState({self.events}, {self.markets})"


def full_state(offer: AnyOffer, scope: str) -> ClientState:
    return ClientState(scope).apply(offer.changes_since(BEGINNING, scope))


class Positions(RuleBasedStateMachine):
    """An owner that makes any changes, clients at every earlier position, and a replica that applies the batches."""

    positions = Bundle("positions")

    @initialize()
    def begin(self) -> None:
        self.owner = OwnedOffer(("default",), tombstone_limit=4)
        self.owner.open_epoch(7)
        self.replica = ReplicaOffer()
        self.remembered: list[tuple[int, dict[str, ClientState]]] = []
        self.entries: list[Entry] = []
        self.remember()
        self.restart_replica()

    def remember(self) -> None:
        self.remembered.append((self.owner.seq, {scope: full_state(self.owner, scope) for scope in SCOPES}))

    @rule(event=st.sampled_from(EVENTS), in_play=st.booleans(), score=st.sampled_from([None, "0-0", "1-0"]))
    def stage_event(self, event: str, in_play: bool, score: str | None) -> None:
        self.owner.stage_event(
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
        line=st.sampled_from([None, 2.5, 2.5, 2.5]),
        limit=st.sampled_from([None, None, MarketTerms(False, 50.0), MarketTerms(False, None, 5.0)]),
        result=st.sampled_from([None, None, WON, LOST, HALF_WON]),
    )
    def stage_market(
        self, market: str, status: Any, prices: dict[str, int | None], selection_status: Any, line: Any, limit: Any, result: Any
    ) -> None:
        offered = OfferedMarket(
            MarketId(market),
            MarketIdentity(EventId(market[:2]), "handicap", None, line, 1),
            MarketState(status, None if status == "open" else "why", in_play=False, terms=() if limit is None else (limit,)),
            {
                key: OfferedSelection(
                    key,
                    selection_status if place == 0 else "active",
                    (price,),
                    result if place == 0 else None,
                    place,
                    price and 500_000,
                )
                for place, (key, price) in enumerate(prices.items())
            },
        )
        self.owner.stage_market(offered)

    @rule(market=st.sampled_from(MARKETS), price=st.sampled_from([None, 1600, 2020]), fair=st.sampled_from([470_000, 500_000]))
    def stage_prices(self, market: str, price: int | None, fair: int) -> None:
        record = self.owner.markets.get(MarketId(market))
        if record is not None:
            self.owner.stage_prices(MarketId(market), [(key, (price,), price and fair) for key in record.selections])

    @rule(market=st.sampled_from(MARKETS))
    def suspend(self, market: str) -> None:
        self.owner.suspend(MarketId(market), "why")

    @rule(event=st.sampled_from(EVENTS), closed_by=st.sampled_from([None, frozenset({"src"})]))
    def remove_event(self, event: str, closed_by: frozenset[str] | None) -> None:
        self.owner.remove_event(EventId(event), closed_by)

    @rule(market=st.sampled_from(MARKETS), result=st.sampled_from([None, WON, LOST]))
    def bring_back(self, market: str, result: Any) -> None:
        if EventId(market[:2]) not in self.owner.events:
            identity = MarketIdentity(EventId(market[:2]), "other")
            state = MarketState("closed", None, in_play=False)
            revised = OfferedMarket(
                MarketId(market), identity, state, {"home": OfferedSelection("home", "active", (None,), result)}
            )
            if self.owner.bring_back(revised, "src"):
                self.owner.stage_market(revised)

    @rule(heartbeat=st.booleans())
    def commit(self, heartbeat: bool) -> None:
        before = self.owner.seq
        batch = self.owner.commit(0, heartbeat=heartbeat)
        assert self.owner.seq == before + (batch is not None)
        if batch is None:
            return
        entry = sent(self.owner, batch)
        assert batch == batch_of(entry)
        for record in self.owner.snapshot_update(batch).written:
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) == record
        self.replica.apply(entry)
        self.entries.append(entry)
        self.remember()
        self.check_replica()

    @rule()
    def restart_replica(self) -> None:
        """A gateway that starts now reads the snapshot, which has no staged changes."""
        if self.owner.has_staged:
            return
        records = [msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=Record) for record in self.owner.records()]
        self.replica = ReplicaOffer()
        self.replica.load(self.owner.epoch, self.owner.seq, records)
        self.check_replica()

    def check_replica(self) -> None:
        """Check what depends on the replica, which shares nothing with the owner, and so changes only here and in `commit`."""
        self.a_diff_since_any_position_gives_the_current_state()
        self.merged_entries_equal_the_diff()
        self.the_replica_equals_the_last_commit()

    def a_diff_since_any_position_gives_the_current_state(self) -> None:
        """state(P) + diff(P -> now) = state(now), in every scope, on the replica that clients talk to."""
        for seq, states in [*self.remembered[:3], *self.remembered[-4:]]:
            if not self.replica.has_diff_since(7, seq):
                continue
            for scope in SCOPES:
                state = copy.deepcopy(states[scope]).apply(self.replica.changes_since(seq, scope))
                assert full_state(self.replica, scope) == state, (seq, scope)

    def merged_entries_equal_the_diff(self) -> None:
        for place in {0, len(self.entries) - 2, len(self.entries) - 1} & set(range(len(self.entries))):
            seq, states = self.remembered[place]
            if not self.replica.has_diff_since(7, seq):
                continue
            changes = changes_in(from_entries(self.entries[place:], self.replica))
            assert full_state(self.replica, ALL) == copy.deepcopy(states[ALL]).apply(changes), place
            stopped = [change.state is not None and change.state.status != "open" for change in changes.markets]
            assert [True] * changes.urgent + [False] * (len(stopped) - changes.urgent) == stopped

    def the_replica_equals_the_last_commit(self) -> None:
        seq, states = self.remembered[-1]
        assert self.replica.seq == seq
        for scope in SCOPES:
            assert full_state(self.replica, scope) == states[scope]

    @invariant()
    def only_open_markets_and_active_selections_have_prices(self) -> None:
        for offer in (self.owner, self.replica):
            for market in offer.markets.values():
                for selection in market.selections.values():
                    if market.state.status != "open" or selection.status != "active":
                        assert ((None,), None) == (selection.prices, selection.fair)

    @invariant()
    def of_the_lines_of_an_event_at_most_one_is_the_main_one(self) -> None:
        for event in () if self.owner.has_staged else self.owner.events.values():
            lines = [each.state.main_line for each in event.markets.values() if each.identity.line is not None]
            assert None not in lines
            assert lines.count(True) <= 1

    @invariant()
    def versions_never_decrease(self) -> None:
        for market in self.owner.markets.values():
            before = self.remembered[-1][1][ALL].markets.get(market.id)
            if before is not None and before["identity"] == market.identity and market.created_at <= self.owner.seq:
                assert 0 <= market.v - before["v"] <= 1


Positions.TestCase.settings = examples(60, stateful_step_count=40)
TestPositions = Positions.TestCase


@given(st.integers(0, 30))
def test_a_position_before_the_oldest_tombstone_has_no_diff(removals: int) -> None:
    """A client at such a position gets a snapshot."""
    offer = OwnedOffer(("default",), tombstone_limit=10)
    offer.open_epoch(1)
    for number in range(removals):
        offer.stage_event(an_event(f"e{number}"))
        offer.commit(0)
        offer.remove_event(EventId(f"e{number}"))
        offer.commit(0)
    dropped = max(0, removals - 10)
    assert offer.oldest_diffable == 2 * dropped
    assert not dropped or not offer.has_diff_since(1, offer.oldest_diffable - 1)
    assert offer.has_diff_since(1, offer.oldest_diffable)
    assert not offer.has_diff_since(1, offer.seq + 1)
    assert not offer.has_diff_since(2, offer.seq)


def test_a_profile_has_an_index_and_the_first_one_is_the_default() -> None:
    offer = OwnedOffer(("retail", "vip"))
    assert (0, 0, 1, None) == tuple(offer.profile_index(name) for name in (None, "retail", "vip", "unknown"))


def test_a_snapshot_update_names_what_it_makes_obsolete() -> None:
    """Removed markets and events, and the tombstones over the limit."""
    offer = OwnedOffer(("default",), tombstone_limit=2)
    offer.open_epoch(1)
    for event in ("e1", "e2"):
        offer.stage_event(an_event(event))
        offer.stage_market(an_offer_of(f"{event}/match_odds"))
        offer.commit(0)
    updates = []
    for event in ("e1", "e2"):
        offer.remove_event(EventId(event))
        batch = offer.commit(0)
        assert batch is not None
        updates.append(offer.snapshot_update(batch))
    first, second = updates
    assert {("market", "e1/match_odds"), ("event", "e1")} == {(removal.kind, removal.id) for removal in first.removed}
    assert [] == first.dropped
    assert {"e1/match_odds", "e1"} == {tombstone.removal.id for tombstone in second.dropped}
    assert [3] == [record.oldest_diffable for record in second.written if isinstance(record, Meta)]
