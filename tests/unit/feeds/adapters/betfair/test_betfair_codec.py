"""The Betfair session: connection, authentication, subscription, resume."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from feeds.adapters.betfair.codec import BetfairCodec
from feeds.adapters.betfair.messages import Subscription
from feeds.adapters.betfair.session_states import SessionState
from feeds.errors import ProviderRefused
from feeds.feed import Dropped, Rejected
from oddsengine.domain.feed_updates import MarketGone, SourceStatus, UpdateBatch
from tests.support.builders import betfair_market, mcm

CONNECTION = orjson.dumps({"op": "connection", "connectionId": "x"})


def line(data: bytes) -> bytes:
    return data + b"\r\n"


def accepted(request: int) -> bytes:
    return line(orjson.dumps({"op": "status", "id": request, "statusCode": "SUCCESS"}))


def failed(request: int, code: str, *, closed: bool = False) -> bytes:
    failure = {"errorCode": code, "errorMessage": "no", "connectionClosed": closed}
    return line(orjson.dumps({"op": "status", "id": request, "statusCode": "FAILURE", **failure}))


def a_codec() -> BetfairCodec:
    codec = BetfairCodec("betfair", "key", "token", Subscription(heartbeat_ms=500))
    codec.connection_made()
    return codec


def sent(codec: BetfairCodec) -> list[dict[str, Any]]:
    return [orjson.loads(part) for part in codec.data_to_send().split(b"\r\n") if part]


def health(events: list[Any]) -> list[str]:
    return [
        update.health
        for event in events
        if isinstance(event, UpdateBatch)
        for update in event.updates
        if isinstance(update, SourceStatus)
    ]


def logged_in() -> tuple[BetfairCodec, int]:
    codec = a_codec()
    codec.receive_data(line(CONNECTION))
    codec.receive_data(accepted(sent(codec)[0]["id"]))
    subscription = sent(codec)[0]["id"]
    return codec, subscription


def live_codec() -> tuple[BetfairCodec, int]:
    codec, subscription = logged_in()
    codec.receive_data(accepted(subscription))
    image = mcm(betfair_market(), ct="SUB_IMAGE", id=subscription, initialClk="i1", heartbeatMs=500)
    assert ["live"] == health(codec.receive_data(line(image)))
    return codec, subscription


def test_it_authenticates_subscribes_and_is_live_with_the_image() -> None:
    codec = a_codec()
    assert [] == codec.receive_data(line(CONNECTION))
    (login,) = sent(codec)
    assert ("authentication", "key", "token") == (login["op"], login["appKey"], login["session"])
    codec.receive_data(accepted(login["id"]))
    (subscription,) = sent(codec)
    assert ("marketSubscription", True) == (subscription["op"], subscription["segmentationEnabled"])
    assert "clk" not in subscription
    assert SessionState.SUBSCRIBING is codec.state
    assert [] == codec.receive_data(accepted(subscription["id"]))
    assert SessionState.RECOVERING is codec.state
    assert ["live"] == health(codec.receive_data(line(mcm(betfair_market(), ct="SUB_IMAGE", id=subscription["id"]))))


def test_bytes_may_be_split_anywhere() -> None:
    codec = a_codec()
    for byte in line(CONNECTION):
        assert [] == codec.receive_data(bytes([byte]))
    assert "authentication" == sent(codec)[0]["op"]


def test_it_is_not_live_before_the_last_segment_of_the_image() -> None:
    codec, subscription = logged_in()
    codec.receive_data(accepted(subscription))
    first = mcm(betfair_market("1.1"), ct="SUB_IMAGE", id=subscription, segmentType="SEG_START")
    last = mcm(betfair_market("1.2"), ct="SUB_IMAGE", id=subscription, segmentType="SEG_END")
    assert [] == health(codec.receive_data(line(first)))
    assert ["live"] == health(codec.receive_data(line(last)))


def test_a_heartbeat_does_not_replace_the_image() -> None:
    codec, subscription = logged_in()
    codec.receive_data(accepted(subscription))
    assert [] == health(codec.receive_data(line(mcm(ct="HEARTBEAT", id=subscription))))
    assert SessionState.RECOVERING is codec.state


def test_a_reconnect_resumes_with_both_clocks_and_keeps_the_known_markets() -> None:
    """betcode-org/betfair #112: a cache cleared before a resume has nothing to apply the deltas to."""
    codec, _ = live_codec()
    codec.connection_made()
    codec.receive_data(line(CONNECTION))
    codec.receive_data(accepted(sent(codec)[0]["id"]))
    (resume,) = sent(codec)
    assert ("i1", "c") == (resume["initialClk"], resume["clk"])
    codec.receive_data(accepted(resume["id"]))
    events = codec.receive_data(line(mcm({"id": "1.1"}, ct="RESUB_DELTA", id=resume["id"])))
    assert ["live"] == health(events)
    assert not any(
        isinstance(update, MarketGone) for event in events if isinstance(event, UpdateBatch) for update in event.updates
    )


def test_a_refused_clock_is_answered_by_a_subscription_without_clocks() -> None:
    codec, _ = live_codec()
    codec.connection_made()
    codec.receive_data(line(CONNECTION))
    codec.receive_data(accepted(sent(codec)[0]["id"]))
    resume = sent(codec)[0]["id"]
    assert [Dropped("clk refused")] == codec.receive_data(failed(resume, "INVALID_CLOCK"))
    (fresh,) = sent(codec)
    assert "clk" not in fresh
    image = mcm(betfair_market("1.7"), ct="SUB_IMAGE", id=fresh["id"])
    events = codec.receive_data(accepted(fresh["id"]) + line(image))
    assert ["live"] == health(events)
    gone = [
        update for event in events if isinstance(event, UpdateBatch) for update in event.updates if isinstance(update, MarketGone)
    ]
    assert [MarketGone("1.1")] == gone


@pytest.mark.parametrize(
    ("code", "fatal"), [("INVALID_APP_KEY", True), ("TIMEOUT", False), ("MAX_CONNECTION_LIMIT_EXCEEDED", False)]
)
def test_a_failure_ends_the_session_and_is_fatal_only_if_no_retry_helps(code: str, fatal: bool) -> None:
    codec = a_codec()
    codec.receive_data(line(CONNECTION))
    (refusal,) = codec.receive_data(failed(1, code, closed=True))
    assert isinstance(refusal, ProviderRefused)
    assert (code, fatal) == (refusal.code, refusal.fatal)


def test_an_unreadable_message_ends_the_session_after_the_messages_before_it() -> None:
    """It may have held any change of any market, which the resume from the last good clock repeats."""
    codec, subscription = live_codec()
    events = codec.receive_data(line(mcm({"id": "1.1"}, id=subscription, clk="c9")) + line(b"{rubbish"))
    assert [UpdateBatch, Rejected, ProviderRefused] == [type(event) for event in events]
    codec.connection_made()
    codec.receive_data(line(CONNECTION))
    codec.receive_data(accepted(sent(codec)[0]["id"]))
    assert "c9" == sent(codec)[0]["clk"]


def test_after_an_unreadable_recovery_the_clock_is_not_used_again() -> None:
    codec, _ = live_codec()
    codec.connection_made()
    codec.receive_data(line(CONNECTION) + line(b"{rubbish"))
    codec.connection_made()
    codec.receive_data(line(CONNECTION))
    codec.receive_data(accepted(3))
    assert "clk" not in sent(codec)[-1]


def test_only_a_market_with_an_unreadable_change_is_withdrawn() -> None:
    codec, subscription = live_codec()
    bad = {"id": "1.1", "rc": [{"id": "eleven"}]}
    events = codec.receive_data(line(mcm(bad, {"id": "1.2"}, id=subscription)))
    updates = [update for event in events if isinstance(event, UpdateBatch) for update in event.updates]
    assert MarketGone("1.1") in updates
    assert SessionState.LIVE is codec.state


def test_the_silence_limit_follows_the_heartbeat_of_the_provider() -> None:
    codec, subscription = live_codec()
    assert 1.25 == codec.silence_limit_s
    codec.receive_data(line(mcm(ct="SUB_IMAGE", id=subscription, heartbeatMs=2000)))
    assert 5.0 == codec.silence_limit_s


def test_a_message_out_of_turn_ends_the_session() -> None:
    codec, _ = live_codec()
    (refusal,) = codec.receive_data(line(CONNECTION))
    assert isinstance(refusal, ProviderRefused)
    assert "UNEXPECTED" == refusal.code
