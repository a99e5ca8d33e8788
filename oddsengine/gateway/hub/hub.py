"""All sessions of a gateway: requests, limits and heartbeats. The dispatcher sends them what changes."""

from __future__ import annotations

import random
from math import ceil
from typing import TYPE_CHECKING

from msgspec import UNSET
from msgspec.structs import replace

from oddsengine.common.excerpts import bounded
from oddsengine.gateway.access.rate_limits import Bucket
from oddsengine.gateway.console.channels import PREFIX, ConsoleChannels
from oddsengine.gateway.fanout.counters import GatewayCounters
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.hub.dispatcher import Dispatcher
from oddsengine.gateway.hub.settings import HubSettings
from oddsengine.gateway.hub.staleness import StalenessMonitor
from oddsengine.gateway.hub.subscribing import Refusal, resolve
from oddsengine.gateway.protocol.client_messages import VERSION, Ping, Subscribe, Unsubscribe
from oddsengine.gateway.protocol.codes import Close, ErrorCode
from oddsengine.gateway.protocol.encoders import JSON, Encoding
from oddsengine.gateway.protocol.framing import TEXT, Framing
from oddsengine.gateway.protocol.server_messages import (
    Authenticated,
    Bye,
    Failed,
    Heartbeat,
    Pong,
    Subscribed,
    Unsubscribed,
    Welcome,
)
from oddsengine.streams.positions import encode_at

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Collection, Sequence

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.protocol.chunking import Content
    from oddsengine.gateway.protocol.client_messages import ClientMessage, RequestId
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.protocol.server_messages import ServerMessage
    from oddsengine.gateway.state.price_history import PriceHistory
    from oddsengine.gateway.state.replica import At, Channel, Replica
    from oddsengine.streams.positions import Position


class Hub:
    """All sessions of one gateway process.

    Args:
        replica: what is published.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        settings: what an operator can set.
    """

    def __init__(
        self,
        replica: Replica,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        settings: HubSettings = HubSettings(),  # noqa: B008 - immutable
    ) -> None:
        self.replica = replica
        self.counters = GatewayCounters()
        self._dispatcher = Dispatcher(replica, self.counters, clock, now_ms, settings)
        #: what the followers report to
        self.staleness = StalenessMonitor(self._dispatcher, clock, now_ms, stale_suspend_after_s=settings.stale_suspend_after_s)
        self.console = ConsoleChannels(replica, now_ms, clock, lambda: encode_at(self._dispatcher.delivered))
        self.heartbeat_ms = settings.heartbeat_ms
        self._clock = clock
        self.now_ms = now_ms
        self._profile = settings.profile
        #: the heartbeat time that sessions were told which were opened before it became longer
        self._announced_ms: dict[Session, int] = {}
        #: up to which positions clients without a profile of their own may have seen prices of another one
        self._other_profile_until: At = {}
        self._ids = random.SystemRandom()
        self.sessions: dict[Session, None] = {}
        #: sessions still to be checked in this round of heartbeats
        self._round: dict[Session, None] = {}

    def use(self, settings: HubSettings) -> None:
        """Serve by other settings from now on.

        Clients whose token names no profile get a snapshot of another one: their sessions end, and they can't resume.
        """
        if settings.heartbeat_ms > self.heartbeat_ms:
            # Clients expect one within the time that they were told.
            self._announced_ms |= {session: self.heartbeat_ms for session in self.sessions if session not in self._announced_ms}
        self.heartbeat_ms = settings.heartbeat_ms
        self.staleness.use(settings.stale_suspend_after_s)
        self._dispatcher.use(settings)
        if settings.profile != self._profile:
            self._profile = settings.profile
            self._other_profile_until = self.replica.at()
            for session in list(self.sessions):
                if session.access is not None and session.access.profile is None and session.subscriptions:
                    self.end(session, Close.FORBIDDEN, "another profile")

    def trace_deliveries(self, trace: Callable[[int, Position, int, int], None]) -> None:
        """Call a function with everything that is written to all subscribers; see `Dispatcher`."""
        self._dispatcher.trace = trace

    @property
    def is_busy(self) -> bool:
        """Whether any session is still to be sent something, or has not taken what was written to it."""
        return self._dispatcher.is_busy

    @property
    def subscribed_channels(self) -> Collection[str]:
        """The channels that any session is subscribed to."""
        return self._dispatcher.subscribed_channels

    @property
    def slow_consumers(self) -> int:
        """The number of sessions that are behind their audiences."""
        return self._dispatcher.slow_consumers

    @property
    def history(self) -> PriceHistory:
        """The prices that were on offer a moment ago."""
        return self._dispatcher.history

    def new_id(self) -> str:
        """Create a session id that is unique across all gateways."""
        return f"{self._ids.getrandbits(64):016x}"

    def open(
        self,
        transport: asyncio.Transport,
        access: Access | None = None,
        encoding: Encoding = JSON,
        framing: Framing = TEXT,
        session_id: str | None = None,
    ) -> Session:
        """Open a session and welcome it. Without access it has to authenticate first."""
        return self.add(Session(session_id or self.new_id(), transport, encoding, framing), access)

    def add(self, session: Session, access: Access | None = None) -> Session:
        """Open a session that the caller has made, and welcome it. Without access it has to authenticate first."""
        self.sessions[session] = None
        self.counters.opened += 1
        if access is not None:
            self.grant(session, access)
        self._send(session, Welcome(VERSION, session.session_id, self.heartbeat_ms))
        return session

    def grant(self, session: Session, access: Access) -> None:
        """Set what a session may do, and unsubscribe it from channels that it may no longer see."""
        session.access = access
        rate = access.limits.messages_per_s
        session.messages = Bucket(rate, max(1.0, 2 * rate)) if rate else None
        revoked = tuple(name for name in session.subscriptions if not access.may_subscribe(name))
        for name in revoked:
            self._dispatcher.leave(session, name)
        revoked += self.console.grant(session, access)
        if revoked:
            self.refuse(
                session,
                ErrorCode.FORBIDDEN,
                f"{revoked[0]}{f' and {len(revoked) - 1} more' if len(revoked) > 1 else ''}: not granted any more",
                channels=revoked,
            )

    def authenticated(self, session: Session, request: RequestId) -> None:
        """Confirm a client's token and when it expires."""
        expires_s = session.access.expires_s if session.access is not None else None
        self._send(session, Authenticated(request, None if expires_s is None else round(expires_s * 1000)))

    def end(self, session: Session, code: int, reason: str) -> None:
        """Close a session's socket with a code, and forget the session. No-op if it is closed."""
        if session.is_open:
            self.close(session)
            session.end(code, reason)

    def close(self, session: Session) -> None:
        """Forget a session whose socket is closed."""
        session.is_open = False
        self.sessions.pop(session, None)
        self._round.pop(session, None)
        self._announced_ms.pop(session, None)
        self._dispatcher.forget(session)
        self.console.forget(session)

    def handle(self, session: Session, request: ClientMessage) -> None:
        """Handle a client's request and answer it."""
        if isinstance(request, Subscribe):
            self._subscribe(session, request)
        elif isinstance(request, Unsubscribe):
            names = list(dict.fromkeys(request.channels))
            for name in names:
                self._dispatcher.leave(session, name)
                self.console.leave(session, name)
            self._send(session, Unsubscribed(request.id, names))
        elif isinstance(request, Ping):
            self._send(session, Pong(request.id))

    def refuse(
        self, session: Session, code: ErrorCode, text: str, request: RequestId = None, channels: Sequence[str] = ()
    ) -> None:
        """Send a client an error, with the channels that it is about."""
        self._send(session, Failed(request, code, bounded(text), list(channels) or UNSET))

    def send_goaway(self, session: Session, reason: str, reconnect_ms: int) -> None:
        """Announce to a client that it will be disconnected, and when to reconnect."""
        self._send(session, Bye(reason, reconnect_ms))

    def profile_of(self, access: Access) -> str | None:
        """Return the profile whose prices a client sees; None for the first."""
        return access.profile if access.profile is not None else self._profile

    async def snapshot(self, channel: Channel, options: DeliveryOptions) -> tuple[Content, At]:
        """Encode a whole channel. Return it with its positions. May be cancelled."""
        return await self._dispatcher.snapshot(channel, options)

    def note_http_request(self) -> None:
        """Note an HTTP request: while requests keep coming, flushes yield to them more often.

        What it asks for may be too old by now: this process may have stood still since it looked last.
        """
        self.staleness.watch()
        self._dispatcher.note_http_request()

    def _subscribe(self, session: Session, request: Subscribe) -> None:
        access = session.access
        assert access is not None  # noqa: S101 - the session is authenticated
        of_console = [name for name in request.channels if name.startswith(PREFIX)]
        if of_console:
            refused = self.console.subscribe(session, request.id, of_console, confirms=request.confirm)
            self.counters.refused_channels += refused
            request = replace(request, channels=[name for name in request.channels if not name.startswith(PREFIX)])
            if not request.channels:
                return
        after = self._other_profile_until if access.profile is None else {}
        resolved = resolve(request, session, self.replica, self.profile_of(access), after)
        refusals = [resolved] if isinstance(resolved, Refusal) else resolved.refusals
        for code, text, channels in refusals:
            self.counters.over_limit += code is ErrorCode.OVER_LIMIT
            self.counters.refused_channels += len(channels)
            self.refuse(session, code, text, request.id, channels)
        if isinstance(resolved, Refusal):
            return
        corked = session.cork()
        for resumed, names in resolved.names.items():
            self._send(session, Subscribed(request.id, names, resumed))
        for number, (channel, at) in enumerate(resolved.channels):
            if number == 1:
                # Not more: whether its socket has taken the first channel decides whether it is sent the next.
                self._uncork(session, corked)
            self._dispatcher.join(session, channel, resolved.options, at, confirm=request.confirm)
        if len(resolved.channels) <= 1:
            self._uncork(session, corked)

    def _uncork(self, session: Session, corked: list[bytes]) -> None:
        session.uncork(corked)
        self._dispatcher.detach_slow(session)

    def sweep(self) -> None:
        """Check for stale shards, slow sessions that have drained and intervals that have passed; call every few ms."""
        self.staleness.watch()
        self._dispatcher.sweep()

    def heartbeat(self, share: float = 1.0) -> None:
        """Send a heartbeat to every session that was sent nothing for the heartbeat time; end those with an expired token.

        Args:
            share: the share of all sessions to check in this call, in turn; every session should be checked once a second.
        """
        dispatcher = self._dispatcher
        now_s, ts = self._clock(), self.now_ms()
        current = encode_at(dispatcher.delivered)
        ready: dict[tuple[Encoding, Framing, bool], bytes] = {}
        if not self._round:
            self._round = dict(self.sessions)
        for _ in range(min(ceil(len(self.sessions) * share), len(self._round))):
            session, _ = self._round.popitem()
            access = session.access
            if access is not None and access.expires_s is not None and access.expires_s * 1000 <= ts:
                self.counters.expired += 1
                self.end(session, Close.UNAUTHORISED, "token expired")
            elif (now_s - session.idle_since_s) * 1000 >= self._heartbeat_ms_of(session) and not dispatcher.is_slow(session):
                paced = any(subscription.audience.options.interval_ms for subscription in session.subscriptions.values())
                kind = session.encoding, session.framing, bool(session.subscriptions)
                framed = None if paced else ready.get(kind)
                if framed is None:
                    at = encode_at(dispatcher.resume_position(session)) if paced else current
                    payload = session.encoding.value(Heartbeat(at, ts))
                    framed = session.framing.wrap(payload, at=at if session.subscriptions else None)
                    if not paced:
                        ready[kind] = framed
                dispatcher.write(session, framed)
        dispatcher.detach_slow()

    def _heartbeat_ms_of(self, session: Session) -> int:
        announced_ms = self._announced_ms.get(session) if self._announced_ms else None
        return self.heartbeat_ms if announced_ms is None else min(announced_ms, self.heartbeat_ms)

    def _send(self, session: Session, message: ServerMessage) -> None:
        session.send(message, self._clock())
