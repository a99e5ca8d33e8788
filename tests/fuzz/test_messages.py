"""Stream messages, JSON and MessagePack, through the session: each is answered or ends its session with a code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import given

from oddsengine.common.internal_errors import InternalErrors
from oddsengine.gateway.access.admission import Admission
from oddsengine.gateway.access.authentication import Authenticator
from oddsengine.gateway.access.grants import Access, SessionLimits
from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.gateway.dialects.dialect import CloseSession, SessionAccess
from oddsengine.gateway.dialects.native import NativeDialect
from oddsengine.gateway.protocol.encoders import JSON, MSGPACK, Encoding
from oddsengine.gateway.protocol.server_messages import ServerMessage
from tests.fuzz.budget import bounded, share, tried
from tests.fuzz.grammar import corpus, inputs, mostly, requests, to_json, to_msgpack
from tests.support.hub_harness import Gateway, Wire

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.session import Session

_decode = {
    JSON: msgspec.json.Decoder(ServerMessage).decode,
    MSGPACK: msgspec.msgpack.Decoder(ServerMessage).decode,
}
LIMITS = SessionLimits(messages_per_s=0)


class Stream:
    """The endpoint of a gateway with three events, as its socket calls it."""

    def __init__(self) -> None:
        self.gateway = Gateway(on_offer={"e1": 2000, "e2": 3000, "e3": 4000})
        admission = Admission(Authenticator(AuthSettings(), LIMITS), LimitSettings(), (), (), lambda: 0.0)
        self.errors = InternalErrors()
        hub = self.gateway.hub
        self.dialect = NativeDialect(hub, SessionAccess(hub, admission))

    async def send(self, session: Session, content: str | bytes) -> str:
        """Send a message. Return what became of it."""
        wait = self.dialect.receive(session, content)
        if wait is not None and getattr(wait, "func", None) is not asyncio.sleep:
            await wait()
        return "handled"


async def session_of(contents: list[bytes], encoding: Encoding) -> None:
    stream, wire = Stream(), Wire()
    hub = stream.gateway.hub

    def open_session() -> Session:
        # Text frames, whatever the encoding: that is what the wire reads back.
        return hub.open(wire, Access(subject="fuzz", limits=LIMITS), encoding)

    session = open_session()
    target = f"messages as {encoding.name}"
    for content in contents:
        text: Any = bytes(content)
        if encoding is JSON:
            try:
                text = content.decode()
            except UnicodeDecodeError:
                tried[target, "no text: closed with 1007 by the reader of frames"] += 1
                continue
        bad = hub.counters.bad_messages
        with bounded():
            try:
                outcome = await stream.send(session, text)
            except CloseSession as end:
                outcome = f"closed with {int(end.code)}"
        if hub.counters.bad_messages > bad:
            outcome = "bad_message"
        tried[target, outcome] += 1
        payloads = wire.payloads()
        assert sum(map(len, payloads)) <= 20 * len(content) + 100_000, "an answer is not far longer than its request"
        for payload in payloads:
            _decode[encoding](payload)
        if outcome.startswith("closed"):
            hub.close(session)
            session = open_session()
        session.bad_messages = 0
    hub.close(session)
    assert not hub.subscribed_channels
    assert 0 == stream.errors.total


@share(40)
@given(inputs(mostly(requests).map(to_json), corpus("messages")))
def test_json_messages(contents: list[bytes]) -> None:
    asyncio.run(session_of(contents, JSON))


@share(25)
@given(inputs(mostly(requests).map(to_msgpack), corpus("messages")))
def test_msgpack_messages(contents: list[bytes]) -> None:
    asyncio.run(session_of(contents, MSGPACK))


def test_the_saved_messages_are_answered() -> None:
    for encoding in (JSON, MSGPACK):
        for content in corpus("messages"):
            asyncio.run(session_of([content, to_json({"op": "ping"})], encoding))
