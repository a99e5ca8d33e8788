"""Audiences: one per channel and delivery options, as long as it has members."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.fanout.audiences import Audiences
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.replica import Channel, Replica
from tests.support.hub_harness import Wire

CHANNELS = [Channel(name, (0,)) for name in ("event:e1", "market:e1/match_odds", "market:e1/total", "sport:football")]
OPTIONS = [DeliveryOptions(None, "decimal", interval_ms) for interval_ms in (0, 1000)]
SESSIONS = 3

steps = st.lists(
    st.tuples(
        st.sampled_from(("join", "detach", "leave")),
        st.integers(0, SESSIONS - 1),
        st.sampled_from(CHANNELS),
        st.sampled_from(OPTIONS),
    ),
    max_size=40,
)


@given(steps)
def test_an_audience_exists_while_it_has_members_and_every_move_is_reported(
    story: list[tuple[str, int, Channel, DeliveryOptions]],
) -> None:
    moves: list[Session] = []
    audiences = Audiences(Replica(1), moves.append)
    sessions = [Session(str(number), Wire()) for number in range(SESSIONS)]
    members: dict[tuple[str, DeliveryOptions], set[Session]] = {}
    for step, number, channel, options in story:
        session, audience = sessions[number], audiences.get(channel, options)
        kept = members.setdefault((channel.name, options), set())
        if step == "join":
            audiences.join(session, audience)
            kept.add(session)
        elif step == "detach":
            audiences.detach(session, audience)
            kept.discard(session)
        else:
            audiences.leave(session, audience)
            kept.discard(session)
            if not kept:
                del members[channel.name, options]
        assert session is moves[-1]
        assert audience.recipients.sessions == list(audience.members)
    assert members == {(each.channel.name, each.options): set(each.members) for each in audiences}
    assert {channel for channel, _ in members} == audiences.by_channel.keys()
    assert {key for key in members if key[1].interval_ms} == {(each.channel.name, each.options) for each in audiences.paced}
    assert len([channel for channel in audiences.by_channel if channel.startswith("market:")]) == audiences.market_channels
    assert len(story) == len(moves)


def test_a_session_that_is_behind_finds_another_audience_if_its_own_was_dropped() -> None:
    audiences = Audiences(Replica(1), lambda _: None)
    (channel, *_), (options, _) = CHANNELS, OPTIONS
    slow, other = Session("slow", Wire()), Session("other", Wire())
    audience = audiences.get(channel, options)
    audiences.join(slow, audience)
    audiences.join(other, audience)
    audiences.detach(slow, audience)
    assert audience is audiences.get(channel, options)
    audiences.leave(other, audience)
    assert audience is not audiences.get(channel, options)


def test_recipients_are_listed_again_only_after_a_move() -> None:
    audiences = Audiences(Replica(1), lambda _: None)
    audience = audiences.get(CHANNELS[0], OPTIONS[0])
    session = Session("s", Wire())
    audiences.join(session, audience)
    listed = audience.recipients
    assert listed is audience.recipients
    audiences.detach(session, audience)
    assert [] == audience.recipients.sessions
