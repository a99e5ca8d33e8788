"""The fields of the snapshot hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import example, given
from hypothesis import strategies as st

from oddsengine.domain.changes import Meta, Record, Tombstone
from oddsengine.domain.ids import EventId
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.snapshots.stored import obsolete_keys, record_key
from tests.support.builders import an_event, an_offer_of

if TYPE_CHECKING:
    from collections.abc import Iterable

#: (event, whether it is staged or removed, whether a commit follows)
STEPS = st.lists(st.tuples(st.sampled_from(["e1", "e2", "e3"]), st.booleans(), st.booleans()), max_size=30)


def needed(offer: OwnedOffer, records: Iterable[Record]) -> dict[str, Record]:
    """The events, markets and tombstones by field, without tombstones that no diff needs: too old, or of what is on offer."""
    return {
        record_key(record): record
        for record in records
        if not isinstance(record, (Meta, Tombstone))
        or (
            isinstance(record, Tombstone)
            and record.at > offer.oldest_diffable
            and record.removal.id not in {*offer.events, *offer.markets}
        )
    }


@given(STEPS)
@example(
    [
        ("e1", True, False),
        ("e1", False, False),
        ("e1", True, False),
        ("e1", False, False),
        ("e1", True, True),
        ("e1", False, True),
    ]
)
def test_a_stored_snapshot_kept_up_to_date_equals_a_new_one(steps: list[tuple[str, bool, bool]]) -> None:
    offer = OwnedOffer(("default",), tombstone_limit=3)
    offer.open_epoch(1)
    stored = {record_key(record): record for record in offer.records()}
    for event, is_staged, is_committed in steps:
        if is_staged:
            offer.stage_event(an_event(event))
            offer.stage_market(an_offer_of(f"{event}/match_odds"))
        else:
            offer.remove_event(EventId(event))
        batch = offer.commit(0) if is_committed else None
        if batch is not None:
            update = offer.snapshot_update(batch)
            stored |= {record_key(record): record for record in update.written}
            stored |= {f"m:{change.id}": offer.markets[change.id] for change in batch.markets}
            for key in obsolete_keys(update):
                stored.pop(key, None)
            assert needed(offer, offer.records()) == needed(offer, stored.values())
            meta = stored["meta"]
            assert isinstance(meta, Meta)
            assert meta.oldest_diffable <= offer.oldest_diffable, "lower while newer removals of the same ids are stored"


def test_every_kind_of_record_has_its_own_field() -> None:
    offer = OwnedOffer()
    offer.open_epoch(1)
    offer.stage_event(an_event("e1"))
    offer.stage_market(an_offer_of("e1/match_odds"))
    offer.commit(0)
    assert {"meta", "e:e1", "m:e1/match_odds"} == {record_key(record) for record in offer.records()}
    offer.remove_event(EventId("e1"))
    offer.commit(0)
    assert {"meta", "t:e:e1", "t:m:e1/match_odds"} == {record_key(record) for record in offer.records()}
