"""Both clients do what the table in docs/protocol.md says, row by row, in front of a real gateway."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest

from oddsengine.client.recovery import TABLE, Action
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.clients.following import KINDS, Followers, Options, View, followers, running_node, wait_view
from tests.support.clients.front import Answer, Close, FallSilent, Front, LoseRenewal, Refuse, Send, Step, Swallow, front_of
from tests.support.credentials import SECRET, a_token, write_key
from tests.support.service import quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

CHANNEL: Final = "event:e1"
#: A position that no gateway knows.
SOME_AT: Final = "somewhere"
SNAPSHOT: Final = {"op": "snapshot", "channel": CHANNEL, "at": SOME_AT, "part": 1, "last": True, "events": [], "markets": []}
BYE: Final = {"op": "bye", "reason": "drain", "reconnect_ms": 1830}
REFUSED_TOKEN: Final = {"op": "error", "id": None, "code": "unauthorised", "message": "expired"}
#: Tokens live for 60 s and are renewed after about two: on a slow machine too, the first is refused before that.
RENEWING: Final = {"renew_share": 0.97, "renew_before_s": 100.0}
QUICK: Final = {"long_backoff_s": 0.05, "max_refused_s": 0.05}
STATUSES: Final = {"4xx": 410, "5xx": 502, "other": 204}


class Case:
    """One row, tried with one client.

    Args:
        base: the URL of the gateway.
        clients: makes clients of a kind.
        code: the row.
    """

    def __init__(self, base: str, clients: Followers, code: str) -> None:
        self.base = base
        self.clients = clients
        self.code = code
        self.action = TABLE[code].action

    async def after(
        self,
        *steps: Step,
        until: Callable[[View], bool] = View.is_current,
        tokens: list[str] | None = None,
        timing: dict[str, float] | None = None,
    ) -> tuple[View, Front]:
        """Follow a client through a proxy until it shows what the gateway has."""
        async with front_of(self.base, *steps) as front:
            options = Options(front.url, [CHANNEL], tokens, timing or {})
            async with self.clients.follow(options) as follower:
                view = await wait_view(follower, until, f"{self.code}: the end of {self.action}")
            return view, front


async def refused_or_closed(case: Case) -> None:
    """Check a row of a handshake or a closing code."""
    code, action = case.code, case.action
    is_status = TABLE[code].kind == "status"
    step: Step = Answer(STATUSES.get(code) or int(code)) if is_status else Close(1011 if code == "closed" else int(code))
    if action is Action.GIVE_UP:
        view, front = await case.after(step, until=lambda view: view.gave_up is not None)
        assert (1, [(code, None)]) == (front.handshakes, view.problems)
        return
    if action is Action.ASK_TOKEN:
        await asks_for_a_token(case, step)
        return
    first_wait_s = {Action.WAIT: 1.0, Action.RESTRAIN: 1.0}.get(action, 0.1)
    view, front = await case.after(step)
    assert ([code], [first_wait_s], 2) == (view.codes, view.waits_s, front.handshakes)
    if is_status:
        view, _ = await case.after(Answer(STATUSES.get(code) or int(code), {"Retry-After": "7"}))
        assert [7.0 + first_wait_s] == view.waits_s, "not all at once, and not before"


async def asks_for_a_token(case: Case, step: Step) -> None:
    others = [a_token(lasts_s=lasts_s) for lasts_s in (100, 200)]
    view, _ = await case.after(step, tokens=others)
    is_late = case.code == "4408"
    assert ([case.code], [0.1 if is_late else 0.0], 2) == (view.codes, view.waits_s, view.tokens_asked)
    view, _ = await case.after(step, until=lambda view: view.gave_up is not None)
    assert [(case.code, None)] == view.problems, "there is no token"
    if not is_late:
        view, front = await case.after(step, tokens=others[:1], until=lambda view: view.gave_up is not None)
        assert (1, None) == (front.handshakes, view.problems[-1][1]), "there is only the token that was refused"


async def drained(case: Case) -> None:
    view, _ = await case.after(Close(1012, messages=[BYE]))
    assert [1.83] == view.waits_s
    view, _ = await case.after(Close(1012))
    assert [0.1] == view.waits_s


async def another_profile(case: Case) -> None:
    for code, resumes in (("4403", False), ("1011", True)):
        view, front = await case.after(Close(int(code), messages=[SNAPSHOT]))
        assert [0.1] == view.waits_s
        assert resumes == (front.received[1][0].get("resume") == SOME_AT)
    # Whether the gateway has taken a token of another one is not known where the connection is lost meanwhile.
    for other, resumes in (({"profile": "gold"}, False), ({}, True)):
        tokens = [a_token(lasts_s=3), a_token(lasts_s=900, **other)]
        _, front = await case.after(
            LoseRenewal(tokens[1]), until=lambda view: view.reconnects > 0 and view.is_current(), tokens=tokens, timing=RENEWING
        )
        (asked,) = [each for each in front.received[1] if each["op"] == "subscribe"]
        assert resumes == ("resume" in asked)


async def unreachable(case: Case) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        options = Options(f"http://127.0.0.1:{nobody.getsockname()[1]}", [CHANNEL])
        async with case.clients.follow(options) as follower:
            view = await wait_view(follower, lambda view: len(view.waits_s) >= 3, "the attempts")
    assert ({"unreachable"}, [0.1, 0.2, 0.4]) == (set(view.codes), view.waits_s[:3])
    view, front = await case.after(Swallow(), timing={"first_welcome_s": 0.3})
    assert {"unreachable"} == set(view.codes)
    assert front.handshakes >= 2


async def silent(case: Case) -> None:
    view, _ = await case.after(FallSilent(), until=lambda view: view.reconnects > 0 and view.is_current())
    assert (["silence"], [0.1]) == (view.codes, view.waits_s)


async def another_protocol(case: Case) -> None:
    for text in ("nonsense", "[]", '{"no":"op"}', '{"op":"welcome"}'):
        view, _ = await case.after(Send(text))
        assert (["protocol"], [1.0]) == (view.codes, view.waits_s), text


async def no_token(case: Case) -> None:
    view, front = await case.after(tokens=["raise", a_token()])
    assert (["token"], [0.1], 1) == (view.codes, view.waits_s, front.handshakes)
    # Each counts as a failure, however long the connection had lasted before them.
    tokens = [a_token(), "raise", "raise", "raise", a_token()]
    view, _ = await case.after(Close(1011), tokens=tokens, timing={"settled_after_s": 0.0})
    assert (["closed", "token", "token", "token"], [0.1, 0.2, 0.4, 0.8]) == (view.codes, view.waits_s)


async def refused_channels(case: Case) -> None:
    """Check a row of an error code."""
    for names_channels in (True, False):
        step = Refuse(case.code, names_channels)
        if case.action is Action.GIVE_UP:
            view, _ = await case.after(step, until=lambda view: view.gave_up is not None)
            assert [(case.code, None)] == view.problems
        elif case.action is Action.ASK_WITH_TOKEN:
            view, front = await case.after(step, tokens=[a_token(lasts_s=60), a_token(lasts_s=90)], timing=RENEWING)
            assert ([(case.code, None)], 1) == (view.problems, front.handshakes)
        else:
            view, front = await case.after(step, timing=QUICK)
            assert ([case.code], 1) == (view.codes, front.handshakes)
            assert view.problems[0][1] is not None


async def unknown_position(case: Case) -> None:
    view, front = await case.after(Close(1011, messages=[SNAPSHOT]), Refuse(case.code))
    assert [SOME_AT, None] == [request.get("resume") for request in front.received[1] if request["op"] == "subscribe"]
    assert not view.refused
    await refused_channels(case)


async def refused_token(case: Case) -> None:
    tokens = [a_token(lasts_s=lasts_s) for lasts_s in (100, 200)]
    view, _ = await case.after(Close(4401, messages=[REFUSED_TOKEN]), tokens=tokens)
    assert {case.code, "4401"} == set(view.codes)
    assert [0.0] == view.waits_s


CASES: Final[dict[str, Callable[[Case], Awaitable[None]]]] = {
    **{code: refused_or_closed for code, row in TABLE.items() if row.kind in {"status", "close"}},
    **{code: refused_channels for code, row in TABLE.items() if row.kind == "error"},
    "1012": drained,
    "4403": another_profile,
    "unreachable": unreachable,
    "silence": silent,
    "protocol": another_protocol,
    "token": no_token,
    "bad_request": unknown_position,
    "unauthorised": refused_token,
}


def test_every_row_has_a_case() -> None:
    assert TABLE.keys() == CASES.keys()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_client_does_what_each_row_says(kind: str, tmp_path: Path) -> None:
    auth = AuthSettings(keys=(KeySettings(algorithm="HS256", file=write_key(tmp_path / "key", SECRET)),), anonymous_role="trader")
    async with running_service(quick_settings(auth=auth)) as service, followers(kind) as clients:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        cases = [Case(service.base, clients, code) for code in CASES]
        results = await asyncio.gather(*(CASES[case.code](case) for case in cases), return_exceptions=True)
    failed = {case.code: result for case, result in zip(cases, results, strict=True) if result is not None}
    assert not failed, "\n".join(f"{code}: {error!r}" for code, error in failed.items())


async def test_both_clients_have_the_same_table() -> None:
    async with running_node() as node:
        table: dict[str, Any] = await node.ask("table")
    assert {code: [row.kind, row.action.name.lower()] for code, row in TABLE.items()} == table
