"""Long messages in parts: many clients refuse a message over a megabyte, and would do so again each time they came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.gateway.protocol import encoders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.gateway.fanout.audience import DeliveryOptions

#: A part has no more than this of encoded events and markets, unless a single one has, or it has but few (below). Above
#: `memory.LARGE_BYTES` each copy of it would be taken anew from the system, which costs several times the copying.
PART_BYTES: Final = 128 * 1024
#: Fewer fragments than these are never cut.
FEW: Final = 50


def are_long(events: list[bytes], markets: list[bytes]) -> bool:
    """Tell whether a message with these is too long for one part."""
    if len(events) + len(markets) < FEW:
        return False
    return sum(map(len, events)) + sum(map(len, markets)) > PART_BYTES


class Content(NamedTuple):
    """Encoded events and markets, in the order in which clients are to take them: all events first."""

    events: list[bytes]
    markets: list[bytes]

    def parts(self) -> Iterator[tuple[Content, bool]]:
        """Cut it into parts that are not too long, at least one; with each, whether it is the last."""
        part, size = Content([], []), 0
        for is_market, fragments in enumerate(self):
            for fragment in fragments:
                size += len(fragment)
                if size > PART_BYTES and (part.events or part.markets):
                    yield part, False
                    part, size = Content([], []), len(fragment)
                part[is_market].append(fragment)
        yield part, True


def snapshot_frames(channel: str, content: Content, at: str, options: DeliveryOptions) -> list[bytes]:
    """Frame a channel whole; a client is at the position `at` with the last part."""
    return [
        options.framing.wrap(
            encoders.snapshot(channel, at, *part, part=number, last=is_last, encoding=options.encoding), at if is_last else None
        )
        for number, (part, is_last) in enumerate(content.parts(), 1)
    ]


def delta_frames(head: bytes, content: Content, at: str, before: str, ts_ms: int, options: DeliveryOptions) -> list[bytes]:
    """Frame what changed; who has not had the last part is where it was.

    Args:
        head: the channel's `encoders.delta_head`.
        content: what changed.
        at: the position a client has with all of it.
        before: the one it had without.
        ts_ms: when it was published, Unix milliseconds.
        options: how it is wanted.
    """
    frames: list[bytes] = []
    for part, is_last in content.parts():
        here = at if is_last else before
        stamp = encoders.delta_stamp(here, ts_ms, options.encoding)
        frames.append(options.framing.wrap(encoders.delta(head, stamp, *part, options.encoding), here))
    return frames
