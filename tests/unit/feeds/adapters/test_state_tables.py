"""Laws of the adapters' state machines."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.adapters.betfair.account import Account, AccountUrls, Login
from feeds.adapters.betfair.account_states import ACCOUNT_TRANSITIONS, AWAITING_ANSWER, AccountState, AccountTrigger
from feeds.adapters.betfair.session_states import SESSION_TRANSITIONS, SessionState
from feeds.adapters.pinnacle.sport_states import (
    RECOVERY_TRANSITIONS,
    VERIFICATION_TRANSITIONS,
    RecoveryState,
    RecoveryTrigger,
    VerificationState,
    VerificationTrigger,
)
from tests.support.providers.messages import a_response

if TYPE_CHECKING:
    from enum import Enum

State = TypeVar("State", bound=Hashable)
Trigger = TypeVar("Trigger", bound=Hashable)


def reachable(start: State, transitions: Mapping[tuple[State, Trigger], State]) -> set[State]:
    found = {start}
    while more := {to for (state, _), to in transitions.items() if state in found} - found:
        found |= more
    return found


@pytest.mark.parametrize(
    ("start", "transitions"),
    [
        (AccountState.LOGGED_OUT, ACCOUNT_TRANSITIONS),
        (SessionState.WAITING, SESSION_TRANSITIONS),
        (RecoveryState.AWAITING_FIXTURES, RECOVERY_TRANSITIONS),
        (VerificationState.IDLE, VERIFICATION_TRANSITIONS),
    ],
)
def test_every_state_can_be_reached(start: Enum, transitions: Mapping[tuple[Enum, Enum], Enum]) -> None:
    assert set(type(start)) == reachable(start, transitions)


def test_a_request_is_sent_only_without_an_outstanding_one() -> None:
    assert AWAITING_ANSWER.isdisjoint(state for state, trigger in ACCOUNT_TRANSITIONS if trigger is AccountTrigger.REQUEST)


def test_an_answer_or_a_reconnect_ends_the_wait() -> None:
    for state in AWAITING_ANSWER:
        for trigger in (AccountTrigger.ANSWER, AccountTrigger.RECONNECTED):
            assert ACCOUNT_TRANSITIONS[state, trigger] not in AWAITING_ANSWER


def test_a_sport_becomes_current_only_by_changes_after_fixtures() -> None:
    assert {(RecoveryState.AWAITING_CHANGES, RecoveryTrigger.CHANGES)} == {
        key for key, state in RECOVERY_TRANSITIONS.items() if state is RecoveryState.CURRENT
    }


def test_a_verification_ends_only_with_the_changes_after_its_snapshot_or_the_connection() -> None:
    ends = {key for key, state in VERIFICATION_TRANSITIONS.items() if state is VerificationState.IDLE}
    assert (VerificationState.CHANGES_DUE, VerificationTrigger.CHANGES) in ends
    assert {VerificationTrigger.CHANGES, VerificationTrigger.RECONNECTED} == {trigger for _, trigger in ends}


@given(st.lists(st.sampled_from(["request", "good", "bad", "expire", "connect"]), max_size=30))
def test_an_account_holds_a_token_exactly_in_the_states_that_need_one(story: list[str]) -> None:
    account = Account(Login("l", "u", "p"), None, AccountUrls("k", "a"), keep_alive_s=1.0, names=False)
    now_ms, outstanding = 0, None
    for step in story:
        now_ms += 2_000
        if step == "request":
            outstanding = account.next_request(now_ms) or outstanding
        elif step == "expire":
            account.expire_session()
        elif step == "connect":
            account.connection_made()
            outstanding = None
        elif outstanding is not None:
            body = {"sessionToken": "t", "loginStatus": "SUCCESS", "status": "SUCCESS"} if step == "good" else {}
            account.receive_response(a_response(outstanding, body, at_ms=now_ms))
            outstanding = None
        assert (account.session_token is not None) == (account.state in {AccountState.IDLE, AccountState.REQUESTING})
        assert (outstanding is not None) == (account.state in AWAITING_ANSWER)
