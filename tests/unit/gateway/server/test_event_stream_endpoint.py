"""What `/v1/sse` accepts as parameters."""

from __future__ import annotations

import orjson
import pytest
from aiohttp.test_utils import make_mocked_request

from oddsengine.common.http import RequestRejected
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.server.event_stream_endpoint import parse_subscription


def parse(query: str, **headers: str) -> Subscribe:
    return parse_subscription(make_mocked_request("GET", f"/v1/sse?{query}", headers=headers), 2)


def test_parameters_and_the_last_event_id_are_a_subscription() -> None:
    query = "channel=sport:football&format=american&min_interval_ms=250"
    request = make_mocked_request("GET", f"/v1/sse?{query}", headers={"Last-Event-ID": "0-1-2"})
    expected = Subscribe(channels=["sport:football"], format="american", min_interval_ms=250, resume="0-1-2")
    assert expected == parse_subscription(request, 2)
    assert Subscribe(channels=["event:e1"]) == parse("channel=event:e1")


def test_several_channels_resume_from_the_parameter_only() -> None:
    """The id of an event is the position of its channel, not of the others."""
    headers = {"Last-Event-ID": "0-1-2"}
    assert "0-1-2" == parse("channel=event:e1&resume=0:1:1", **headers).resume
    several = parse("channel=event:e1&channel=event:e2&channel=event:e1&resume=0:1:1&confirm=true&ticket=x", **headers)
    assert Subscribe(channels=["event:e1", "event:e2"], resume="0:1:1", confirm=True) == several


@pytest.mark.parametrize("foreign", ["0:1:2", "0-1-2.1-1-2.2-1-2", "\xff", "?"])
def test_a_position_of_another_service_gets_a_snapshot(foreign: str) -> None:
    """A browser sends it by itself, again and again: the page would show what it had."""
    expected = Subscribe(channels=["sport:football"])
    assert expected == parse("channel=sport:football&resume=0-1-1", **{"Last-Event-ID": foreign})


@pytest.mark.parametrize(
    ("query", "code", "reason"),
    [
        ("", "bad_request", "a channel is required"),
        ("channel=a&resumed=x", "bad_request", "unknown parameter 'resumed'"),
        ("channel=a&min_interval_ms=soon", "bad_request", "min_interval_ms"),
        ("channel=a&min_interval_ms=-1", "bad_request", "min_interval_ms"),
        ("channel=a&format=roman", "unsupported_format", "unknown format 'roman'"),
    ],
)
def test_other_parameters_are_rejected_with_the_reason(query: str, code: str, reason: str) -> None:
    with pytest.raises(RequestRejected) as rejected:
        parse(query)
    body = rejected.value.response.body
    assert isinstance(body, bytes)
    error = orjson.loads(body)["error"]
    assert (400, code) == (rejected.value.response.status, error["code"])
    assert reason in error["message"]
