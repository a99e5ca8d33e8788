"""The latest removals of a shard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.changes import Removal
from oddsengine.domain.ids import EventId
from oddsengine.offer.tombstones import Tombstones

#: (id, gap to the position of the removal before)
REMOVALS = st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3)), max_size=40)


def a_removal(key: str) -> Removal:
    return Removal("event", key, EventId(key), "football", "cup")


def positions_of(removals: list[tuple[str, int]]) -> list[tuple[str, int]]:
    seq, found = 1, []
    for key, gap in removals:
        seq += gap
        found.append((key, seq))
    return found


@given(REMOVALS, st.integers(0, 10))
def test_every_removal_since_a_diffable_position_is_kept(removals: list[tuple[str, int]], limit: int) -> None:
    tombstones = Tombstones(limit)
    added = positions_of(removals)
    for key, seq in added:
        tombstones.add(a_removal(key), seq)
    tombstones.drop_oldest()
    assert min(limit, len(added)) == len(list(tombstones))
    for position in range(tombstones.oldest_diffable, (added[-1][1] if added else 0) + 1):
        expected = [key for key, seq in reversed(added) if seq > position]
        assert expected == [removal.id for removal in tombstones.since(position)]


@given(REMOVALS, st.integers(0, 10))
def test_a_stored_tombstone_is_obsolete_once_no_diff_needs_it(removals: list[tuple[str, int]], limit: int) -> None:
    """Each id has one stored tombstone, which a later removal overwrites."""
    tombstones = Tombstones(limit)
    stored: set[str] = set()
    for key, seq in positions_of(removals):
        tombstones.add(a_removal(key), seq)
        stored.add(key)
        tombstones.drop_oldest()
        stored -= {dropped.removal.id for dropped in tombstones.take_dropped()}
        assert {removal.id for removal in tombstones.since(tombstones.oldest_diffable)} <= stored
    assert [] == tombstones.take_dropped()


@given(REMOVALS)
def test_tombstones_load_in_any_order(removals: list[tuple[str, int]]) -> None:
    tombstones = Tombstones(100)
    for key, seq in positions_of(removals):
        tombstones.add(a_removal(key), seq)
    loaded = Tombstones(100)
    loaded.load(sorted(tombstones, key=lambda tombstone: (tombstone.removal.id, tombstone.at)), 0)
    assert sorted(map(str, tombstones)) == sorted(map(str, loaded))
    assert tombstones.newest == loaded.newest


def test_a_new_epoch_has_no_tombstones() -> None:
    tombstones = Tombstones(1)
    tombstones.add(a_removal("a"), 4)
    tombstones.add(a_removal("b"), 5)
    tombstones.drop_oldest()
    assert 4 == tombstones.oldest_diffable
    tombstones.clear()
    assert (0, 0, []) == (tombstones.oldest_diffable, tombstones.newest, list(tombstones))
