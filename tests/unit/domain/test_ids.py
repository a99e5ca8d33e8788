"""Stable ids."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.ids import EventId, event_id, line_text, market_id, shard_of


def test_ids_are_made_of_the_providers_data() -> None:
    event = event_id("betfair", "29283412")
    assert "betfair.29283412" == event
    assert "betfair.29283412/match_odds" == market_id(event, "match_odds", "")
    assert "betfair.29283412/handicap/h1/-0.25" == market_id(event, "handicap", "h1", line_text(-0.25))
    assert ["2.5", "0", "3", "-0.75"] == [line_text(line) for line in (2.5, 0.0, 3.0, -0.75)]


@given(st.integers(-4000, 4000))
def test_a_line_is_written_without_loss(quarters: int) -> None:
    """Two lines never share an id, and neither has a sign before 0."""
    assert quarters / 4 == float(line_text(quarters / 4))
    assert "0" == line_text(-0.0)


def test_shards_are_the_same_in_every_process_and_all_are_used() -> None:
    assert 3 == shard_of(EventId("betfair.29283412"), 8)
    assert set(range(8)) == {shard_of(EventId(f"e{number}"), 8) for number in range(100)}


@given(st.text(), st.integers(1, 64))
def test_every_event_has_a_shard(key: str, shards: int) -> None:
    assert 0 <= shard_of(EventId(key), shards) < shards
