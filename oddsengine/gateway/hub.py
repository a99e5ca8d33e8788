"""Who is told what: audiences by channel, one encoding for all of an audience, and nobody waits for a slow client.

Everything here runs in the event loop without awaiting: changes are applied, encoded and written in one go, so a
session's position is always exactly what was written to it. A client whose socket is full leaves its audiences and
stays at its position; once it drains it gets one diff and is up to date. Its cost meanwhile is that one position.
"""

from __future__ import annotations

import asyncio
import random
from itertools import repeat
from math import ceil, inf
from typing import TYPE_CHECKING

from oddsengine.books.merge import merged
from oddsengine.gateway import encode
from oddsengine.gateway.audiences import Audiences
from oddsengine.gateway.broadcast import Broadcast, Roster
from oddsengine.gateway.codes import Close, ErrorCode
from oddsengine.gateway.counters import HubCounters
from oddsengine.gateway.encode import JSON, Encoding
from oddsengine.gateway.flush import Flush
from oddsengine.gateway.framing import TEXT, Framing
from oddsengine.gateway.history import PriceHistory
from oddsengine.gateway.limits import Bucket
from oddsengine.gateway.messages import Ping, Subscribe, Unsubscribe
from oddsengine.gateway.pace import Pace
from oddsengine.gateway.renderings import Renderings
from oddsengine.gateway.session import Session, Subscription
from oddsengine.gateway.subscribing import Refusal, resolve
from oddsengine.streams.positions import ORIGIN, write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oddsengine.books.changes import Batch, Changes
    from oddsengine.gateway.access import Access
    from oddsengine.gateway.audience import Audience, Taste
    from oddsengine.gateway.messages import ClientMessage, RequestId
    from oddsengine.gateway.replica import At, Channel, Replica


class Hub:
    """All sessions of one gateway process; it listens to the followers (`oddsengine.streams.follower.Listener`).

    Args:
        replica: what is published.
        clock: monotonic seconds.
        now_ms: the wall clock, Unix milliseconds.
        heartbeat_ms: how long a session may hear nothing.
        profile: the profile whose prices are shown to those whose token names none.
        stalled_s: how long a socket may take nothing of what is written to it.
        history_ms: how long what was on offer is remembered.
        suspend_stale_s: after how long a stale shard's markets are shown as suspended; 0: never.
    """

    def __init__(
        self,
        replica: Replica,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        *,
        heartbeat_ms: int = 5000,
        profile: str | None = None,
        stalled_s: float = 30.0,
        history_ms: int = 0,
        suspend_stale_s: float = 0.0,
    ) -> None:
        self.replica = replica
        self.counters = HubCounters()
        self.history = PriceHistory(history_ms)
        self.heartbeat_ms = heartbeat_ms
        self._clock = clock
        self.now_ms = now_ms
        self._profile = profile
        self._stalled_s = stalled_s
        self._suspend_stale_s = suspend_stale_s
        self._ids = random.SystemRandom()
        self.sessions: dict[Session, None] = {}
        self.audiences = Audiences(replica)
        self._behind: dict[Session, None] = {}
        self._renderings = Renderings(replica, now_ms)
        #: sessions still to be looked at in this round of heartbeats
        self._round: dict[Session, None] = {}
        #: sessions whose socket was found full in what is being written now
        self._overfull: list[Session] = []
        #: what of each shard has been told to those without an interval
        self._told = replica.at()
        #: what all who have no interval certainly have: of a flush that is on its way, what was told before it
        self._safe = dict(self._told)
        self._broadcast: Broadcast | None = None
        #: when the suspensions of the flush on its way were published, Unix milliseconds; None if it has none
        self._suspending_ms: int | None = None
        self.pace = Pace(self._clock, self._go_on)
        #: what was applied to shards and not told yet; while a flush is on its way it waits
        self._waiting: dict[int, list[Batch]] = {}

    # -- sessions -------------------------------------------------------------------------------------------------

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
        for name in [name for name in session.subscriptions if not access.may_hear(name)]:
            self.audiences.leave(session, session.subscriptions.pop(name).audience)
            self.refuse(session, ErrorCode.FORBIDDEN, f"{name} is not granted any more")

    def authenticated(self, session: Session, request: RequestId) -> None:
        """Tell a client that its token is good, and for how long."""
        expires_s = session.access.expires_s if session.access is not None else None
        self._send(session, "authenticated", {"id": request, "expires_ms": expires_s and round(expires_s * 1000)})

    @property
    def is_busy(self) -> bool:
        """Whether a flush is on its way or waits, or some session has not taken all that was written to it."""
        return self._broadcast is not None or bool(self._waiting) or bool(self._behind)

    def close(self, session: Session) -> None:
        """Forget a session whose socket is gone."""
        self.sessions.pop(session, None)
        self._behind.pop(session, None)
        self._round.pop(session, None)
        for subscription in session.subscriptions.values():
            self.audiences.leave(session, subscription.audience)
        session.subscriptions.clear()

    def handle(self, session: Session, request: ClientMessage) -> None:
        """Do what a client asked for and answer it."""
        if isinstance(request, Subscribe):
            self._subscribe(session, request)
        elif isinstance(request, Unsubscribe):
            for name in request.channels:
                subscription = session.subscriptions.pop(name, None)
                if subscription is not None:
                    self.audiences.leave(session, subscription.audience)
            self._send(session, "unsubscribed", {"id": request.id, "channels": request.channels})
        elif isinstance(request, Ping):
            self._send(session, "pong", {"id": request.id})

    def refuse(self, session: Session, code: ErrorCode, text: str, request: RequestId = None) -> None:
        """Tell a client that what it sent can't be done, and why."""
        self._send(session, "error", {"id": request, "code": code, "message": text})

    def farewell(self, session: Session, reason: str, reconnect_ms: int) -> None:
        """Tell a client that it will be disconnected, and when to come back."""
        self._send(session, "bye", {"reason": reason, "reconnect_ms": reconnect_ms})

    def profile_of(self, access: Access) -> str | None:
        """Name the profile whose prices somebody sees; None for the first."""
        return access.profile if access.profile is not None else self._profile

    # -- subscribing ----------------------------------------------------------------------------------------------

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
            self._join(session, channel, subscribed.taste, at)

    def _join(self, session: Session, channel: Channel, taste: Taste, resume: At | None) -> None:
        previous = session.subscriptions.pop(channel.name, None)
        if previous is not None:
            self.audiences.leave(session, previous.audience)
        audience = self.audiences.get(channel, taste)
        subscription = session.subscriptions[channel.name] = Subscription(audience)
        if resume is None:
            # An audience with an interval stays where its other members are: it may tell this one again what it knows.
            self._send_snapshot([session], audience)
            self.audiences.join(session, audience)
        else:
            self.counters.resumed += 1
            subscription.at = resume
            self._catch_up(session, subscription)
        self._tell_health(session, subscription)
        if session.backlog():
            self._overfull.append(session)
        self._settle()

    # -- what the followers tell ----------------------------------------------------------------------------------

    def changed(self, shard: int, batches: list[Batch]) -> None:
        """Tell every audience of what has just been applied to a shard."""
        for batch in batches:
            self.history.note(batch)
        if shard in self.replica.shut:
            self._reopen(shard)
            return
        waiting = self._waiting.get(shard)
        if waiting is not None:
            waiting += batches
            return
        self._waiting[shard] = batches
        if self.pace.is_much(sum([len(batch.markets) for batch in batches])):
            asyncio.get_running_loop().call_soon(self.history.settle)
            self.pace.give_way()
        elif self._broadcast is None:
            self._flush(shard)

    def _flush(self, shard: int) -> None:
        """Tell what changed in a shard since it was last told."""
        batches = self._waiting.pop(shard)
        offer = self.replica.offers[shard]
        told = self._told[shard]
        if not offer.has_diff_since(told.epoch, told.seq):
            self.replaced(shard)
            return
        # The batches say it themselves, unless the snapshot knew some of it before them.
        are_all_news = told.seq + len(batches) == offer.seq and told.seq >= offer.horizon
        changes = merged(batches) if are_all_news else offer.changes_since(told.seq)
        self._told[shard] = self.replica.position(shard)
        if changes:
            self._suspending_ms = batches[0].ts_ms if changes.urgent else None
            self._tell_all(shard, changes, batches[-1].ts_ms)
        else:
            self._safe[shard] = self._told[shard]

    def _go_on(self) -> None:
        """Write the next slice of the flush that is on its way; after the last one, what changed meanwhile."""
        broadcast = self._broadcast
        if broadcast is not None:
            if not broadcast.advance(self._clock, self.pace.stretch_s):
                self.pace.give_way()
                return
            self._finished(broadcast)
        # Also where somebody had to hurry and the flush is over by now: what waited for it must not wait for another change.
        while self._waiting and self._broadcast is None:
            self._flush(next(iter(self._waiting)))

    def _hurry(self) -> None:
        """Write all that is left of the flush that is on its way, before something that may not come in between."""
        if self._broadcast is not None and self._broadcast.advance(self._clock, inf):
            self._finished(self._broadcast)

    def _finished(self, broadcast: Broadcast) -> None:
        self._broadcast = self.audiences.moved = None
        if self._suspending_ms is not None:
            self._note_suspension((self.now_ms() - self._suspending_ms) / 1000)
        # Those it passed over are where they were before it, the others where it took them.
        self._fall_behind(broadcast.missed)
        self._safe = dict(self._told)
        self._overfull += broadcast.overfull
        self._settle()

    def replaced(self, shard: int) -> None:
        """Send everyone who draws from a shard its channel anew: earlier positions have no diff to this one."""
        self._hurry()
        self._waiting.pop(shard, None)
        self._told[shard] = self._safe[shard] = self.replica.position(shard)
        self.history.forget()
        for audience in self.audiences:
            if shard in audience.channel.shards:
                audience.at = self.replica.at(audience.channel)
                self._send_snapshot(list(audience.members), audience)
        self._settle()

    def went_stale(self, shard: int) -> None:
        """Warn everyone who draws from a shard."""
        self.replica.stale_since[shard] = self.now_ms()
        self._announce("stale", shard, {"since": self.replica.stale_since[shard]})

    def went_live(self, shard: int) -> None:
        """Give the all-clear to everyone who draws from a shard."""
        self.replica.stale_since.pop(shard, None)
        self._announce("live", shard, {})
        if shard in self.replica.shut:
            self._reopen(shard)

    def _watch_stale(self) -> None:
        """Show the markets of a shard as suspended once it has been stale for the configured time."""
        now_ms = self.now_ms()
        for shard, since_ms in self.replica.stale_since.items():
            late = self._suspend_stale_s and since_ms and now_ms - since_ms > self._suspend_stale_s * 1000
            if late and shard not in self.replica.shut:
                self._hurry()
                closing = self.replica.closing(shard)
                self.replica.shut.add(shard)
                self._forget_positions(shard)
                if closing:
                    self._tell_all(shard, closing, now_ms)

    def _reopen(self, shard: int) -> None:
        """Show a shard's markets as they are again."""
        self.replica.shut.discard(shard)
        self._forget_positions(shard)
        self.replaced(shard)

    def _forget_positions(self, shard: int) -> None:
        """Make everyone who is to catch up on a shard get a snapshot: what was shown of it was not what it was."""
        self._told[shard] = self._safe[shard] = self.replica.position(shard)
        for session in self._behind:
            for subscription in session.subscriptions.values():
                if subscription.at is not None and shard in subscription.at:
                    subscription.at[shard] = ORIGIN
        for audience in self.audiences:
            if shard in audience.at:
                audience.at[shard] = ORIGIN

    def _announce(self, op: str, shard: int, fields: dict[str, object]) -> None:
        self._hurry()
        for audience in self.audiences:
            if shard in audience.channel.shards:
                name, taste = audience.channel.name, audience.taste
                payload = encode.message(op, {"channel": name, **fields}, taste.encoding)
                self._tell(audience, taste.framing.wrap(payload))
                for session in audience.members:
                    session.subscriptions[name].told_stale = op == "stale"
        self._settle()

    def _tell_health(self, session: Session, subscription: Subscription) -> None:
        """Tell one session what the others of its audience were told while it was not there to hear."""
        channel = subscription.audience.channel
        since = self.replica.is_stale(channel)
        if (since is not None) == subscription.told_stale:
            return
        subscription.told_stale = since is not None
        news = {"channel": channel.name} if since is None else {"channel": channel.name, "since": since}
        self._send(session, "live" if since is None else "stale", news)

    # -- telling --------------------------------------------------------------------------------------------------

    def _tell_all(self, shard: int, changes: Changes, ts_ms: int) -> None:
        """Begin to write a flush to every audience without an interval, and write its suspensions to those with one."""
        flush = Flush(self.replica.offers[shard], changes, self.audiences, ts_ms)
        positions: dict[tuple[int, ...], str] = {}
        due: list[tuple[Audience, bytes]] = []
        counters, now_s = self.counters, self._clock()
        for name in flush.channels():
            for audience in self.audiences.by_channel[name].values():
                taste = audience.taste
                if taste.interval_ms:
                    before = write_at(audience.at)
                    urgent = flush.urgent(audience, before)
                    if urgent is not None:
                        self._tell(audience, taste.framing.wrap(urgent, before))
                    continue
                shards = audience.channel.shards
                at = positions.get(shards)
                if at is None:
                    # Not the replica's: it may have more of other shards than has been told.
                    at = positions[shards] = write_at({each: self._told[each] for each in shards})
                framed = taste.framing.wrap(flush.delta(audience, at), at)
                due.append((audience, framed))
                members = len(audience.members)
                audience.told_s = now_s
                counters.deltas += flush.market_count(name) * members
                counters.frames += members
                counters.bytes += len(framed) * members
        self._settle()
        moved = self.audiences.moved = set()
        if len(due) == 1:
            ((audience, framed),) = due
            self._broadcast = Broadcast(audience.roster, repeat(framed), moved)
        else:
            gathered = _gathered(due)
            self._broadcast = Broadcast(Roster.of(gathered), map(b"".join, gathered.values()), moved)
        if self.pace.is_much(len(changes.markets)):
            self.pace.give_way()
        else:
            self._go_on()

    def _note_suspension(self, seconds: float) -> None:
        counters = self.counters
        counters.suspended += 1
        counters.suspended_s += seconds
        counters.suspended_worst_s = max(counters.suspended_worst_s, seconds)
        self._suspending_ms = None

    def _tell(self, audience: Audience, framed: bytes) -> None:
        """Write a ready frame to every member of an audience at once."""
        audience.told_s = self._clock()
        self._write(list(audience.members), framed)

    def _send_snapshot(self, sessions: list[Session], audience: Audience) -> None:
        for framed in self._renderings.snapshot(audience):
            self._write(sessions, framed)
        self.counters.snapshots += len(sessions)

    def _write(self, sessions: list[Session], framed: bytes) -> None:
        """Write a ready frame to these sessions; those that do not keep up fall behind."""
        now_s = self._clock()
        self.counters.frames += len(sessions)
        self.counters.bytes += len(framed) * len(sessions)
        for session in sessions:
            session.write(framed)
            session.last_sent_s = now_s
            if session.backlog():
                self._overfull.append(session)

    def _send(self, session: Session, op: str, fields: Mapping[str, object], at: str | None = None) -> None:
        session.send(encode.message(op, fields, session.encoding), at)
        session.last_sent_s = self._clock()

    # -- the slow ones --------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Take those whose sockets are full out of their audiences; only once all frames of a flush are written.

        Until then a session would lose what its other channels are still to be told of the same flush.
        """
        self._fall_behind(self._overfull)
        self._overfull.clear()

    def _fall_behind(self, sessions: list[Session]) -> None:
        for session in sessions:
            if session not in self.sessions:
                continue
            if session not in self._behind:
                self._behind[session] = None
                session.backlog_seen, session.progress_s = session.backlog(), self._clock()
                self.counters.fell_behind += bool(session.backlog_seen)
            for subscription in session.subscriptions.values():
                if subscription.at is None:
                    audience = subscription.audience
                    subscription.at = self._position_of(audience)
                    self.audiences.lose(session, audience)

    def _position_of(self, audience: Audience) -> At:
        """Tell what the members of an audience have: all that was told, unless they are told at intervals."""
        return audience.at if audience.taste.interval_ms else {shard: self._safe[shard] for shard in audience.channel.shards}

    def sweep(self) -> None:
        """Bring those that have drained up to date, and tell audiences whose interval is over; call every few ms."""
        self.history.settle()
        for session in list(self._behind):
            backlog = session.backlog()
            if session.transport.is_closing():
                self._behind.pop(session, None)
            elif backlog:
                self._watch_progress(session, backlog)
            else:
                self._behind.pop(session, None)
                for subscription in session.subscriptions.values():
                    if subscription.at is not None:
                        self._catch_up(session, subscription)
        self._settle()
        now_ms = self._clock() * 1000
        for audience in list(self.audiences.paced):
            if audience.due_ms <= now_ms:
                audience.due_ms = now_ms + audience.taste.interval_ms
                self._tell_since(audience)
        self._settle()

    def _watch_progress(self, session: Session, backlog: int) -> None:
        """Hang up on a client that has taken nothing for too long."""
        now_s = self._clock()
        if backlog < session.backlog_seen:
            session.backlog_seen, session.progress_s = backlog, now_s
        elif now_s - session.progress_s > self._stalled_s:
            self.counters.stalled += 1
            self._behind.pop(session, None)
            session.end(Close.OVERLOADED, "not reading")

    def _catch_up(self, session: Session, subscription: Subscription) -> None:
        """Bring one subscription from its own position to the present with one message, and back into its audience."""
        at = subscription.at
        assert at is not None  # noqa: S101 - only those behind have one
        audience = subscription.audience = self.audiences.get(subscription.audience.channel, subscription.audience.taste)
        if not self.replica.covers(audience.channel, at):
            if self.replica.is_ahead(audience.channel, at):
                self._behind[session] = None  # what it has seen elsewhere has not come here yet
                return
            self._send_snapshot([session], audience)
        else:
            payload = self._renderings.diff(audience, at)
            if payload is not None:
                self._write([session], audience.taste.framing.wrap(payload, write_at(self.replica.at(audience.channel))))
            self.counters.catch_ups += 1
        subscription.at = None
        self.audiences.join(session, audience)
        self._tell_health(session, subscription)

    def _tell_since(self, audience: Audience) -> None:
        if not self.replica.covers(audience.channel, audience.at):
            audience.at = self.replica.at(audience.channel)
            self._send_snapshot(list(audience.members), audience)
            return
        payload = self._renderings.diff(audience, audience.at)
        audience.at = self.replica.at(audience.channel)
        if payload is not None:
            self._tell(audience, audience.taste.framing.wrap(payload, write_at(audience.at)))

    def heartbeat(self, share: float = 1.0) -> None:
        """Give a sign of life to every session that heard nothing for the heartbeat time, and end those whose token has ended.

        Args:
            share: how many of all sessions to look at in this call, in turn; all of them should be within a second.
        """
        self._watch_stale()
        now_s, ts = self._clock(), self.now_ms()
        current = write_at(self._safe)
        ready: dict[tuple[Encoding, Framing, bool], bytes] = {}
        if not self._round:
            self._round = dict(self.sessions)
        for _ in range(min(ceil(len(self.sessions) * share), len(self._round))):
            session, _ = self._round.popitem()
            access = session.access
            if access is not None and access.expires_s is not None and access.expires_s * 1000 <= ts:
                self.counters.expired += 1
                session.end(Close.UNAUTHORISED, "token expired")
            elif (now_s - self._last_told_s(session)) * 1000 >= self.heartbeat_ms and session not in self._behind:
                paced = any(subscription.audience.taste.interval_ms for subscription in session.subscriptions.values())
                kind = session.encoding, session.framing, bool(session.subscriptions)
                framed = None if paced else ready.get(kind)
                if framed is None:
                    at = write_at(self._oldest(session)) if paced else current
                    payload = encode.message("heartbeat", {"at": at, "ts": ts}, session.encoding)
                    framed = session.framing.wrap(payload, at if session.subscriptions else None)
                    if not paced:
                        ready[kind] = framed
                self._write([session], framed)
        self._settle()

    def _last_told_s(self, session: Session) -> float:
        """Tell when a session that keeps up last heard something, by itself or with an audience."""
        return max([session.last_sent_s, *(each.audience.told_s for each in session.subscriptions.values())])

    def _oldest(self, session: Session) -> At:
        """Give the position from which a session can resume all its channels."""
        at = dict(self._safe)
        for subscription in session.subscriptions.values():
            for shard, position in self._position_of(subscription.audience).items():
                at[shard] = min(at[shard], position)
        return at


def _gathered(due: list[tuple[Audience, bytes]]) -> dict[Session, list[bytes]]:
    """Put together what is due to each session, so that it goes out in one write: a send costs more than the bytes in it."""
    gathered: dict[Session, list[bytes]] = {}
    for audience, framed in due:
        for session in audience.members:
            frames = gathered.get(session)
            if frames is None:
                gathered[session] = [framed]
            else:
                frames.append(framed)
    return gathered
