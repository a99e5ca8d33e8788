"""An audience: the subscribers of a channel that have the same delivery options and share each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic

from oddsengine.gateway.fanout.broadcast import R, Recipients
from oddsengine.gateway.protocol.encoders import JSON, delta_head
from oddsengine.gateway.protocol.framing import TEXT

if TYPE_CHECKING:
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import At, Channel


class Audience(Generic[R]):
    """The subscriptions that are at the audience's position.

    A member that falls behind leaves the audience and rejoins once it has caught up.

    Attributes:
        at: position of all members, if the audience has an interval.
        head: start of all its deltas.
        is_plain: whether it is sent everything at once, in JSON, in uncompressed text frames.
        last_sent_s: when it was last sent anything, monotonic seconds.
        due_ms: when an audience with an interval may next be sent a delta, monotonic milliseconds.
    """

    __slots__ = ("_recipients", "at", "channel", "due_ms", "head", "is_plain", "last_sent_s", "members", "options")

    def __init__(self, channel: Channel, options: DeliveryOptions, at: At) -> None:
        self.channel = channel
        self.options = options
        self.at = at
        self.head = delta_head(channel.name, options.encoding)
        self.is_plain = options.encoding is JSON and options.framing == TEXT and not options.interval_ms
        self.due_ms = 0.0
        self.last_sent_s = 0.0
        self.members: dict[R, None] = {}
        self._recipients: Recipients[R] | None = None

    def join(self, session: R) -> None:
        """Add a session that is at the audience's position."""
        self.members[session] = None
        self._recipients = None

    def leave(self, session: R) -> None:
        """Remove a session. No-op if it is not a member."""
        if session in self.members:
            del self.members[session]
            self._recipients = None

    @property
    def recipients(self) -> Recipients[R]:
        """The members; the same object until one joins or leaves."""
        recipients = self._recipients
        if recipients is None:
            recipients = self._recipients = Recipients.of(self.members)
        return recipients
