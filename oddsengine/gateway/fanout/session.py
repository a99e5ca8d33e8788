"""A subscriber's socket as the hub sees it: where ready frames are written, and what it is subscribed to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.gateway.fanout.lingering import close_gently, ignore
from oddsengine.gateway.protocol.encoders import JSON, Encoding
from oddsengine.gateway.protocol.framing import LAST_CHUNK, TEXT, Framing, close_frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.access.rate_limits import Bucket
    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.protocol.server_messages import ServerMessage
    from oddsengine.gateway.state.replica import At

#: Copying more than this takes as long as another write.
_MAX_JOINED_BYTES: Final = 64 * 1024
#: A client that has not read so much yet will not read the closing frame in time.
_MAX_UNREAD_BYTES: Final = 64 * 1024


class Session:
    """One open socket.

    Args:
        session_id: sent to the client, for support.
        transport: where whole frames are written.
        encoding: of the messages.
        framing: how they are wrapped.
    """

    __slots__ = (
        "access",
        "backlog",
        "bad_messages",
        "close_code",
        "encoding",
        "framing",
        "is_open",
        "last_sent_s",
        "messages",
        "session_id",
        "subscriptions",
        "transport",
        "write",
    )

    def __init__(self, session_id: str, transport: asyncio.Transport, encoding: Encoding = JSON, framing: Framing = TEXT) -> None:
        self.session_id = session_id
        self.transport = transport
        #: looked up once, and without the thread check where the transport offers that: costs little more than the send
        self.write: Callable[[bytes], None] = getattr(transport, "write_nocheck", transport.write)
        #: returns the bytes that were written but not yet taken by the kernel, because the client does not read
        self.backlog: Callable[[], int] = transport.get_write_buffer_size
        self.encoding = encoding
        self.framing = framing
        #: what it may see; None until it is authenticated
        self.access: Access | None = None
        #: how many messages it may still send; None without a limit
        self.messages: Bucket | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.last_sent_s = 0.0
        self.is_open = True
        self.bad_messages = 0
        #: what it was closed with by this side; 0 while it is open, and if its client has left
        self.close_code = 0

    def send(self, message: ServerMessage, now_s: float) -> None:
        """Write one small message. Does not wait: the kernel or the transport's buffer takes it.

        Args:
            message: the message.
            now_s: monotonic seconds.
        """
        self.write(self.framing.wrap(self.encoding.value(message)))
        self.last_sent_s = now_s

    def cork(self, head: bytes = b"") -> list[bytes]:
        """Collect what is written, after a head, until `uncork`: each write costs more than the bytes in it."""
        corked = [head] if head else []
        self.write = corked.append
        return corked

    def uncork(self, corked: list[bytes]) -> None:
        """Write what was collected; in one write, unless it is long."""
        write = getattr(self.transport, "write_nocheck", self.transport.write)
        self.write = ignore if self.close_code else write
        if len(corked) > 1 and sum(map(len, corked)) <= _MAX_JOINED_BYTES:
            write(b"".join(corked))
        else:
            for framed in corked:
                write(framed)

    @property
    def idle_since_s(self) -> float:
        """The time at which it was last sent anything, by itself or with an audience, unless it is behind; monotonic seconds."""
        return max([self.last_sent_s, *(each.audience.last_sent_s for each in self.subscriptions.values())])

    def end(self, code: int, reason: str) -> None:
        """Send a closing frame, or the end of the event stream, and close the socket; abort it if the client does not read.

        Nothing is written by this session afterwards. The caller takes it out of its audiences.
        """
        self.close_code = code
        write, self.write = self.write, ignore
        if self.framing.are_events:
            if self.framing.are_chunks:
                write(LAST_CHUNK)
        elif not self.transport.is_closing():
            write(close_frame(code, reason))
        if self.backlog() > _MAX_UNREAD_BYTES:
            self.transport.abort()
        else:
            close_gently(self.transport)


class Subscription:
    """A session's subscription to a channel.

    Attributes:
        audience: the audience that it belongs to.
        at: its own position while it is behind the audience; None while it is a member.
        sent_stale: whether the client was last sent that the channel may be out of date; None if it waits to be sent either.
    """

    __slots__ = ("at", "audience", "sent_stale")

    def __init__(self, audience: Audience[Session]) -> None:
        self.audience = audience
        self.at: At | None = None
        self.sent_stale: bool | None = False
