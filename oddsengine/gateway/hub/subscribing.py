"""What a subscription asks for, held against what is on offer, what its session may hear and from where it can resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.domain.formats import FORMATS
from oddsengine.gateway.fanout.audience import DeliveryOptions
from oddsengine.gateway.protocol.client_messages import INTERVAL_CLASSES_MS
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.state.replica import At, Channel, UnknownChannel
from oddsengine.streams.positions import ORIGIN, read_at

if TYPE_CHECKING:
    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.protocol.client_messages import Subscribe
    from oddsengine.gateway.state.replica import Replica


class Refusal(NamedTuple):
    """What a client can't have, and why."""

    code: ErrorCode
    text: str


class Subscribed(NamedTuple):
    """What a client gets: its channels, each with the position from which it goes on (None: a snapshot), and how told."""

    channels: list[tuple[Channel, At | None]]
    options: DeliveryOptions
    refusals: list[Refusal]

    @property
    def resumed(self) -> bool:
        """Whether every channel goes on from where the client was."""
        return all(at is not None for _, at in self.channels)


def resolve(request: Subscribe, session: Session, replica: Replica, profile: str | None) -> Subscribed | Refusal:
    """Find out what a session gets of what it asks for; one bad name takes down nobody.

    Args:
        request: what it asks for.
        session: who asks; it has said who it is.
        replica: what is published.
        profile: whose prices it sees.
    """
    if request.format not in FORMATS:
        return Refusal(ErrorCode.UNSUPPORTED_FORMAT, f"no format {request.format!r}; the formats are {', '.join(FORMATS)}")
    resume: At = {}
    if request.resume is not None:
        try:
            resume = read_at(request.resume)
        except ValueError:
            return Refusal(ErrorCode.BAD_REQUEST, "resume: not an `at` of this service")
    channels: list[tuple[Channel, At | None]] = []
    refusals: list[Refusal] = []
    new = 0
    for name in request.channels:
        is_new = name not in session.subscriptions
        channel = _granted(name, session, replica, new if is_new else None)
        if isinstance(channel, Refusal):
            refusals.append(channel)
            continue
        new += is_new
        # A shut shard has no position; where it was shut it may have been shown otherwise than here.
        knows_where = all(resume.get(shard, ORIGIN) != ORIGIN for shard in channel.shards)
        can_go_on = knows_where and (replica.covers(channel, resume) or replica.is_ahead(channel, resume))
        channels.append((channel, {shard: resume[shard] for shard in channel.shards} if can_go_on else None))
    interval_ms = next(step for step in INTERVAL_CLASSES_MS if step >= request.min_interval_ms)
    options = DeliveryOptions(profile, request.format, interval_ms, session.encoding, session.framing)
    return Subscribed(channels, options, refusals)


def _granted(name: str, session: Session, replica: Replica, new: int | None) -> Channel | Refusal:
    """Find a channel that a session may hear; `new` is how many it gets already beside those it has, None if it has this one."""
    access = session.access
    assert access is not None  # noqa: S101 - nobody gets here without
    if not access.may_subscribe(name):
        return Refusal(ErrorCode.FORBIDDEN, f"{name!r} is not granted")
    most = access.limits.channels
    if most and new is not None and len(session.subscriptions) + new >= most:
        return Refusal(ErrorCode.OVER_LIMIT, f"{name!r}: a session has at most {most} channels")
    try:
        return replica.channel(name)
    except UnknownChannel as error:
        return Refusal(ErrorCode.UNKNOWN_CHANNEL, str(error))
