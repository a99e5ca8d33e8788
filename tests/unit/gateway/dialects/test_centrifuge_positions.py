"""What an SDK sends back never means more than what it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.dialects.centrifuge.positions import NO_OFFSET, offset_of, position_for, recover
from oddsengine.streams.positions import ORIGIN, Position, encode_at
from tests.support.laws.examples import examples

if TYPE_CHECKING:
    from oddsengine.gateway.state.replica import At

SHARDS = 3


class Sdk:
    """What an SDK keeps of a subscription, and what its application has in truth."""

    def __init__(self) -> None:
        self.epoch, self.offset = "", 0
        self.has: At | None = None

    def subscribe(self, now: At, recovered: At | None) -> None:
        """Subscribe: recovered from where it is or, without a position, with a snapshot that has not arrived."""
        self.epoch, self.offset = position_for(now, "d", recovered)
        self.has = recovered

    def publication(self, at: At | None) -> None:
        """Receive a publication with an offset, or one of a snapshot that is not complete."""
        if at is not None:
            self.has, offset = at, offset_of(encode_at(at))
            self.offset = offset or self.offset

    def recover(self) -> At | None:
        return recover(self.epoch, self.offset, "d", SHARDS)


@examples(100)
@given(st.data(), st.integers(1, SHARDS))
def test_a_recovered_position_is_never_ahead_of_the_client(data: st.DataObject, shards: int) -> None:
    def later(than: At) -> At:
        """A position at or after another one: in the same epochs, or in later ones."""
        return {
            shard: Position(at.epoch, at.seq + data.draw(st.integers(0, 3)))
            if data.draw(st.integers(0, 5))
            else Position(at.epoch + 1, data.draw(st.integers(0, 3)))
            for shard, at in than.items()
        }

    sdk = Sdk()
    start: At = {shard: Position(1, 5) for shard in range(shards)}
    newest = start
    for _ in range(data.draw(st.integers(1, 4))):
        recovered = sdk.recover()
        if recovered is not None:
            assert sdk.has is not None
            assert all(recovered[shard] <= sdk.has[shard] for shard in recovered), (recovered, sdk.has)
        # Another gateway, which may not have everything yet.
        now = {shard: data.draw(st.sampled_from((at, newest[shard]))) for shard, at in start.items()}
        covers = recovered is not None and all(recovered[shard].epoch == now[shard].epoch for shard in now)
        sdk.subscribe(now, recovered if covers else None)
        if not data.draw(st.booleans()):
            continue  # cut before anything arrived
        if covers and recovered is not None:
            if data.draw(st.booleans()):
                sdk.publication(recovered)  # the first part of a long diff
            if not data.draw(st.booleans()):
                continue
            # Only once the gateway has caught up with what the client was sent elsewhere.
            at = later({shard: max(now[shard], recovered[shard]) for shard in now})
        else:
            sdk.publication(None)
            if not data.draw(st.booleans()):
                continue
            at = later(now)
        for _ in range(data.draw(st.integers(1, 3))):
            sdk.publication(at)
            newest = {shard: max(newest[shard], at[shard]) for shard in at}
            at = later(at)


def test_a_part_of_a_diff_at_a_gateway_that_is_behind_moves_nothing() -> None:
    """Its positions sum to less than the client's, but in one shard the client is behind."""
    theirs = {0: Position(1, 15), 1: Position(1, 5)}
    epoch, offset = position_for({0: Position(1, 10), 1: Position(1, 9)}, "d", theirs)
    assert theirs == recover(epoch, offset, "d", SHARDS) == recover(epoch, offset_of(encode_at(theirs)), "d", SHARDS)


def test_the_position_of_one_shard_is_exact_in_the_epoch_of_the_subscription() -> None:
    epoch, _ = position_for({2: Position(7, 100)}, "d", None)
    assert {2: Position(7, 103)} == recover(epoch, offset_of("2-7-67"), "d", SHARDS)
    assert recover(epoch, offset_of("2-8-3"), "d", SHARDS) is None
    assert recover(epoch, 0, "d", SHARDS) is None


def test_a_client_that_saw_a_shard_suspended_as_stale_gets_a_snapshot() -> None:
    """An SDK would keep the offset before, if it were sent none."""
    for at in ({0: ORIGIN}, {0: Position(1, 5), 1: ORIGIN}):
        assert NO_OFFSET == offset_of(encode_at(at))
        epoch, _ = position_for({shard: Position(1, 1) for shard in at}, "d", None)
        assert recover(epoch, NO_OFFSET, "d", SHARDS) is None
        epoch, _ = position_for(at, "d", None)
        assert recover(epoch, 5, "d", SHARDS) is None


@pytest.mark.parametrize("epoch", ["", "d", "d~", "d~x", "d~0-1", "d~0-1-1~0-1-1~0-1-1", "e~0-1-1", "d~0-1-1.0-1-1.1-1-1.2-1-1"])
def test_what_is_no_epoch_of_these_prices_recovers_nothing(epoch: str) -> None:
    assert recover(epoch, 5, "d", SHARDS) is None


def test_offsets_are_numbers_of_javascript() -> None:
    at: dict[int, Any] = {0: Position(2**13 - 1, 2**40 - 2)}
    assert offset_of(encode_at(at)) < NO_OFFSET < 2**53
