"""What both clients show: the Python client's state and the page's store follow the same rules for every channel."""

from __future__ import annotations

import json
import subprocess
from math import inf
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.client import OddsState
from tests.support.clients.following import contents, node_command
from tests.support.laws.examples import examples
from tests.support.programs.npm import node_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHANNELS = ("event:e1", "event:e2", "sport:football", "market:e1/total")
EVENTS = ("e1", "e2")
MARKETS = ("e1/match_odds", "e1/total", "e2/match_odds")


def a_market(key: str, price: float | None = 2.0, status: str = "open") -> dict[str, Any]:
    return {"id": key, "event": key.partition("/")[0], "status": status, "selections": {"home": {"price": price}}}


def an_event(key: str) -> dict[str, Any]:
    return {"id": key, "sport": "football"}


def snapshot(channel: str, *markets: str, part: int = 1, last: bool = True, **fields: Any) -> dict[str, Any]:
    return {
        "op": "snapshot",
        "channel": channel,
        "at": "1",
        "part": part,
        "last": last,
        "events": [an_event(key) for key in dict.fromkeys(market.partition("/")[0] for market in markets)],
        "markets": [a_market(key, **fields) for key in markets],
    }


def delta(channel: str, **fields: Any) -> dict[str, Any]:
    return {"op": "delta", "channel": channel, "at": "2", "ts": 1, **fields}


def python_states(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what the Python client shows after each message."""
    now_s = 0.0
    state = OddsState(lambda: now_s)
    shown: list[dict[str, Any]] = []
    for message in messages:
        if message["op"] == "lost":
            state.note_message(message["since"], now_s)
            state.lose()
        elif message["op"] == "silent":
            state.note_message(message["since"], now_s)
            now_s += 1
        elif message["op"] == "heard":
            state.note_message(0, inf)
        elif message["op"] == "refused":
            state.drop(message["channel"])
        else:
            state.apply(message)
        shown.append(json.loads(json.dumps(contents(state))))
    return shown


@pytest.fixture(scope="module")
def javascript_states() -> Iterator[Callable[[list[dict[str, Any]]], list[dict[str, Any]]]]:
    """What the page shows after each message."""
    if problem := node_problem():
        pytest.skip(problem)
    with (
        subprocess.Popen(node_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        requests, answers = process.stdin, process.stdout

        def apply(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
            requests.write(json.dumps({"id": 0, "command": "apply", "messages": messages}) + "\n")
            requests.flush()
            found: list[dict[str, Any]] = json.loads(answers.readline())["answer"]
            return found

        yield apply
        requests.close()


channels = st.sampled_from(CHANNELS)
some_markets = st.lists(st.sampled_from(MARKETS), unique=True, max_size=3)
market_changes = st.builds(
    lambda key, price, status, kind: (
        {"id": key, "removed": True}
        if kind == "removed"
        else a_market(key, price, status)
        if kind == "whole"
        else {"id": key, "status": status, "selections": {"home": {"price": price}, "away": {"price": 3.0}}}
    ),
    st.sampled_from(MARKETS),
    st.sampled_from((1.5, 2.5, None)),
    st.sampled_from(("open", "suspended")),
    st.sampled_from(("removed", "whole", "changed", "changed")),
)
event_changes = st.builds(
    lambda key, removed: {"id": key, "removed": True} if removed else {"id": key, "score": "1-0"},
    st.sampled_from(EVENTS),
    st.booleans(),
)
messages = st.one_of(
    st.builds(
        lambda channel, markets, part, last: snapshot(channel, *markets, part=part, last=last),
        channels,
        some_markets,
        st.sampled_from((1, 1, 1, 2)),
        st.sampled_from((True, True, False)),
    ),
    st.builds(
        lambda channel, events, markets: delta(channel, events=events, markets=markets),
        channels,
        st.lists(event_changes, max_size=1),
        st.lists(market_changes, max_size=3),
    ),
    st.builds(lambda channel: {"op": "stale", "channel": channel, "since": 5}, channels),
    st.builds(lambda channel: {"op": "live", "channel": channel}, channels),
    st.builds(lambda channel: {"op": "unsubscribed", "id": 1, "channels": [channel]}, channels),
    st.builds(
        lambda channel, resumed: {"op": "subscribed", "id": 1, "channels": [channel], "resumed": resumed}, channels, st.booleans()
    ),
    st.builds(lambda channel: {"op": "refused", "channel": channel, "code": "unknown_channel", "message": ""}, channels),
    st.sampled_from(
        (
            {"op": "lost", "since": 7},
            {"op": "silent", "since": 6},
            {"op": "heard"},
            {"op": "heartbeat", "at": "3", "ts": 2},
        )
    ),
)


@examples(150)
@given(st.lists(messages, max_size=25))
def test_both_clients_show_the_same(
    javascript_states: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], story: list[dict[str, Any]]
) -> None:
    assert python_states(story) == javascript_states(story)


@pytest.mark.parametrize(
    ("story", "markets", "stale"),
    [
        pytest.param(
            [
                snapshot("event:e1", "e1/match_odds", last=False),
                snapshot("event:e2", "e2/match_odds", last=False),
                snapshot("event:e1", "e1/total", part=2),
                snapshot("event:e2", part=2),
            ],
            set(MARKETS),
            {},
            id="interleaved parts",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total"), snapshot("event:e1", "e1/match_odds", last=False)],
            {"e1/total"},
            {},
            id="a snapshot that is not complete",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total", last=False), {"op": "lost", "since": 7}, snapshot("event:e1", part=2)],
            set(),
            {},
            id="the rest of a snapshot that was lost",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total"), snapshot("event:e2", "e2/match_odds"), snapshot("event:e1", "e1/match_odds")],
            {"e1/match_odds", "e2/match_odds"},
            {},
            id="a snapshot replaces its own channel",
        ),
        pytest.param(
            [snapshot("sport:football", *MARKETS), snapshot("event:e1", "e1/total"), snapshot("sport:football", "e2/match_odds")],
            {"e1/total", "e2/match_odds"},
            {},
            id="what another channel contains stays",
        ),
        pytest.param(
            [
                snapshot("sport:football", *MARKETS),
                snapshot("event:e1", "e1/total"),
                {"op": "refused", "channel": "sport:football", "code": "forbidden", "message": ""},
            ],
            {"e1/total"},
            {},
            id="a channel that is refused is not shown",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total"), delta("event:e1", events=[{"id": "e1", "removed": True}])],
            set(),
            {},
            id="an event is removed with its markets",
        ),
        pytest.param(
            [snapshot("market:e1/total", "e1/total"), delta("market:e1/total", markets=[{"id": "e1/total", "removed": True}])],
            set(),
            {},
            id="a market that is gone takes its event along where there is no other",
        ),
        pytest.param(
            [
                snapshot("sport:football", *MARKETS),
                snapshot("event:e1", "e1/total"),
                {"op": "unsubscribed", "id": 1, "channels": ["sport:football"]},
            ],
            {"e1/total"},
            {},
            id="what is unsubscribed from is not shown",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total"), snapshot("event:e2", "e2/match_odds"), {"op": "lost", "since": 7}],
            {"e1/total", "e2/match_odds"},
            {"event:e1": 7, "event:e2": 7},
            id="everything is stale once the connection is lost",
        ),
        pytest.param(
            [
                snapshot("event:e1", "e1/total"),
                snapshot("event:e2", "e2/match_odds"),
                {"op": "stale", "channel": "event:e2", "since": 5},
                {"op": "lost", "since": 7},
                {"op": "subscribed", "id": 1, "channels": ["event:e1", "event:e2"], "resumed": True},
                delta("event:e1"),
                {"op": "live", "channel": "event:e1"},
            ],
            {"e1/total", "e2/match_odds"},
            {"event:e2": 5},
            id="what is resumed is stale until it is confirmed",
        ),
        pytest.param(
            [
                snapshot("event:e1", "e1/total"),
                {"op": "stale", "channel": "event:e1", "since": 5},
                snapshot("event:e1", "e1/total"),
            ],
            {"e1/total"},
            {"event:e1": 5},
            id="a snapshot of a stale gateway is stale",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total"), {"op": "silent", "since": 6}],
            {"e1/total"},
            {"event:e1": 6},
            id="everything is stale in a silence",
        ),
        pytest.param(
            [snapshot("event:e1", "e1/total"), {"op": "silent", "since": 6}, {"op": "heard"}],
            {"e1/total"},
            {},
            id="and not after it",
        ),
    ],
)
def test_what_is_shown(
    javascript_states: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
    story: list[dict[str, Any]],
    markets: set[str],
    stale: dict[str, int],
) -> None:
    for shown in (python_states(story)[-1], javascript_states(story)[-1]):
        assert markets == shown["markets"].keys()
        assert {market.partition("/")[0] for market in markets} == shown["events"].keys()
        assert stale == shown["stale"]


@pytest.mark.parametrize(
    ("story", "price"),
    [
        pytest.param(
            [
                snapshot("sport:football", "e1/total", price=2.0),
                snapshot("event:e1", "e1/total", price=2.0, last=False),
                delta("sport:football", markets=[{"id": "e1/total", "selections": {"home": {"price": 3.0}}}]),
                snapshot("event:e1", part=2),
            ],
            3.0,
            id="a change between the parts of another channel's snapshot",
        ),
        pytest.param(
            [
                snapshot("sport:football", "e1/total", price=2.0),
                delta("event:e1", markets=[{"id": "e1/total", "selections": {"home": {"price": 3.0}}}]),
            ],
            2.0,
            id="a change in a channel that does not have the market is none",
        ),
        pytest.param(
            [
                snapshot("sport:football", "e1/total", price=2.0),
                snapshot("event:e1", "e1/total", price=3.0),
                delta("event:e1", markets=[{"id": "e1/total", "removed": True}]),
            ],
            2.0,
            id="what another channel still shows",
        ),
    ],
)
def test_of_several_channels_the_last_message_is_shown(
    javascript_states: Callable[[list[dict[str, Any]]], list[dict[str, Any]]], story: list[dict[str, Any]], price: float
) -> None:
    for shown in (python_states(story)[-1], javascript_states(story)[-1]):
        assert price == shown["markets"]["e1/total"]["selections"]["home"]["price"]
