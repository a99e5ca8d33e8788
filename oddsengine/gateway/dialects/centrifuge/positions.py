"""Positions as Centrifuge has them: an epoch, which a client gets when it subscribes, and the offset of its last publication.

An SDK sends both back when it recovers. It keeps the epoch of the subscription, while the epochs of our shards may change, and
has one number where a channel of several shards has a position in each. So what it sends back is made to mean never more than
what it has; at worst it gets more than it has missed, or a snapshot:

- A channel of one shard: the offset is its `seq`, above which are low bits of its epoch. They are those of the subscription's
  epoch until another one begins; from then on a client gets a snapshot when it subscribes the next time.
- A channel of several: the offset is the sum of their `seq`, and the epoch holds the position at which the client is once the
  offset has reached that position's sum (`now`); before that it is where it was when it recovered last (`before`), if it did.
- The epoch also holds a digest of the profile and format of the prices: with others, a position means nothing.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.streams.positions import ORIGIN, Position, decode_at, encode_at

if TYPE_CHECKING:
    from oddsengine.gateway.protocol.delivery import DeliveryOptions
    from oddsengine.gateway.state.replica import At

#: JavaScript's numbers hold 53 bits.
_SEQ_BITS: Final = 40
_EPOCH_BITS: Final = 13
#: Of a client that has seen a shard suspended as stale: there is no position from which it could go on. An SDK would ignore 0,
#: and keep the one before.
NO_OFFSET: Final = 2**53 - 1
_SEPARATOR: Final = "~"
_MAX_EPOCH_CHARACTERS: Final = 20_000


def offset_of(at: str) -> int:
    """Return the offset of a message, by the position of a client that has it."""
    parts = [part.split("-") for part in at.split(".")]
    if any(epoch == "0" for _, epoch, _ in parts):
        return NO_OFFSET
    if len(parts) == 1:
        ((_, epoch, seq),) = parts
        return _packed(Position(int(epoch, 16), int(seq, 16)))
    return sum([int(seq, 16) for _, _, seq in parts])


def _packed(position: Position) -> int:
    return (position.epoch % 2**_EPOCH_BITS) << _SEQ_BITS | position.seq


class StreamPosition(NamedTuple):
    """The position in a reply to a subscription: from where the client can recover later."""

    epoch: str
    offset: int


def digest_of(options: DeliveryOptions) -> str:
    """Return a digest of what makes prices comparable."""
    return f"{zlib.crc32(repr((options.profile, options.odds_format)).encode()):x}"


def position_for(now: At, digest: str, recovered: At | None) -> StreamPosition:
    """Return the position of a reply.

    Args:
        now: the replica's positions in the shards of the channel.
        digest: of the delivery options.
        recovered: from where the client recovers; None if it gets a snapshot.
    """
    if recovered is None:
        return StreamPosition(_SEPARATOR.join((digest, encode_at(now))), 0)
    if len(now) == 1:
        ((shard, position),) = recovered.items()
        # Exactly where it is, also if another gateway has sent it what has not arrived here yet.
        return StreamPosition(_SEPARATOR.join((digest, encode_at({shard: position}))), _packed(position))
    later = {shard: max(position, recovered[shard]) for shard, position in now.items()}
    return StreamPosition(_SEPARATOR.join((digest, encode_at(later), encode_at(recovered))), 0)


def recover(epoch: str, offset: int, digest: str, shards: int) -> At | None:
    """Return the position of a client that recovers; None if it is not known, or not of these prices.

    Args:
        epoch: what it was sent when it subscribed.
        offset: of the last publication that it has.
        digest: of the delivery options.
        shards: how many there are.
    """
    their_digest, *positions = epoch[:_MAX_EPOCH_CHARACTERS].split(_SEPARATOR)
    if their_digest != digest or offset == NO_OFFSET or len(positions) not in {1, 2}:
        return None
    try:
        now, *before = [decode_at(at, shards) for at in positions]
    except ValueError:
        return None
    if ORIGIN in now.values():
        return None
    if len(now) == 1:
        ((shard, position),) = now.items()
        theirs = Position(position.epoch, offset % 2**_SEQ_BITS)
        # An epoch with the same bits is no danger: that of the subscription is over then, and has no diffs any more.
        return {shard: theirs} if offset and _packed(theirs) == offset else None
    if offset >= sum(position.seq for position in now.values()) and offset:
        return now
    return before[0] if before else None
