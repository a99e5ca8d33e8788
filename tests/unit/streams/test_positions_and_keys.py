"""Positions as stream ids and as `at`, and the Redis keys."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.errors import Fenced, PositionLost
from oddsengine.streams.identities.progress import IdentityProgress
from oddsengine.streams.keys import MAX_TAGS, shard_keys
from oddsengine.streams.positions import ORIGIN, Position, decode_at, encode_at, epoch_jump, parse_stream_id
from oddsengine.streams.publisher import Publisher
from tests.support.streams.shard_world import KEYS, MemoryClient, ShardWorld

POSITIONS = st.builds(Position, st.integers(0, 2**40), st.integers(0, 2**53))


@given(POSITIONS)
def test_a_position_survives_its_stream_id(position: Position) -> None:
    assert position == parse_stream_id(position.stream_id())
    assert position == parse_stream_id(position.stream_id().encode())


@given(POSITIONS, POSITIONS)
def test_positions_are_in_the_order_of_stream_ids(first: Position, second: Position) -> None:
    """Epoch before seq, and nothing is before the origin."""
    assert (first < second) == ((first.epoch, first.seq) < (second.epoch, second.seq))
    assert ORIGIN <= first


@given(st.dictionaries(st.integers(0, 255), POSITIONS, min_size=1, max_size=4))
def test_positions_survive_their_at(positions: dict[int, Position]) -> None:
    assert positions == decode_at(encode_at(positions), 256)


@pytest.mark.parametrize(
    "malformed", ["", "x", "1-2", "1-2-3-4", "0-zz-1", ".", "0-\u0661-1", "0-1_0-1", " 0-1-1", "0-0x1-1", f"0-{'f' * 17}-1"]
)
def test_a_malformed_at_is_an_error(malformed: str) -> None:
    with pytest.raises(ValueError, match="not the position of a shard"):
        decode_at(malformed, 256)


def test_an_at_of_too_many_shards_is_an_error() -> None:
    assert {0: Position(1, 1)} == decode_at("0-1-1", 1)
    with pytest.raises(ValueError, match="more than 1 shards"):
        decode_at("0-1-1.1-1-1", 1)


@given(st.integers(0, 255))
def test_the_keys_of_a_shard_are_on_one_node_of_a_cluster(shard: int) -> None:
    """Redis hashes only what is in braces (Redis Cluster specification, "Hash tags")."""
    tags = {key[key.index("{") : key.index("}") + 1] for key in shard_keys("odds", shard)}
    assert {f"{{odds:{shard % MAX_TAGS}}}"} == tags
    assert 2 == len(set(shard_keys("odds", shard)))
    assert not set(shard_keys("odds", shard)) & set(shard_keys("other", shard))


def test_no_two_shards_share_a_key() -> None:
    keys = [shard_keys("odds", shard) for shard in range(256)]
    assert 512 == len({key for pair in keys for key in pair})
    assert 256 == len({each.result("e1/total") for each in keys}) == len({each.lowest_epoch for each in keys})


def test_errors_name_the_shard_and_both_positions() -> None:
    assert str(Fenced(3, 5, Position(7, 0))) == "shard 3: another engine took over with epoch 7 (ours is 5); stepping down"
    assert str(PositionLost(0, Position(5, 6), ORIGIN)) == "shard 0: the stream ends at 0-0, not at our last entry 5-6"


def test_every_new_epoch_is_advanced_by_what_is_drawn_for_it() -> None:
    """So that none has the number of one that Redis has lost together with its owner."""
    world = ShardWorld()
    try:
        redis: Any = MemoryClient(world)
        publisher = Publisher(redis, 0, KEYS, OwnedOffer(("default",)), jump=lambda: 7)
        world.loop.run(publisher.claim(1_000_000))
        assert 1_000_007 == publisher.offer.epoch
    finally:
        world.close()
    assert 1_007 == IdentityProgress(lambda: 7).opening(1_000).at.epoch
    assert 1 < len({epoch_jump() for _ in range(100)})
