"""What a person asks for is checked, and what is wrong is answered with what is allowed."""

from __future__ import annotations

from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oddsengine.commands.command import ACTIONS, Command
from oddsengine.commands.ruling import fold, matched
from oddsengine.commands.validation import BadCommand, command_of, decode_request

NOW_MS = 1_764_000_000_000
PROFILES = ("default", "gold")


def made(**body: Any) -> Command:
    request = decode_request(msgspec.json.encode({"action": "suspend", "scope": {"event": "e1"}, **body}))
    return command_of(request, "c1", "ann", NOW_MS, PROFILES)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"action": "suspnd"}, "did you mean 'suspend'"),
        ({"scope": {}}, "exactly one of all, sport, competition, event, market or selection"),
        ({"scope": {"event": "e1", "all": True}}, "has all and event"),
        ({"scope": {"evnt": "e1"}}, "did you mean 'event'"),
        ({"scope": {"event": ""}}, "1 to 200"),
        ({"scope": {"event": "x" * 201}}, "1 to 200"),
        ({"scope": {"event": "e1", "types": ["match_oods"]}}, "did you mean 'match_odds'"),
        ({"scope": {"event": "e1", "types": ["xyz"]}}, "match_odds, moneyline"),
        ({"scope": {"event": "e1", "profiles": ["silver"]}}, "the profiles are default, gold"),
        ({"scope": {"market": "e1"}}, "the id of a market"),
        ({"scope": {"selection": "e1/match_odds"}}, "write the id of its market"),
        ({"scope": {"event": 5}}, "scope"),
        ({"expires": "tomorrow"}, "kick_off, a time with its zone"),
        ({"expires": "2026-01-01T00:00:00"}, "a time with its zone"),
        ({"expires": "2020-01-01T00:00:00Z"}, "2025-11-24T16:00:00Z, the time of this server"),
        ({"expires": -1}, "seconds"),
        ({"expires": 1e12}, "seconds"),
        ({"reason": "x" * 501}, "500"),
        ({"values": {"home": 2.0}}, "suspend has no values"),
        ({"action": "price", "scope": {"sport": "football"}, "values": {"home": 2.0}}, "for event, market or selection"),
        ({"action": "price", "scope": {"market": "e1/m"}, "values": {"home": 0.5}}, "from 1.001 to 1e+06"),
        ({"action": "price", "scope": {"market": "e1/m"}, "values": 2.0}, "for each selection"),
        ({"action": "price", "values": {"home": 2.0}}, "markets of one type"),
        ({"action": "price", "scope": {"event": "e1", "types": ["total", "handicap"]}, "values": {"over": 2}}, "one type"),
        ({"action": "note"}, "give it as reason"),
        ({"action": "book_sum", "values": 4}, "from 1 to 3"),
        ({"action": "limit", "values": "much"}, "the greatest stake"),
        ({"action": "result", "scope": {"market": "e1/m"}, "values": {"home": "loser"}}, "no winner"),
        ({"action": "result", "scope": {"market": "e1/m"}, "values": {"home": "won"}}, "winner, loser, void or placed"),
        ({"action": "result", "values": {"home": "winner"}}, '"void"'),
        ({"action": "match", "scope": {"event": "a.1"}, "values": "a.2"}, "an event of another feed"),
        ({"action": "match", "scope": {"event": "a.1"}, "values": "b.1", "expires": "kick_off"}, "not at the kick-off"),
        ({"action": "match", "scope": {"event": "e1", "profiles": ["gold"]}, "values": "e2"}, "holds in all profiles"),
        ({"force": True}, "force is for price only"),
        ({"when": "now"}, "the fields are action, scope"),
    ],
)
def test_a_bad_request_is_answered_with_what_is_allowed(body: dict[str, Any], words: str) -> None:
    with pytest.raises(BadCommand) as refused:
        made(**body)
    assert words in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b'{"action":"\xff"}', b'{"action":NaN}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadCommand):
        decode_request(body)


def test_an_expiry_is_a_time_seconds_the_kick_off_or_none() -> None:
    found = [
        (each.expires_ms, each.until_kick_off)
        for each in (made(expires=value) for value in (300, "2025-11-24T18:00:00+01:00", "2025-11-24T17:00Z", "kick_off", None))
    ]
    assert [(NOW_MS + 300_000, False), *[(NOW_MS + 3_600_000, False)] * 2, (None, True), (None, False)] == found


def test_one_value_may_stand_alone_or_by_its_name() -> None:
    selection = {"selection": "e1/match_odds/home"}
    for values in (2.5, {"home": 2.5}):
        assert 2.5 == made(action="price", scope=selection, values=values).values
    for values in (1.1, {"book_sum": 1.1}):
        assert 1.1 == made(action="book_sum", values=values).values


def test_all_profiles_are_one_scope_however_they_are_named() -> None:
    assert (
        made(scope={"event": "e1", "profiles": ["*"]}).scope == made().scope == made(scope={"event": "e1", "profiles": []}).scope
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**63) | st.floats() | st.sampled_from(["", "e1", "home", "void", "*"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["home", "event", "market", "all", ""]), inner),
    max_leaves=6,
)
ACTION = st.sampled_from([*ACTIONS, "none"])
SCOPE = JSON | st.sampled_from([{"event": "e1"}, {"market": "e1/m"}, {"selection": "e1/m/home"}, {"all": True}])


@given(action=ACTION, scope=SCOPE, values=JSON, expires=JSON)
def test_whatever_is_asked_for_is_a_command_or_refused(action: str, scope: Any, values: Any, expires: Any) -> None:
    body = orjson.dumps({"action": action, "scope": scope, "values": values, "expires": expires}, option=orjson.OPT_NON_STR_KEYS)
    try:
        command = command_of(decode_request(body), "c1", "ann", NOW_MS, PROFILES)
    except BadCommand as problem:
        assert str(problem)
        return
    assert command == msgspec.msgpack.decode(msgspec.msgpack.encode(command), type=Command)
    fold([matched(command, PROFILES)], len(PROFILES))
