"""All audiences of a gateway: found by channel and options, created by the first member, dropped with the last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.fanout.audience import Audience

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import Channel, Replica


class Audiences:
    """The audiences of one gateway process.

    Args:
        replica: what is published; a new audience starts at its current position.
        on_move: called with each session that joins or leaves an audience.
    """

    def __init__(self, replica: Replica, on_move: Callable[[Session], None]) -> None:
        self._replica = replica
        self._on_move = on_move
        self.by_channel: dict[str, dict[DeliveryOptions, Audience[Session]]] = {}
        #: audiences with an interval
        self.paced: dict[Audience[Session], None] = {}
        #: number of channels of single markets: usually none, and then no change has to be looked up in them
        self.market_channels = 0
        #: number of channels of sports and competitions
        self.wide_channels = 0
        #: the options of all audiences that there ever were, each once: equal ones are the same object
        self._options: dict[DeliveryOptions, DeliveryOptions] = {}

    def __iter__(self) -> Iterator[Audience[Session]]:
        """Iterate over the audiences of this moment; they may join and leave meanwhile."""
        return iter([audience for audiences in self.by_channel.values() for audience in audiences.values()])

    def get(self, channel: Channel, options: DeliveryOptions) -> Audience[Session]:
        """Return an audience; create it if there is none."""
        audiences = self.by_channel.get(channel.name)
        if audiences is None:
            audiences = self.by_channel[channel.name] = {}
            self._count(channel.name, 1)
        audience = audiences.get(options)
        if audience is None:
            options = self._options.setdefault(options, options)
            audience = audiences[options] = Audience(channel, options, self._replica.at(channel))
            if options.interval_ms:
                self.paced[audience] = None
        return audience

    def join(self, session: Session, audience: Audience[Session]) -> None:
        """Add a session that is at the audience's position."""
        audience.join(session)
        self._on_move(session)

    def detach(self, session: Session, audience: Audience[Session]) -> None:
        """Remove a session that falls behind. The audience is kept for its return."""
        audience.leave(session)
        self._on_move(session)

    def leave(self, session: Session, audience: Audience[Session]) -> None:
        """Remove a session for good, and drop an audience without members; a session that is behind recreates it."""
        self.detach(session, audience)
        name = audience.channel.name
        audiences = self.by_channel.get(name)
        if audience.members or audiences is None or audiences.get(audience.options) is not audience:
            return
        del audiences[audience.options]
        self.paced.pop(audience, None)
        if not audiences:
            del self.by_channel[name]
            self._count(name, -1)

    def _count(self, name: str, count: int) -> None:
        if name.startswith("market:"):
            self.market_channels += count
        elif not name.startswith("event:"):
            self.wide_channels += count
