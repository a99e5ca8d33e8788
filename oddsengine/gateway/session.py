"""One subscriber's socket, as the hub sees it: where to write ready frames, and what it is subscribed to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway import encode

if TYPE_CHECKING:
    import asyncio

    from oddsengine.gateway.audience import Audience
    from oddsengine.gateway.replica import At


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
        profile: the place of its prices in every `prices`.
    """

    __slots__ = ("bad_messages", "last_sent_s", "profile", "session_id", "subscriptions", "transport")

    def __init__(self, session_id: str, transport: asyncio.Transport, profile: int) -> None:
        self.session_id = session_id
        self.transport = transport
        self.profile = profile
        self.subscriptions: dict[str, Subscription] = {}
        self.last_sent_s = 0.0
        self.bad_messages = 0

    def send(self, payload: bytes) -> None:
        """Write one message; the kernel or the transport's buffer takes it at once."""
        self.transport.write(encode.frame(payload))

    @property
    def backlog_bytes(self) -> int:
        """What was written but not yet taken by the kernel, because the client does not read."""
        return self.transport.get_write_buffer_size()
