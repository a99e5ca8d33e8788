"""RowKind the rows of a history say, and what they don't: silence, and entries that are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.domain.changes import MarketIdentity, MarketRecord, MarketState, SelectionRecord
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.history.rows.tables import RecordKind
from oddsengine.runtime.repricing.timeline import Row, RowKind, Timeline, Unknown, change_row, last_of_each, moment, record_row

if TYPE_CHECKING:
    from oddsengine.repricing.views import Observation

MARKET = MarketId("e1/match_odds")
PROFILES = record_row(0, 0, 1, 0, RecordKind.PROFILES, 1, msgspec.msgpack.encode(("default",)))


def a_market(price: int) -> bytes:
    state = MarketState("open", None, in_play=False)
    selections = {"home": SelectionRecord("home", "active", (price,), 1, 1, 1)}
    return msgspec.msgpack.encode(
        MarketRecord(MARKET, MarketIdentity(EventId("e1"), "match_odds"), 1, state, 1, 1, 1, selections)
    )


def change(at_ms: int, seq: int, price: int) -> Row:
    return change_row(at_ms, 0, 1, seq, 0, msgspec.msgpack.encode(a_market(price)))


def told(*rows: Row) -> list[tuple[object, ...]]:
    """Return of what is seen in turn the time, and the price, the reason of a suspension or what else it is."""
    timeline = Timeline()
    found: list[tuple[object, ...]] = []
    for row in sorted(rows):
        for each in timeline.take(row):
            if isinstance(each, Unknown):
                found.append((each.at_ms, "known" if each.is_over else "unknown"))
            else:
                found.append((each.at_ms, _seen(each)))
    return found


def _seen(each: Observation) -> object:
    if each.record is None:
        return "gone"
    return each.record.state.reason or each.record.selections["home"].prices[0]


def test_changes_and_records_of_one_position_say_the_same_and_removals_end_it() -> None:
    record = record_row(10, 0, 1, 1, RecordKind.MARKET, 2, a_market(2000))
    left = record_row(30, 0, 1, 3, RecordKind.MARKET_LEFT, 3, MARKET.encode())
    expected = [(10, 2000), (10, 2000), (20, 2100), (30, "gone")]
    assert expected == told(PROFILES, left, change(20, 2, 2100), record, change(10, 1, 2000))


def test_a_silent_shard_is_shown_suspended_until_its_next_entry() -> None:
    silence = (moment(3010, 0, RowKind.SILENT), moment(5000, 0, RowKind.HEARD))
    expected = [(10, 2000), (3010, "stale"), (5000, 2000), (5000, 2100)]
    assert expected == told(PROFILES, change(10, 1, 2000), *silence, change(5000, 2, 2100))


def test_nothing_is_known_while_entries_of_any_shard_are_missing() -> None:
    gaps = (moment(10, 0, RowKind.LOST), moment(20, 1, RowKind.LOST), moment(30, 0, RowKind.KNOWN), moment(40, 1, RowKind.KNOWN))
    assert [(10, 2000), (10, "unknown"), (40, "known")] == told(PROFILES, change(10, 1, 2000), *gaps)


def test_of_what_was_before_only_the_last_is_needed() -> None:
    rows = [PROFILES, change(10, 1, 2000), record_row(10, 0, 1, 1, RecordKind.MARKET, 2, a_market(2000)), change(20, 2, 2100)]
    assert [PROFILES, rows[-1]] == last_of_each(zip((0, 7, 7, 7), rows, strict=True))
