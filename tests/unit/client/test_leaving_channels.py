"""Channels that are added and left on an open connection."""

from __future__ import annotations

from typing import Any

from oddsengine.client.recovery import Timing
from oddsengine.client.subscriptions import Subscriptions

TIMING = Timing(draw=lambda _, longest: longest)
CHANNEL = "event:e1"


def following(*channels: str) -> Subscriptions:
    """Return what follows channels, all of them subscribed to and complete."""
    subscriptions = Subscriptions(channels or [CHANNEL], {}, TIMING)
    subscriptions.begin()
    for request in subscriptions.due(0.0):
        accept(subscriptions, request)
    for channel in subscriptions.channels:
        subscriptions.receive(a_delta(channel, "p"), 0.0)
    return subscriptions


def a_delta(channel: str, at: str) -> dict[str, Any]:
    return {"op": "delta", "channel": channel, "at": at}


def accept(subscriptions: Subscriptions, request: dict[str, Any], *, resumed: bool = False) -> None:
    answer = {"op": "subscribed", "id": request["id"], "channels": request["channels"], "resumed": resumed}
    subscriptions.receive(answer, 0.0)


def let_go(subscriptions: Subscriptions, request: dict[str, Any]) -> None:
    subscriptions.receive({"op": "unsubscribed", "id": request["id"], "channels": request["channels"]}, 0.0)


def said(requests: list[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    return [(request["op"], request["channels"]) for request in requests]


def test_a_channel_that_is_left_is_unsubscribed_from_and_its_position_forgotten() -> None:
    subscriptions = following(CHANNEL, "event:e2")
    assert [CHANNEL] == subscriptions.remove([CHANNEL, "event:never", CHANNEL])
    assert (["event:e2"], {"event:e2": "p"}) == (subscriptions.channels, subscriptions.at)
    assert 0.0 == subscriptions.next_due_s
    (request,) = subscriptions.due(0.0)
    assert ("unsubscribe", [CHANNEL]) == (request["op"], request["channels"])
    subscriptions.receive({"op": "heartbeat", "at": "q"}, 0.0)
    assert {"event:e2": "q"} == subscriptions.at
    assert [] == subscriptions.due(0.0)


def test_what_still_arrives_of_it_is_not_wanted() -> None:
    subscriptions = following(CHANNEL, "event:e2")
    subscriptions.remove([CHANNEL])
    assert subscriptions.wanted(a_delta(CHANNEL, "q")) is None
    assert subscriptions.wanted(a_delta("event:e2", "q")) is not None
    both = {"op": "error", "id": None, "code": "forbidden", "message": "no", "channels": [CHANNEL, "event:e2"]}
    assert {**both, "channels": ["event:e2"]} == subscriptions.wanted(both)
    assert subscriptions.wanted({**both, "channels": [CHANNEL]}) is None


def test_joined_again_before_the_answer_it_does_not_resume_and_waits_for_what_is_new() -> None:
    subscriptions = following()
    subscriptions.remove([CHANNEL])
    assert [CHANNEL] == subscriptions.add([CHANNEL], {})
    leave, join = subscriptions.due(0.0)
    assert [("unsubscribe", [CHANNEL]), ("subscribe", [CHANNEL])] == said([leave, join])
    assert "resume" not in join
    late = a_delta(CHANNEL, "q")
    assert subscriptions.wanted(late) is None
    let_go(subscriptions, leave)
    accept(subscriptions, join)
    assert late == subscriptions.wanted(late)


def test_what_is_said_of_the_request_before_is_not_taken_for_the_answer() -> None:
    """Left while it was asked for with a position, and joined again: whatever comes of the old request, the new one counts."""
    for refused in (False, True):
        subscriptions = following()
        subscriptions.begin()
        (old,) = subscriptions.due(0.0)
        assert "p" == old["resume"]
        subscriptions.remove([CHANNEL])
        subscriptions.add([CHANNEL], {})
        leave, join = subscriptions.due(0.0)
        if refused:
            error = {"op": "error", "id": old["id"], "code": "bad_request", "message": "no", "channels": [CHANNEL]}
            assert [] == subscriptions.receive(error, 0.0)
        else:
            accept(subscriptions, old, resumed=True)
        assert [] == subscriptions.due(0.0)
        let_go(subscriptions, leave)
        accept(subscriptions, join)
        assert ([], {}, 0) == (subscriptions.due(0.0), subscriptions.refused, subscriptions.resumed)


def test_left_twice_before_the_answers_only_the_last_answer_counts() -> None:
    subscriptions = following()
    leaves = []
    for _ in range(2):
        subscriptions.remove([CHANNEL])
        subscriptions.add([CHANNEL], {})
        leaves.append(subscriptions.due(0.0)[0])
    let_go(subscriptions, leaves[0])
    assert subscriptions.wanted(a_delta(CHANNEL, "q")) is None
    let_go(subscriptions, leaves[1])
    assert subscriptions.wanted(a_delta(CHANNEL, "q")) is not None


def test_a_channel_that_was_not_asked_for_yet_is_left_in_silence() -> None:
    subscriptions = following()
    subscriptions.add(["event:e2"], {})
    subscriptions.remove(["event:e2"])
    assert [] == subscriptions.due(0.0)


def test_other_options_start_anew_and_are_left_at_the_gateway_too() -> None:
    subscriptions = following()
    assert [] == subscriptions.add([CHANNEL], {})
    assert [CHANNEL] == subscriptions.add([CHANNEL], {"format": "fractional"})
    assert {} == subscriptions.at
    subscriptions.remove([CHANNEL])
    assert [("unsubscribe", [CHANNEL])] == said(subscriptions.due(0.0)), "it was asked for before"
    subscriptions.add([CHANNEL], {"format": "american"})
    subscriptions.add(["event:e2"], {"format": "fractional"})
    assert ["american", "fractional"] == [request["format"] for request in subscriptions.due(0.0)]


def test_a_refused_channel_is_left_at_the_gateway_only_while_it_is_asked_for_again() -> None:
    subscriptions = Subscriptions([CHANNEL], {}, TIMING)
    subscriptions.begin()
    (request,) = subscriptions.due(0.0)
    error = {"op": "error", "id": request["id"], "code": "unknown_channel", "message": "no", "channels": [CHANNEL]}
    assert [CHANNEL] == subscriptions.receive(error, 0.0)
    subscriptions.remove([CHANNEL])
    assert [] == subscriptions.due(0.0)
    subscriptions.add([CHANNEL], {})
    (request,) = subscriptions.due(0.0)
    subscriptions.receive({**error, "id": request["id"]}, 0.0)
    assert ["subscribe"] == [each["op"] for each in subscriptions.due(100.0)]
    subscriptions.remove([CHANNEL])
    assert [("unsubscribe", [CHANNEL])] == said(subscriptions.due(100.0))


def test_a_new_connection_knows_nothing_of_what_was_left() -> None:
    subscriptions = following(CHANNEL, "event:e2")
    subscriptions.remove([CHANNEL])
    subscriptions.begin()
    (request,) = subscriptions.due(0.0)
    assert ("subscribe", ["event:e2"], "p") == (request["op"], request["channels"], request["resume"])


def test_many_channels_are_left_in_requests_that_no_gateway_refuses() -> None:
    channels = [f"event:e{number}" for number in range(300)]
    subscriptions = following(*channels)
    subscriptions.begin()
    while requests := subscriptions.due(0.0):
        for request in requests:
            accept(subscriptions, request)
    subscriptions.remove(channels)
    requests = subscriptions.due(0.0)
    assert channels == [channel for request in requests for channel in request["channels"]]
    assert all(len(str(request)) < 2000 for request in requests)
