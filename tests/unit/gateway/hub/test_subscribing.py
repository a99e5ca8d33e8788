"""Resolving subscribe requests: what is granted, what is refused, and where a client resumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from oddsengine.gateway.access.grants import Access, SessionLimits
from oddsengine.gateway.fanout.session import Session, Subscription
from oddsengine.gateway.hub.subscribing import Refusal, Resolution, resolve
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.streams.positions import ORIGIN, encode_at
from tests.support.hub_harness import Gateway, Wire

if TYPE_CHECKING:
    from typing import Any


def subscribed(gateway: Gateway, *channels: str, access: Access | None = None, **fields: Any) -> Resolution:
    session = Session("s", Wire())
    session.access = access or Access(subject="test")
    result = resolve(Subscribe(channels=list(channels), **fields), session, gateway.replica, "vip")
    assert isinstance(result, Resolution)
    return result


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"format": "roman"}, ErrorCode.UNSUPPORTED_FORMAT), ({"resume": "nonsense"}, ErrorCode.BAD_REQUEST)],
)
def test_a_request_that_cannot_be_read_is_refused_as_a_whole(fields: dict[str, Any], code: ErrorCode) -> None:
    session = Session("s", Wire())
    session.access = Access(subject="test")
    result = resolve(Subscribe(channels=["sport:football"], **fields), session, Gateway().replica, None)
    assert isinstance(result, Refusal)
    assert code is result.code


def test_a_channel_that_is_refused_does_not_affect_the_others() -> None:
    access = Access(subject="test", channels=("event:*",))
    result = subscribed(Gateway(on_offer={"e1": 2000}), "sport:football", "event:e1", "event:e2", access=access)
    assert ["event:e1"] == [channel.name for channel, _ in result.channels]
    assert [ErrorCode.FORBIDDEN, ErrorCode.UNKNOWN_CHANNEL] == [refusal.code for refusal in result.refusals]


def test_channels_that_are_refused_for_one_reason_are_refused_together() -> None:
    result = subscribed(Gateway(on_offer={"e1": 2000}), "event:e2", "event:e1", "event:e3", "nonsense")
    (refusal,) = result.refusals
    assert (ErrorCode.UNKNOWN_CHANNEL, ("event:e2", "event:e3", "nonsense")) == (refusal.code, refusal.channels)
    assert "event 'e2' is not on offer; 2 more" == refusal.text


def test_channels_that_resume_are_answered_apart_from_those_that_get_a_snapshot() -> None:
    gateway = Gateway(on_offer={"e1": 2000, "e4": 2000}, shards=2)
    first, second = (gateway.replica.channel(name) for name in ("event:e1", "event:e4"))
    assert first.shards != second.shards
    result = subscribed(gateway, "event:e1", "event:e4", resume=encode_at(gateway.replica.at(second)))
    assert {False: ["event:e1"], True: ["event:e4"]} == result.names


async def test_a_session_has_at_most_its_number_of_channels_and_may_subscribe_to_one_again() -> None:
    gateway = Gateway(on_offer={"e1": 2000, "e2": 2000, "e3": 2000})
    session, _ = gateway.joins("event:e1")
    session.access = Access(subject="test", limits=SessionLimits(channels=2))
    request = Subscribe(channels=["event:e1", "event:e2", "event:e3"])
    result = resolve(request, session, gateway.replica, None)
    assert isinstance(result, Resolution)
    assert ["event:e1", "event:e2"] == [channel.name for channel, _ in result.channels]
    assert [ErrorCode.OVER_LIMIT] == [refusal.code for refusal in result.refusals]
    assert isinstance(session.subscriptions["event:e1"], Subscription)


def test_the_interval_is_rounded_up_to_a_class_so_that_clients_share_audiences() -> None:
    gateway = Gateway()
    intervals = [
        subscribed(gateway, "sport:football", min_interval_ms=interval_ms).options.interval_ms
        for interval_ms in (0, 1, 900, 1000)
    ]
    assert 0 == intervals[0]
    assert intervals[1] >= 1
    assert intervals[2] == intervals[3] == 1000
    assert "vip" == subscribed(gateway, "sport:football").options.profile


def test_a_client_resumes_where_there_is_a_diff_and_gets_a_snapshot_elsewhere() -> None:
    gateway = Gateway(on_offer={"e1": 2000}, stale_suspend_after_s=5.0)
    channel = gateway.replica.channel("event:e1")
    at = gateway.replica.at(channel)
    for resume, position in ((None, None), (encode_at(at), at), (encode_at({0: ORIGIN}), None)):
        result = subscribed(gateway, "event:e1", resume=resume)
        assert [(channel, position)] == result.channels
        assert {position is not None: ["event:e1"]} == result.names
    gateway.change_owner(0)
    assert {False: ["event:e1"]} == subscribed(gateway, "event:e1", resume=encode_at(at)).names, "another epoch"


def test_a_client_that_is_ahead_of_this_gateway_resumes_and_waits() -> None:
    gateway = Gateway(on_offer={"e1": 2000})
    ((shard, position),) = gateway.replica.at(gateway.replica.channel("event:e1")).items()
    ahead = encode_at({shard: position._replace(seq=position.seq + 3)})
    assert {True: ["event:e1"]} == subscribed(gateway, "event:e1", resume=ahead).names
