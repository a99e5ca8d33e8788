"""All sessions of a gateway: requests, limits, heartbeats. The dispatcher sends them what changes."""

from __future__ import annotations

import random
from math import ceil
from typing import TYPE_CHECKING

from oddsengine.gateway.access.rate_limits import Bucket
from oddsengine.gateway.fanout.session import Session
from oddsengine.gateway.hub.counters import HubCounters
from oddsengine.gateway.hub.dispatcher import Dispatcher
from oddsengine.gateway.hub.staleness import StalenessMonitor
from oddsengine.gateway.hub.subscribing import Refusal, resolve
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.client_messages import Ping, Subscribe, Unsubscribe
from oddsengine.gateway.protocol.codes import Close, ErrorCode
from oddsengine.gateway.protocol.encoders import JSON, Encoding
from oddsengine.gateway.protocol.framing import TEXT, Framing
from oddsengine.streams.positions import write_at

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.protocol.client_messages import ClientMessage, RequestId
    from oddsengine.gateway.state.replica import Replica


class Hub:
    """All sessions of one gateway process.

    Args:
        replica: what is published.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        heartbeat_ms: how long a session may hear nothing.
        profile: the profile whose prices are shown to those whose token names none.
        slow_client_timeout_s: how long a socket may take nothing of what is written to it.
        history_ms: how long what was on offer is remembered.
        stale_suspend_after_s: how long after the last sign of its owner a shard's markets are shown as suspended; 0: never.
    """

    def __init__(
        self,
        replica: Replica,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        *,
        heartbeat_ms: int = 5000,
        profile: str | None = None,
        slow_client_timeout_s: float = 30.0,
        history_ms: int = 0,
        stale_suspend_after_s: float = 0.0,
    ) -> None:
        self.replica = replica
        self.counters = HubCounters()
        self.dispatcher = Dispatcher(
            replica,
            self.counters,
            clock,
            now_ms,
            slow_client_timeout_s=slow_client_timeout_s,
            history_ms=history_ms,
        )
        #: what the followers tell
        self.staleness = StalenessMonitor(self.dispatcher, clock, now_ms, stale_suspend_after_s=stale_suspend_after_s)
        self.heartbeat_ms = heartbeat_ms
        self._clock = clock
        self.now_ms = now_ms
        self._profile = profile
        self._ids = random.SystemRandom()
        self.sessions: dict[Session, None] = {}
        #: sessions still to be looked at in this round of heartbeats
        self._round: dict[Session, None] = {}

    def new_id(self) -> str:
        """Make an id for a session, different from all others in all gateways."""
        return f"{self._ids.getrandbits(64):016x}"

    def open(
        self,
        transport: asyncio.Transport,
        access: Access | None = None,
        encoding: Encoding = JSON,
        framing: Framing = TEXT,
        session_id: str | None = None,
    ) -> Session:
        """Begin a session and welcome it; without access it has to say who it is first."""
        session = Session(session_id or self.new_id(), transport, encoding, framing)
        self.sessions[session] = None
        self.counters.opened += 1
        if access is not None:
            self.grant(session, access)
        welcome = {"version": 1, "session": session.session_id, "heartbeat_ms": self.heartbeat_ms}
        self._send(session, "welcome", welcome)
        return session

    def grant(self, session: Session, access: Access) -> None:
        """Let a session do what somebody may; channels it may no longer hear are taken from it."""
        session.access = access
        rate = access.limits.messages_per_s
        session.messages = Bucket(rate, max(1.0, 2 * rate)) if rate else None
        for name in [name for name in session.subscriptions if not access.may_subscribe(name)]:
            self.dispatcher.leave(session, name)
            self.refuse(session, ErrorCode.FORBIDDEN, f"{name} is not granted any more")

    def authenticated(self, session: Session, request: RequestId) -> None:
        """Tell a client that its token is good, and for how long."""
        expires_s = session.access.expires_s if session.access is not None else None
        self._send(session, "authenticated", {"id": request, "expires_ms": expires_s and round(expires_s * 1000)})

    def close(self, session: Session) -> None:
        """Forget a session whose socket is gone."""
        session.is_open = False
        self.sessions.pop(session, None)
        self._round.pop(session, None)
        self.dispatcher.forget(session)

    def handle(self, session: Session, request: ClientMessage) -> None:
        """Do what a client asked for and answer it."""
        if isinstance(request, Subscribe):
            self._subscribe(session, request)
        elif isinstance(request, Unsubscribe):
            for name in request.channels:
                self.dispatcher.leave(session, name)
            self._send(session, "unsubscribed", {"id": request.id, "channels": request.channels})
        elif isinstance(request, Ping):
            self._send(session, "pong", {"id": request.id})

    def refuse(self, session: Session, code: ErrorCode, text: str, request: RequestId = None) -> None:
        """Tell a client that what it sent can't be done, and why."""
        self._send(session, "error", {"id": request, "code": code, "message": text})

    def send_goaway(self, session: Session, reason: str, reconnect_ms: int) -> None:
        """Tell a client that it will be disconnected, and when to come back."""
        self._send(session, "bye", {"reason": reason, "reconnect_ms": reconnect_ms})

    def profile_of(self, access: Access) -> str | None:
        """Name the profile whose prices somebody sees; None for the first."""
        return access.profile if access.profile is not None else self._profile

    def _subscribe(self, session: Session, request: Subscribe) -> None:
        access = session.access
        assert access is not None  # noqa: S101 - nobody gets here without
        subscribed = resolve(request, session, self.replica, self.profile_of(access))
        refusals = [subscribed] if isinstance(subscribed, Refusal) else subscribed.refusals
        for code, text in refusals:
            self.counters.over_limit += code is ErrorCode.OVER_LIMIT
            self.refuse(session, code, text, request.id)
        if isinstance(subscribed, Refusal) or not subscribed.channels:
            return
        names = [channel.name for channel, _ in subscribed.channels]
        self._send(session, "subscribed", {"id": request.id, "channels": names, "resumed": subscribed.resumed})
        for channel, at in subscribed.channels:
            self.dispatcher.join(session, channel, subscribed.options, at)

    def sweep(self) -> None:
        """Look after those who are late: stale shards, slow sessions, audiences whose interval is over; call every few ms."""
        self.staleness.watch()
        self.dispatcher.sweep()

    def heartbeat(self, share: float = 1.0) -> None:
        """Give a sign of life to every session that heard nothing for the heartbeat time, and end those whose token has ended.

        Args:
            share: how many of all sessions to look at in this call, in turn; all of them should be within a second.
        """
        now_s, ts = self._clock(), self.now_ms()
        current = write_at(self.dispatcher.safe)
        ready: dict[tuple[Encoding, Framing, bool], bytes] = {}
        if not self._round:
            self._round = dict(self.sessions)
        for _ in range(min(ceil(len(self.sessions) * share), len(self._round))):
            session, _ = self._round.popitem()
            access = session.access
            if access is not None and access.expires_s is not None and access.expires_s * 1000 <= ts:
                self.counters.expired += 1
                session.end(Close.UNAUTHORISED, "token expired")
            elif (now_s - session.last_told_s) * 1000 >= self.heartbeat_ms and session not in self.dispatcher.late.behind:
                paced = any(subscription.audience.options.interval_ms for subscription in session.subscriptions.values())
                kind = session.encoding, session.framing, bool(session.subscriptions)
                framed = None if paced else ready.get(kind)
                if framed is None:
                    at = write_at(self.dispatcher.position(session)) if paced else current
                    payload = encoders.message("heartbeat", {"at": at, "ts": ts}, session.encoding)
                    framed = session.framing.wrap(payload, at=at if session.subscriptions else None)
                    if not paced:
                        ready[kind] = framed
                self.dispatcher.write([session], framed)
        self.dispatcher.settle()

    def _send(self, session: Session, op: str, fields: Mapping[str, object]) -> None:
        session.tell(op, fields, self._clock())
