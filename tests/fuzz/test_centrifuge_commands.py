"""Frames of Centrifuge's protocol through a session: each command is answered, or ends its session with a code."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.grants import SessionLimits
from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.dialects.centrifuge.codes import disconnect_code
from oddsengine.gateway.dialects.centrifuge.dialect import CentrifugeDialect
from oddsengine.gateway.dialects.centrifuge.session import CentrifugeSession
from oddsengine.gateway.dialects.dialect import CloseSession, SessionAccess
from oddsengine.gateway.protocol.framing import TEXT
from tests.fuzz.budget import bounded, share, tried
from tests.support.hub_harness import Gateway, Wire

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
channels = (
    st.sampled_from(("event:e1", "sport:football", "market:e1/match_odds", "event:none", "console:commands", "", "x")) | st.text()
)
epochs = st.sampled_from(("", "~", "x~0-1-1", "0~0-0-0~1-1-1")) | st.text()


def mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, anything)


requests: dict[str, st.SearchStrategy[Any]] = {
    "subscribe": st.fixed_dictionaries(
        {"channel": mostly(channels)},
        optional={
            "recover": mostly(st.booleans()),
            "epoch": mostly(epochs),
            "offset": mostly(st.integers(0, 2**53)),
            "data": mostly(st.fixed_dictionaries({}, optional={"format": mostly(st.sampled_from(("american", "roman")))})),
        },
    ),
    "unsubscribe": st.fixed_dictionaries({"channel": mostly(channels)}),
    "refresh": st.fixed_dictionaries({"token": mostly(st.text())}),
    "connect": st.fixed_dictionaries({"token": mostly(st.text())}),
    "ping": st.just({}),
    "rpc": st.just({"method": "x"}),
}
commands = st.one_of(
    st.just({}),
    *(st.fixed_dictionaries({"id": mostly(st.integers(0, 5)), name: mostly(request)}) for name, request in requests.items()),
)
lines = st.one_of(commands.map(json.dumps), commands.map(json.dumps), commands.map(json.dumps), st.text())


async def session_of(frames: list[list[str]]) -> None:
    gateway, wire = Gateway(on_offer={"e1": 2000, "e2": 3000}), Wire()
    admission = Admission(Authenticator(AuthSettings(), SessionLimits()), LimitSettings(), (), (), lambda: 0.0)
    dialect = CentrifugeDialect(gateway.hub, SessionAccess(gateway.hub, admission))
    session = CentrifugeSession("s", wire, TEXT)
    gateway.hub.add(session, await _anonymous(admission))
    try:
        for frame in [['{"id":1,"connect":{}}'], *frames]:
            outcome = "handled"
            with bounded():
                try:
                    wait = dialect.receive(session, "\n".join(frame))
                    if wait is not None:
                        await wait()
                except CloseSession as end:
                    outcome = f"closed with {disconnect_code(end.code)}"
            tried["frames of Centrifuge", outcome] += 1
            for payload in wire.payloads():
                json.loads(payload)
            if outcome != "handled":
                return
            gateway.publish(e1=2100)
    finally:
        dialect.session_ended(session)


async def _anonymous(admission: Admission) -> Any:
    return admission.authenticator.anonymous


@share(5, 5)
@given(st.lists(st.lists(lines, max_size=3), max_size=4))
def test_every_frame_is_answered_or_ends_its_session(frames: list[list[str]]) -> None:
    asyncio.run(session_of(frames))
