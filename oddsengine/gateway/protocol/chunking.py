"""Split long messages into chunks: many clients refuse a message over a megabyte, and would again at each reconnect."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, chain
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.gateway.protocol import encoders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.gateway.protocol.delivery import DeliveryOptions


class ChunkLimits(NamedTuple):
    """The limits above which a message is split into chunks (`part` on the wire).

    `chunk_bytes` is the most that the encoded events and markets of a chunk take, unless a single one takes more. Above
    `runtime.loop.LARGE_BYTES` each copy of a chunk would be new memory from the system, which costs several times the copying. A
    message with fewer than `min_fragments` events and markets is never split.
    """

    chunk_bytes: int = 128 * 1024
    min_fragments: int = 50


def needs_chunks(events: list[bytes], markets: list[bytes], limits: ChunkLimits) -> bool:
    """Check whether a delta with these fragments is too long for one message."""
    if len(events) + len(markets) < limits.min_fragments:
        return False
    return sum(map(len, events)) + sum(map(len, markets)) > limits.chunk_bytes


class Content(NamedTuple):
    """Encoded events and markets, in the order in which clients apply them: all events first."""

    events: list[bytes]
    markets: list[bytes]

    def chunks(self, limits: ChunkLimits) -> Iterator[tuple[Content, bool]]:
        """Split into chunks within the limits, at least one. Yield each with whether it is the last."""
        events, markets = self
        ends = list(accumulate(map(len, chain(events, markets))))
        start, before, is_last = 0, 0, False
        while not is_last:
            end = max(bisect_right(ends, before + limits.chunk_bytes, start), start + 1)
            is_last = end >= len(ends)
            yield Content(events[start:end], markets[max(start - len(events), 0) : max(end - len(events), 0)]), is_last
            start, before = end, ends[end - 1] if ends else 0


def snapshot_frames(channel: str, content: Content, at: str, options: DeliveryOptions, limits: ChunkLimits) -> list[bytes]:
    """Frame a whole channel. A client is at the position `at` once it has the last chunk."""
    return [
        options.framing.wrap(
            encoders.snapshot(channel, at, *chunk, part=number, last=is_last, encoding=options.encoding), at if is_last else None
        )
        for number, (chunk, is_last) in enumerate(content.chunks(limits), 1)
    ]


def delta_frames(
    head: bytes, content: Content, at: str, before: str, ts_ms: int, options: DeliveryOptions, limits: ChunkLimits
) -> list[bytes]:
    """Frame a delta. A client that lacks the last chunk keeps its previous position.

    Args:
        head: the channel's `encoders.delta_head`.
        content: what changed.
        at: position of a client that has all of it.
        before: position of a client that does not.
        ts_ms: when it was published, Unix milliseconds.
        options: how it is delivered.
        limits: when to split it.
    """
    frames: list[bytes] = []
    for chunk, is_last in content.chunks(limits):
        here = at if is_last else before
        stamp = encoders.delta_stamp(here, ts_ms, options.encoding)
        frames.append(options.framing.wrap(encoders.delta(head, stamp, *chunk, options.encoding), here))
    return frames
