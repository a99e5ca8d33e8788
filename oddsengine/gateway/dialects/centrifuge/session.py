"""A session that speaks Centrifuge's protocol: what the hub sends becomes replies and pushes."""

from __future__ import annotations

import re
from math import inf
from typing import TYPE_CHECKING, Any, Final

from oddsengine.gateway.dialects.centrifuge import codes, messages
from oddsengine.gateway.dialects.centrifuge.positions import StreamPosition, offset_of
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.protocol.encoders import JSON
from oddsengine.gateway.protocol.framing import Framing
from oddsengine.gateway.protocol.server_messages import (
    Delta,
    Failed,
    Live,
    Pong,
    Snapshot,
    Stale,
    Subscribed,
    Unsubscribed,
)

if TYPE_CHECKING:
    import asyncio

    from oddsengine.gateway.protocol.server_messages import ServerMessage

DIALECT: Final = "centrifuge"
#: Messages of a channel begin alike.
_CHANNEL: Final = re.compile(rb'\{"op":"\w+","channel":("(?:[^"\\]|\\.)*")')


class CentrifugeFraming(Framing):
    """Wraps messages of channels as publications. Made once for an audience, as other frames are."""

    __slots__ = ()

    def wrap(self, payload: bytes, at: str | None = None) -> bytes:
        """Wrap a message, or a reply as it is."""
        found = _CHANNEL.match(payload)
        if found is None:
            return super().wrap(payload)
        offset = b"" if at is None else b',"offset":%d' % offset_of(at)
        return super().wrap(b'{"push":{"channel":%b,"pub":{"data":%b%b}}}' % (found[1], payload, offset))


class CentrifugeSession(Session):
    """One socket of an SDK.

    Args:
        session_id: the client's id.
        transport: where whole frames are written.
        framing: the negotiated one.
    """

    __slots__ = ("is_connected", "is_ponged", "next_ping", "subscribing")

    def __init__(self, session_id: str, transport: asyncio.Transport, framing: Framing) -> None:
        # Audiences of one dialect share frames, and none with another: the dialect is part of the framing.
        super().__init__(session_id, transport, JSON, CentrifugeFraming(*framing._replace(dialect=DIALECT)))
        #: whether it has sent its first command
        self.is_connected = False
        #: whether the last ping was answered
        self.is_ponged = True
        #: sends the next ping; None before the first command
        self.next_ping: asyncio.TimerHandle | None = None
        #: command -> what to answer if its channel resumes, and if not
        self.subscribing: dict[int, dict[bool, StreamPosition]] = {}

    @property
    def idle_since_s(self) -> float:
        """Never: it is sent pings, in the intervals that its SDK was promised."""
        return inf

    def send(self, message: ServerMessage, now_s: float) -> None:
        """Write what a message is in this protocol, if it is anything.

        Args:
            message: the message.
            now_s: monotonic seconds.
        """
        match message:
            case Stale() | Live() | Snapshot() | Delta():  # the last two of the console's channels, which have no audiences
                self._write(JSON.value(message))
            case Subscribed(id=int(number), resumed=resumed):
                self._write(messages.reply(number, subscribe=self._subscribed(number, is_recovered=resumed)))
            case Failed(id=int(number), code=code, message=text):
                self.subscribing.pop(number, None)
                self.fail(number, codes.failure_of(code, text))
            case Failed(channels=[*channels], message=text):
                for channel in channels:
                    self._write(messages.push_unsubscribe(channel, codes.UNSUBSCRIBED_BY_SERVER, text))
            case Unsubscribed(id=int(number)):
                self._write(messages.reply(number, unsubscribe={}))
            case Pong(id=int(number)):
                self._write(messages.reply(number, ping={}))
            case _:
                return  # the closing code says the rest
        self.last_sent_s = now_s

    def answer(self, number: int, **result: Any) -> None:
        """Write the reply to a command."""
        self._write(messages.reply(number, **result))

    def fail(self, number: int, failure: codes.Failure) -> None:
        """Write that a command has failed."""
        self._write(messages.reply(number, error=failure._asdict()))

    def ping(self) -> None:
        """Write a ping, which is to be answered before the next one."""
        self.is_ponged = False
        self._write(b"{}")

    def end(self, code: int, reason: str) -> None:
        """Close the socket, with the code that means the same to an SDK."""
        super().end(codes.disconnect_code(code), reason)

    def _subscribed(self, number: int, *, is_recovered: bool) -> dict[str, Any]:
        if number not in self.subscribing:
            return {}  # of the console: it always starts with a snapshot
        position = self.subscribing.pop(number)[is_recovered]
        return {
            "recoverable": True,
            "positioned": True,
            "epoch": position.epoch,
            "offset": position.offset,
            "recovered": is_recovered,
            # Publications follow as pushes.
            "publications": [],
        }

    def _write(self, payload: bytes) -> None:
        self.write(self.framing.wrap(payload))
