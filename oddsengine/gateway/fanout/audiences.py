"""All audiences there are: found by channel and options, made when somebody joins, dropped when the last one leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.gateway.fanout.audience import Audience

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.gateway.fanout.audience import DeliveryOptions
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.state.replica import Channel, Replica


class Audiences:
    """The audiences of one gateway process.

    Args:
        replica: what is published; a new audience begins at its present position.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.by_channel: dict[str, dict[DeliveryOptions, Audience]] = {}
        #: those that are told at intervals
        self.paced: dict[Audience, None] = {}
        #: while a flush is on its way: who joined or left an audience meanwhile, so that it is not for them any more
        self.moved: set[Session] | None = None
        #: how many channels of single markets there are: mostly none, and then no change has to be looked up in them
        self.market_channels = 0

    def __len__(self) -> int:
        return len(self.by_channel)

    def __iter__(self) -> Iterator[Audience]:
        """Give every audience there is now, whatever happens to them meanwhile."""
        return iter([audience for audiences in self.by_channel.values() for audience in audiences.values()])

    def get(self, channel: Channel, options: DeliveryOptions) -> Audience:
        """Find an audience, or make it."""
        audiences = self.by_channel.get(channel.name)
        if audiences is None:
            audiences = self.by_channel[channel.name] = {}
            self.market_channels += channel.name.startswith("market:")
        audience = audiences.get(options)
        if audience is None:
            audience = audiences[options] = Audience(channel, options, self._replica.at(channel))
            if options.interval_ms:
                self.paced[audience] = None
        return audience

    def join(self, session: Session, audience: Audience) -> None:
        """Make a session that is at the audience's position a member."""
        audience.join(session)
        if self.moved is not None:
            self.moved.add(session)

    def lose(self, session: Session, audience: Audience) -> None:
        """Take a session that falls behind out of its audience, which waits for it."""
        audience.leave(session)
        if self.moved is not None:
            self.moved.add(session)

    def leave(self, session: Session, audience: Audience) -> None:
        """Take a session out of its audience, and drop that if nobody is left in it; who is behind finds another one."""
        self.lose(session, audience)
        name = audience.channel.name
        audiences = self.by_channel.get(name)
        if audience.members or audiences is None or audiences.get(audience.options) is not audience:
            return
        del audiences[audience.options]
        self.paced.pop(audience, None)
        if not audiences:
            del self.by_channel[name]
            self.market_channels -= name.startswith("market:")
