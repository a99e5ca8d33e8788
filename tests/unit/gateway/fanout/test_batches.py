"""Laws of splitting a flush into batches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.changes import EventChange, MarketChange, MarketState, Removal
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.fanout.batches import DeltaBatch, split
from oddsengine.gateway.state.flush_changes import FlushChanges, Ready
from oddsengine.streams.positions import Position
from tests.support.streams.entries import changes_in

BEFORE, AT = Position(1, 7), Position(1, 9)


def changes_of(suspended: int, others: int) -> FlushChanges:
    markets = [
        MarketChange(MarketId(f"e/{n}"), 1, None, MarketState("suspended" if n < suspended else "open", None, in_play=False), {})
        for n in range(suspended + others)
    ]
    event, removal = EventChange(EventId("e"), None, None), Removal("event", "f", EventId("f"), "football", "cup")
    ids, unready = [market.id for market in markets], Ready(None, [None] * len(markets))
    runs = [(EventId("e"), len(markets))] if markets else []
    return FlushChanges([event], [removal], suspended, ids, runs, lambda _: unready, lambda index: markets[index])


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 10))
def test_batches_are_the_changes_in_their_order_and_only_the_last_moves_a_client(suspended: int, others: int, size: int) -> None:
    changes = changes_of(suspended, others)
    batches = split(DeltaBatch(3, changes, 1000, AT, 5 if suspended else None), BEFORE, size)
    assert changes_in(changes).markets == [market for batch in batches for market in changes_in(batch.changes).markets]
    assert [changes.events, changes.removals] == [batches[0].changes.events, batches[0].changes.removals]
    assert not any(batch.changes.events or batch.changes.removals for batch in batches[1:])
    assert [BEFORE] * (len(batches) - 1) + [AT] == [batch.at for batch in batches]
    assert {(3, 1000)} == {(batch.shard, batch.ts_ms) for batch in batches}


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 10))
def test_each_batch_knows_its_suspensions(suspended: int, others: int, size: int) -> None:
    for batch in split(DeltaBatch(0, changes_of(suspended, others), 1, AT, 5 if suspended else None), BEFORE, size):
        assert [market.is_urgent for market in changes_in(batch.changes).markets].count(True) == batch.changes.urgent
        assert (5 if batch.changes.urgent else None) == batch.suspended_ms


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 10))
def test_only_very_many_suspensions_are_split(suspended: int, others: int, size: int) -> None:
    batches = split(DeltaBatch(0, changes_of(suspended, others), 1, AT), BEFORE, size)
    if suspended > size:
        assert all(len(batch.changes.markets) <= size for batch in batches)
    else:
        assert 1 == len(batches)
