"""One subscriber's socket, as the hub sees it: where to write ready frames, and what it is subscribed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.protocol.encoders import JSON, Encoding, message
from oddsengine.gateway.protocol.framing import TEXT, Framing, close_frame

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.access.rate_limits import Bucket
    from oddsengine.gateway.fanout.audience import Audience
    from oddsengine.gateway.state.replica import At


class Subscription:
    """A session's place in a channel: in its audience, or behind it at a position of its own (`at`).

    `told_stale` is whether the client was last told that the channel may be out of date.
    """

    __slots__ = ("at", "audience", "told_stale")

    def __init__(self, audience: Audience) -> None:
        self.audience = audience
        self.at: At | None = None
        self.told_stale = False


class Session:
    """One open socket.

    Args:
        session_id: told to the client, for support.
        transport: where frames are written, whole.
        encoding: of the messages.
        framing: how they are wrapped.
    """

    __slots__ = (
        "access",
        "backlog",
        "bad_messages",
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
        #: looked up once, and without the check of the thread where the transport offers that: to cost little more than the send
        self.write: Callable[[bytes], None] = getattr(transport, "write_nocheck", transport.write)
        #: tells what was written but not yet taken by the kernel, because the client does not read; bytes
        self.backlog: Callable[[], int] = transport.get_write_buffer_size
        self.encoding = encoding
        self.framing = framing
        #: what it may see; None until it has said who it is
        self.access: Access | None = None
        #: how many messages it may still send, None where nothing limits them
        self.messages: Bucket | None = None
        self.subscriptions: dict[str, Subscription] = {}
        self.last_sent_s = 0.0
        self.is_open = True
        self.bad_messages = 0

    def tell(self, op: str, fields: Mapping[str, object], now_s: float) -> None:
        """Write one small message; the kernel or the transport's buffer takes it at once.

        Args:
            op: its operation.
            fields: what else it says.
            now_s: monotonic seconds.
        """
        self.write(self.framing.wrap(message(op, fields, self.encoding)))
        self.last_sent_s = now_s

    @property
    def last_told_s(self) -> float:
        """When it last heard something, by itself or with an audience, if it keeps up; monotonic seconds."""
        return max([self.last_sent_s, *(each.audience.told_s for each in self.subscriptions.values())])

    def end(self, code: int, reason: str) -> None:
        """Say why and hang up; what the client has not taken by then is dropped if it does not read."""
        if not self.framing.are_events:
            self.write(close_frame(code, reason))
        if self.backlog():
            self.transport.abort()
        else:
            self.transport.close()
