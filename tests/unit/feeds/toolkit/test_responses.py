"""Failed responses, and codecs without a stream."""

from __future__ import annotations

import pytest

from feeds.errors import ProviderRefused
from feeds.feed import Rejected
from feeds.toolkit.responses import PollOnly, reject_response
from feeds.transports.http import Request, Response


def a_response(status: int, **fields: object) -> Response:
    return Response(request=Request(name="odds", url="/"), status=status, at_ms=0, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_not_accepted_is_a_fatal_refusal(status: int) -> None:
    refusal = reject_response(a_response(status, body=b"bad key"), "odds")
    assert isinstance(refusal, ProviderRefused)
    assert refusal.fatal
    assert f"HTTP {status}: bad key" in str(refusal)


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (a_response(0, error="no response in time"), "no response in time"),
        (a_response(500, body=b"\xffoops"), "HTTP 500: \ufffdoops"),
    ],
)
def test_any_other_failure_is_a_rejection(response: Response, reason: str) -> None:
    assert Rejected("odds", reason, "") == reject_response(response, "odds")


def test_a_codec_that_only_polls_rejects_stream_data_and_sends_nothing() -> None:
    codec = PollOnly()
    codec.reset()
    assert [Rejected("stream", "the feed has no stream", "x")] == codec.receive_data(b"x")
    assert b"" == codec.data_to_send()
