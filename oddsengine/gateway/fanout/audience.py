"""An audience: all who want the same channel, in the same profile and format, at the same pace; they share one frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.gateway.fanout.broadcast import Recipients
from oddsengine.gateway.protocol.encoders import JSON, Encoding, delta_head
from oddsengine.gateway.protocol.framing import Framing

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.state.replica import At, Channel


class DeliveryOptions(NamedTuple):
    """What tells audiences of one channel apart.

    The profile (None: the first), the odds format, the pace in milliseconds, the encoding, and how it is framed.
    """

    profile: str | None
    odds_format: str
    interval_ms: int
    encoding: Encoding = JSON
    framing: Framing = Framing()


class Audience:
    """The subscriptions that are at the audience's position.

    `at` is what all its members have, `head` what all its deltas begin with. A member that falls behind leaves it and comes
    back once it has caught up. `told_s` is when they were last told anything (monotonic seconds), `due_ms` when one with an
    interval may next be (monotonic milliseconds).
    """

    __slots__ = ("_recipients", "at", "channel", "due_ms", "head", "members", "options", "told_s")

    def __init__(self, channel: Channel, options: DeliveryOptions, at: At) -> None:
        self.channel = channel
        self.options = options
        self.at = at
        self.head = delta_head(channel.name, options.encoding)
        self.due_ms = 0.0
        self.told_s = 0.0
        self.members: dict[Session, None] = {}
        self._recipients: Recipients | None = None

    def join(self, session: Session) -> None:
        """Make a session that is at the audience's position a member."""
        self.members[session] = None
        self._recipients = None

    def leave(self, session: Session) -> None:
        """Let a session go, if it is a member."""
        if session in self.members:
            del self.members[session]
            self._recipients = None

    @property
    def recipients(self) -> Recipients:
        """List its members; the same list until one joins or leaves."""
        recipients = self._recipients
        if recipients is None:
            recipients = self._recipients = Recipients.of(self.members)
        return recipients
