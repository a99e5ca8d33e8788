"""What clients are sent of a channel, whole or since a position: encoded once for all who want the same from the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.gateway import encode
from oddsengine.streams.positions import write_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oddsengine.gateway.audience import Audience, Taste
    from oddsengine.gateway.replica import At, Channel, Replica
    from oddsengine.streams.positions import Position

#: Markets in one part of a snapshot: parts stay well under a megabyte.
SNAPSHOT_PART_MARKETS: Final = 500
#: Snapshots kept ready for those who come at once, as after a restart.
_SNAPSHOTS_KEPT: Final = 64
#: Channels whose diffs are kept ready for the same reason.
_DIFFS_KEPT: Final = 256


class Renderings:
    """Snapshots and diffs of a replica, kept while they are the present.

    Args:
        replica: what is published.
        now_ms: the wall clock, Unix milliseconds.
    """

    def __init__(self, replica: Replica, now_ms: Callable[[], int]) -> None:
        self._replica = replica
        self._now_ms = now_ms
        #: (channel, taste) -> its position and the encoded diffs to it by where they begin, least recently asked for first
        self._diffs: dict[tuple[str, Taste], tuple[At, dict[tuple[Position, ...], bytes | None]]] = {}
        #: (channel, taste) -> its moment and its snapshot's frames, least recently asked for first
        self._snapshots: dict[tuple[str, Taste], tuple[tuple[tuple[int, int, bool], ...], list[bytes]]] = {}

    def snapshot(self, audience: Audience) -> list[bytes]:
        """Give a channel's snapshot ready to write; many who come at once share it."""
        channel = audience.channel
        key, now = (channel.name, audience.taste._replace(interval_ms=0)), self._replica.moment(channel)
        known = self._snapshots.pop(key, None)
        frames = known[1] if known is not None and known[0] == now else None
        if frames is None:
            messages = snapshot_messages(self._replica, channel, audience.taste)
            frames = [audience.taste.framing.wrap(payload, at=at) for payload, at in messages]
        # Put back last: what was asked for longest ago goes first.
        self._snapshots[key] = now, frames
        if len(self._snapshots) > _SNAPSHOTS_KEPT:
            del self._snapshots[next(iter(self._snapshots))]
        return frames

    def diff(self, audience: Audience, since: At) -> bytes | None:
        """Encode what changed in a channel since positions; many who were at the same place share it."""
        now = self._replica.at(audience.channel)
        key = audience.channel.name, audience.taste._replace(interval_ms=0)
        known = self._diffs.pop(key, None)
        if known is None or known[0] != now:
            known = now, {}
        self._diffs[key] = known
        if len(self._diffs) > _DIFFS_KEPT:
            del self._diffs[next(iter(self._diffs))]
        diffs = known[1]
        begin = tuple([since[shard] for shard in now])
        if begin not in diffs:
            diffs[begin] = self._encoded_diff(audience, since, write_at(now))
        return diffs[begin]

    def _encoded_diff(self, audience: Audience, since: At, at: str) -> bytes | None:
        taste = audience.taste
        events: list[bytes] = []
        markets: list[bytes] = []
        for offer, changes in self._replica.diff(audience.channel, since):
            place = offer.place(taste.profile)
            events += [encode.event_change(event, taste.encoding) for event in changes.events]
            markets += [encode.market_change(market, place, taste.odds_format, taste.encoding) for market in changes.markets]
            for removal in changes.removals:
                (markets if removal.what == "market" else events).append(encode.removal(removal, taste.encoding))
        if not events and not markets:
            return None
        stamp = encode.delta_stamp(at, self._now_ms(), taste.encoding)
        return encode.delta(audience.head, stamp, events, markets, taste.encoding)


def snapshot_messages(replica: Replica, channel: Channel, taste: Taste) -> Iterable[tuple[bytes, str | None]]:
    """Encode a channel whole, in parts; with the last goes the position a client then has."""
    events: list[bytes] = []
    markets: list[bytes] = []
    encoding = taste.encoding
    for offer, changes in replica.whole(channel):
        place = offer.place(taste.profile)
        events += [encode.event_change(event, encoding) for event in changes.events]
        markets += [encode.market_change(market, place, taste.odds_format, encoding) for market in changes.markets]
    at = write_at(replica.at(channel))
    parts = max(1, -(-len(markets) // SNAPSHOT_PART_MARKETS))
    for part in range(parts):
        last = part == parts - 1
        payload = encode.snapshot(
            channel.name,
            at,
            events if part == 0 else [],
            markets[part * SNAPSHOT_PART_MARKETS : (part + 1) * SNAPSHOT_PART_MARKETS],
            part=part + 1,
            last=last,
            encoding=encoding,
        )
        yield payload, at if last else None
