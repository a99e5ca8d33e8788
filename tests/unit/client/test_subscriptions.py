"""What a client asks for, in which requests, and when again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from oddsengine.client.recovery import Timing
from oddsengine.client.subscriptions import Subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMING = Timing(draw=lambda _, longest: longest)


def test_after_a_loss_the_limit_stays_below_a_second_for_ten_seconds_before_it_grows_on() -> None:
    assert [0.1, 0.2, 0.4, *[0.8] * 26, 1.6, 3.2, 5.0, 5.0] == [TIMING.backoff(failures) for failures in range(33)]
    assert sum(TIMING.backoff(failures) for failures in range(29)) / 2 > 10, "drawn evenly, it is half of the limits"
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0] == [TIMING.backoff(failures, long=True) for failures in range(6)]


def of(channels: Iterable[str], **at: str) -> Subscriptions:
    subscriptions = Subscriptions(list(channels), {"min_interval_ms": 100}, TIMING)
    subscriptions.at.update({f"event:{event}": position for event, position in at.items()})
    subscriptions.begin()
    return subscriptions


def events(count: int) -> list[str]:
    return [f"event:e{number}" for number in range(count)]


def accept(subscriptions: Subscriptions, request: dict[str, Any], *, resumed: bool = False) -> None:
    subscriptions.receive(
        {"op": "subscribed", "id": request["id"], "channels": request["channels"], "resumed": resumed}, now_s=0.0
    )


def refuse(subscriptions: Subscriptions, request: dict[str, Any], code: str, now_s: float = 0.0, **fields: Any) -> list[str]:
    message = {"op": "error", "id": request["id"], "code": code, "message": "no", **fields}
    return subscriptions.receive(message, now_s)


def asked(subscriptions: Subscriptions, now_s: float = 0.0) -> list[dict[str, Any]]:
    """Accept requests until there are no more. Return them."""
    requests: list[dict[str, Any]] = []
    while due := subscriptions.due(now_s):
        for request in due:
            accept(subscriptions, request)
        requests += due
    return requests


def test_channels_are_asked_for_together_and_a_few_requests_at_a_time() -> None:
    subscriptions = of([*events(350), "event:e0"])
    requests = subscriptions.due(0.0)
    assert 4 == len(requests)
    assert all(850 < len(orjson.dumps(request)) <= 1000 for request in requests), "no gateway refuses messages that short"
    assert {100} == {request["min_interval_ms"] for request in requests}
    assert subscriptions.next_due_s is None, "once they are answered"
    accept(subscriptions, requests[0])
    (more,) = subscriptions.due(0.0)
    names = [name for request in [*requests, more, *asked(subscriptions)] for name in request["channels"]]
    for request in [*requests[1:], more]:
        accept(subscriptions, request)
    names += [name for request in asked(subscriptions) for name in request["channels"]]
    assert sorted(events(350)) == sorted(names)


def test_channels_at_one_position_share_a_request_and_the_largest_come_first() -> None:
    subscriptions = of(["event:e1", "event:e2", "event:e3", "sport:football"], e1="p", e3="p")
    subscriptions.at["sport:football"] = "q"
    found = [(request["channels"], request.get("resume")) for request in subscriptions.due(0.0)]
    assert [(["sport:football"], "q"), (["event:e1", "event:e3"], "p"), (["event:e2"], None)] == found


def test_of_many_positions_the_rest_is_asked_for_as_snapshots() -> None:
    subscriptions = of(events(250), **{f"e{number}": str(number) for number in range(250)})
    requests = asked(subscriptions)
    assert 32 + 3 == len(requests)
    assert 32 == sum("resume" in request for request in requests)


@pytest.mark.parametrize("kept", [1, 2])
def test_requests_become_shorter_after_one_was_too_long(kept: int) -> None:
    subscriptions = of([f"event:{'x' * 100}{number}" for number in range(100)])
    lengths = []
    for _ in range(kept + 1):
        subscriptions.begin()
        lengths.append(len(subscriptions.due(0.0)[0]["channels"]))
        subscriptions.restrain("1009", "")
    assert lengths[0] > lengths[-1] > 0
    for _ in range(10):
        subscriptions.restrain("1009", "")
    subscriptions.begin()
    assert 1 <= len(subscriptions.due(0.0)[0]["channels"]) <= 2


def test_requests_are_paced_after_there_were_too_many_but_not_for_a_limit_of_sessions() -> None:
    subscriptions = of(events(300))
    subscriptions.restrain("4429", "too many sessions with this token")
    subscriptions.begin()
    assert 4 == len(subscriptions.due(0.0))
    for pace_s in (0.25, 1.0, 4.0):
        subscriptions.restrain("4429", "too many messages")
        subscriptions.begin()
        assert 1 == len(subscriptions.due(5.0))
        assert pytest.approx(5.0 + pace_s) == subscriptions.next_due_s
        assert 1 == len(subscriptions.due(5.0 + pace_s))


def test_a_refused_channel_is_asked_for_again_less_and_less_often() -> None:
    subscriptions = of(["event:e1", "event:e2"])
    (request,) = subscriptions.due(0.0)
    now_s, waits_s = 0.0, []
    for _ in range(7):
        assert ["event:e1"] == refuse(subscriptions, request, "unknown_channel", now_s, channels=["event:e1"])
        accept(subscriptions, {**request, "channels": ["event:e2"]})
        assert [] == subscriptions.due(now_s)
        due_s = subscriptions.next_due_s
        assert due_s is not None
        waits_s.append(due_s - now_s)
        now_s = due_s
        (request,) = subscriptions.due(now_s)
        assert ["event:e1"] == request["channels"]
    assert [1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0] == waits_s
    accept(subscriptions, request)
    assert {} == subscriptions.refused


def test_what_the_token_does_not_grant_waits_for_another() -> None:
    subscriptions = of(["event:e1"])
    (request,) = subscriptions.due(0.0)
    refuse(subscriptions, request, "forbidden", channels=["event:e1"])
    assert subscriptions.next_due_s is None
    subscriptions.grant()
    assert [["event:e1"]] == [request["channels"] for request in subscriptions.due(1.0)]


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"channels": ["event:e2"]}, ["event:e2"]),
        ({"message": "event 'e2' is not on offer"}, ["event:e2"]),
        ({"message": "none of these"}, ["event:e1", "event:e2"]),
    ],
    ids=["named", "quoted", "not named"],
)
def test_which_channels_an_error_is_about(fields: dict[str, Any], refused: list[str]) -> None:
    subscriptions = of(["event:e1", "event:e2"], e1="p", e2="p")
    (request,) = subscriptions.due(0.0)
    assert refused == sorted(refuse(subscriptions, request, "unknown_channel", **fields))
    accept(subscriptions, {**request, "channels": ["event:e1"]}, resumed=True)
    assert ["event:e2"] == list(subscriptions.refused)
    # What there was of a channel that seemed to be refused is gone: it is asked for again, as a snapshot.
    assert (len(refused) == 2) == bool(again := subscriptions.due(0.0))
    assert all("resume" not in request for request in again)


def test_a_revoked_channel_is_refused_without_a_request() -> None:
    subscriptions = of(["event:e1", "event:e2"])
    (request,) = subscriptions.due(0.0)
    accept(subscriptions, request)
    message = {"op": "error", "id": None, "code": "forbidden", "message": "no", "channels": ["event:e2", "event:other"]}
    assert ["event:e2"] == subscriptions.receive(message, 0.0)
