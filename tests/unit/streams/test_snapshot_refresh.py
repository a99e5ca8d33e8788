"""The refresh of snapshots: whatever is written when, the snapshot and the entries since its position are the present state."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.streams.snapshots import refresh
from oddsengine.streams.snapshots.refresh import SnapshotRefresh

FIELDS = ("m:a", "m:b", "m:c", "e:x", "t:m:a")
#: of each entry: what it changes, how much later it is published, and how often its reply is lost
entries = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(FIELDS), st.booleans(), max_size=4), st.sampled_from((0.0, 0.3, 2.0)), st.integers(0, 1)
    ),
    max_size=30,
)


@given(entries, st.integers(1, 3))
def test_the_snapshot_lacks_nothing_up_to_its_position(
    entries: list[tuple[dict[str, bool], float, int]], piece_fields: int
) -> None:
    """Some of its records may be newer; none is ever older than one that was there."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(refresh, "_PIECE_FIELDS", piece_fields)
        now_s = 0.0
        written = SnapshotRefresh(lambda: now_s, 1.0)
        stored: dict[str, bytes] = {}
        says = 0
        history: list[dict[str, bytes | None]] = []
        for seq, (changed, later_s, repeated) in enumerate(entries, 1):
            now_s += later_s
            history.append({field: b"%d" % seq if is_set else None for field, is_set in changed.items()})
            for _ in range(1 + repeated):
                piece = written.piece(seq, history[-1])
                assert says == piece.before <= piece.after <= seq
                assert len(piece.changed) <= piece_fields
            for field, value in piece.changed.items():
                if value is None:
                    stored.pop(field, None)
                else:
                    assert int(stored.get(field, 0)) <= int(value)
                    stored[field] = value
            written.wrote()
            says = written.position
            expected = {field: value for changes in history for field, value in changes.items()}
            folded = {**stored, **{field: value for changes in history[says:] for field, value in changes.items()}}
            assert {field: value for field, value in expected.items() if value} == {
                field: value for field, value in folded.items() if value
            }


def test_each_record_is_written_once_however_often_it_has_changed() -> None:
    now_s = 0.0
    written = SnapshotRefresh(lambda: now_s, 1.0)
    for seq in range(1, 10):
        assert {} == written.piece(seq, {"m:a": b"%d" % seq}).changed
        written.wrote()
    now_s = 1.0
    assert {"m:a": b"10"} == written.piece(10, {"m:a": b"10"}).changed
    written.wrote()
    assert 10 == written.position


def test_the_position_moves_on_where_nothing_changes() -> None:
    """So that the stream may be trimmed."""
    now_s = 0.0
    written = SnapshotRefresh(lambda: now_s, 1.0)
    positions = []
    for seq in range(1, 6):
        now_s += 1.0
        written.piece(seq, {})
        written.wrote()
        positions.append(written.position)
    assert all(after == before + 1 for before, after in pairwise(positions))
