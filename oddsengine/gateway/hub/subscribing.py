"""Resolve a subscribe request: what is on offer, what the session may see, and from which position it can resume."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.common.excerpts import echoed
from oddsengine.domain.formats import FORMATS
from oddsengine.gateway.protocol.client_messages import INTERVAL_CLASSES_MS
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.state.replica import At, Channel, UnknownChannel
from oddsengine.streams.positions import ORIGIN, Position, decode_at

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.gateway.fanout.session import Session
    from oddsengine.gateway.protocol.client_messages import Subscribe
    from oddsengine.gateway.state.replica import Replica

_ANY_POSITION: Final[Mapping[int, Position]] = MappingProxyType({})


class Refusal(NamedTuple):
    """The refusal of a whole request of a client, or of some of its channels."""

    code: ErrorCode
    text: str
    channels: tuple[str, ...] = ()


class Resolution(NamedTuple):
    """The subscriptions of a request: channels, each with the position from which it resumes (None: a snapshot)."""

    channels: list[tuple[Channel, At | None]]
    options: DeliveryOptions
    #: one for each code
    refusals: list[Refusal]

    @property
    def names(self) -> dict[bool, list[str]]:
        """The names of the channels that resume (True), and of those that start with a snapshot (False)."""
        found: dict[bool, list[str]] = {}
        for channel, at in self.channels:
            found.setdefault(at is not None, []).append(channel.name)
        return found


def resolve(
    request: Subscribe, session: Session, replica: Replica, profile: str | None, after: Mapping[int, Position] = _ANY_POSITION
) -> Resolution | Refusal:
    """Resolve a subscribe request. A channel that is refused does not affect the others; one named again is resolved once.

    Args:
        request: what the client asks for.
        session: its session, authenticated.
        replica: what is published.
        profile: the profile whose prices it sees.
        after: the positions by shard up to which such a client may have seen prices of another profile.
    """
    if request.format not in FORMATS:
        return Refusal(
            ErrorCode.UNSUPPORTED_FORMAT, f"unknown format {echoed(request.format)}; the formats are {', '.join(FORMATS)}"
        )
    resume: At = {}
    if request.resume is not None:
        try:
            resume = decode_at(request.resume, len(replica.offers))
        except ValueError:
            return Refusal(ErrorCode.BAD_REQUEST, "resume is not an `at` of this service")
    channels: list[tuple[Channel, At | None]] = []
    refusals: dict[ErrorCode, list[Refusal]] = {}
    new = 0
    for name in dict.fromkeys(request.channels):
        is_new = name not in session.subscriptions
        channel = _granted(name, session, replica, new if is_new else None)
        if isinstance(channel, Refusal):
            refusals.setdefault(channel.code, []).append(channel)
            continue
        new += is_new
        # A stale-suspended shard has no position; the gateway that suspended it may have sent other prices before.
        has_positions = all(resume.get(shard, ORIGIN) != ORIGIN for shard in channel.shards)
        is_of_profile = all(shard not in after or resume[shard] > after[shard] for shard in channel.shards if shard in resume)
        can_resume = has_positions and is_of_profile and (replica.covers(channel, resume) or replica.is_ahead(channel, resume))
        channels.append((channel, {shard: resume[shard] for shard in channel.shards} if can_resume else None))
    interval_ms = next(step for step in INTERVAL_CLASSES_MS if step >= request.min_interval_ms)
    options = DeliveryOptions(profile, request.format, interval_ms, session.encoding, session.framing)
    return Resolution(channels, options, [_merged(found) for found in refusals.values()])


def _merged(refusals: list[Refusal]) -> Refusal:
    """Merge refusals with the same code into one, with the text of the first."""
    first = refusals[0]
    others = f"; {len(refusals) - 1} more" if len(refusals) > 1 else ""
    return Refusal(first.code, first.text + others, tuple(name for refusal in refusals for name in refusal.channels))


def _granted(name: str, session: Session, replica: Replica, new: int | None) -> Channel | Refusal:
    """Return a channel that a session may see, or why it may not.

    Args:
        name: the channel.
        session: its session.
        replica: what is published.
        new: how many channels the request adds so far; None if the session is subscribed to this one already.
    """
    access = session.access
    assert access is not None  # noqa: S101 - the session is authenticated
    if not access.may_subscribe(name):
        return Refusal(ErrorCode.FORBIDDEN, f"{echoed(name)} is not granted", (name,))
    max_channels = access.limits.channels
    if max_channels and new is not None and len(session.subscriptions) + new >= max_channels:
        return Refusal(ErrorCode.OVER_LIMIT, f"{echoed(name)}: a session has at most {max_channels} channels", (name,))
    try:
        return replica.channel(name)
    except UnknownChannel as error:
        return Refusal(ErrorCode.UNKNOWN_CHANNEL, str(error), (name,))
