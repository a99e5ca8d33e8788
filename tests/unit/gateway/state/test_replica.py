"""The replica: channels, positions, and what clients see of a shard that is out of date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.domain.ids import MarketId
from oddsengine.gateway.state.replica import STALE, Replica, UnknownChannel
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.streams.positions import ORIGIN, Position
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.entries import sent

if TYPE_CHECKING:
    from oddsengine.gateway.state.replica import At, Channel

SPORT = "sport:football"


class Published:
    """A replica of one shard, and the offer it follows."""

    def __init__(self) -> None:
        self.owner = OwnedOffer(("default",))
        self.owner.open_epoch(1)
        self.replica = Replica(1)
        self.replica.offers[0].load(1, 0, list(self.owner.records()))
        self.replica.stale_since.clear()

    def publish(self, *events: str, price: int = 2000, status: str = "open") -> None:
        reason = None if status == "open" else "test"
        for event in events:
            self.owner.stage_event(an_event(event))
            prices = {"home": price if status == "open" else None}
            self.owner.stage_market(an_offer_of(f"{event}/match_odds", prices, status=status, reason=reason))
        batch = self.owner.commit(0)
        if batch is not None:
            self.replica.offers[0].apply(sent(self.owner, batch))

    def statuses(self, channel: Channel) -> dict[str, str]:
        """The status of every market that a snapshot of a channel shows."""
        return {
            str(market.id): market.state.status
            for _, changes in self.replica.whole(channel)
            for market in changes.markets
            if market.state is not None
        }

    def changed(self, channel: Channel, at: At) -> set[str]:
        """The markets in the diff of a channel."""
        return {str(market.id) for _, changes in self.replica.diff(channel, at) for market in changes.markets}


@pytest.fixture
def published() -> Published:
    found = Published()
    found.publish("e1", "e2")
    return found


@pytest.mark.parametrize("name", ["sport:chess", "competition:none", "event:e1", "market:e1/match_odds"])
def test_a_sport_or_competition_may_be_empty_but_events_and_markets_are_on_offer(published: Published, name: str) -> None:
    assert (name, (0,)) == published.replica.channel(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "not a channel"),
        ("football", "not a channel"),
        ("sport:", "not a channel"),
        ("team:x", "not a channel"),
        ("event:e9", "event 'e9' is not on offer"),
        ("market:e1/total", "market 'e1/total' is not on offer"),
        ("event:e1/match_odds", "not on offer"),
    ],
)
def test_other_names_are_rejected_with_the_reason(published: Published, name: str, reason: str) -> None:
    with pytest.raises(UnknownChannel, match=reason):
        published.replica.channel(name)


@given(event=st.text(max_size=10), shards=st.integers(1, 16))
def test_an_event_and_its_channels_are_of_one_shard(event: str, shards: int) -> None:
    replica = Replica(shards)
    assert 0 <= replica.shard_of(event) < shards
    assert tuple(range(shards)) == replica.channel(SPORT).shards


@given(steps=st.lists(st.sets(st.sampled_from(("e1", "e2", "e3")), min_size=1), min_size=1, max_size=8), since=st.integers(0, 8))
def test_a_diff_names_the_markets_that_changed_since(steps: list[set[str]], since: int) -> None:
    published = Published()
    channel = published.replica.channel(SPORT)
    positions = [published.replica.at(channel)]
    for number, events in enumerate(steps):
        published.publish(*sorted(events), price=2000 + number)
        positions.append(published.replica.at(channel))
    since = min(since, len(steps))
    assert published.replica.covers(channel, positions[since])
    assert not published.replica.is_ahead(channel, positions[since])
    changed = {f"{event}/match_odds" for events in steps[since:] for event in events}
    assert changed == published.changed(channel, positions[since])
    for limit in range(4):
        expected = len({event for events in steps[since:] for event in events}) > limit
        assert expected is published.replica.exceeds_markets(limit, channel, positions[since])


def test_positions_of_another_epoch_or_from_the_future_have_no_diff(published: Published) -> None:
    replica = published.replica
    channel = replica.channel(SPORT)
    assert not replica.covers(channel, {})
    assert not replica.covers(channel, {0: Position(7, 1)})
    ahead = {0: Position(1, replica.offers[0].seq + 1)}
    assert not replica.covers(channel, ahead)
    assert replica.is_ahead(channel, ahead)


def test_a_stale_suspended_shard_shows_no_open_market(published: Published) -> None:
    published.publish("e2", status="closed")
    replica = published.replica
    channel = replica.channel(SPORT)
    before = replica.at(channel)
    changes = replica.suspend_stale(0)
    assert ["e1/match_odds"] == [market.id for market in changes.markets], "the closed one stays closed"
    assert [STALE] == [market.state.reason for market in changes.markets if market.state]
    assert 1 == changes.urgent
    assert {"e1/match_odds": "suspended", "e2/match_odds": "closed"} == published.statuses(channel)
    record = replica.effective(replica.offers[0].markets[MarketId("e1/match_odds")].record)
    assert ("suspended", STALE, [(None,)]) == (
        record.state.status,
        record.state.reason,
        [selection.prices for selection in record.selections.values()],
    )
    assert ORIGIN == replica.position(0)
    assert not replica.covers(channel, before), "a client that saw it open needs a snapshot"
    assert replica.covers(channel, replica.at(channel)), "a client that saw it suspended needs nothing"
    assert set() == published.changed(channel, replica.at(channel))


def test_after_a_stale_suspension_older_positions_have_no_diff(published: Published) -> None:
    replica = published.replica
    channel = replica.channel(SPORT)
    before, version = replica.at(channel), replica.content_version(channel)
    replica.suspend_stale(0)
    suspended = replica.at(channel)
    assert version != replica.content_version(channel)
    replica.lift_stale_suspension(0)
    assert version == replica.content_version(channel)
    assert not replica.covers(channel, before), "it may have been sent the suspension"
    assert not replica.covers(channel, suspended)
    published.publish("e1", price=2100)
    after = replica.at(channel)
    published.publish("e2", price=2100)
    assert replica.covers(channel, after)
    assert {"e2/match_odds"} == published.changed(channel, after)
    assert {"e1/match_odds": "open", "e2/match_odds": "open"} == published.statuses(channel)


def test_a_channel_is_stale_since_the_first_of_its_shards() -> None:
    replica = Replica(2)
    assert not replica.ready
    replica.stale_since.clear()
    channel = replica.channel(SPORT)
    assert replica.ready
    assert replica.channel_stale_since(channel) is None
    replica.stale_since.update({0: 7, 1: 5})
    assert 5 == replica.channel_stale_since(channel)
