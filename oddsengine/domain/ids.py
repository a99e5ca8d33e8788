"""Stable ids, made only of what the provider says.

An event is `<source>.<provider's event id>`, a market `<event>/<type>[/<period>][/<line>]`, a selection its role
(`home draw away over under yes no`) or the provider's runner id (`47972`, with a handicap `47972@-0.25`).
"""

from __future__ import annotations

import zlib
from typing import NewType

EventId = NewType("EventId", str)
MarketId = NewType("MarketId", str)
SelectionKey = NewType("SelectionKey", str)


def event_id(source: str, provider_event: str) -> EventId:
    """Name an event by the source that first spoke of it and that source's own id."""
    return EventId(f"{source}.{provider_event}")


def market_id(event: EventId, *parts: str) -> MarketId:
    """Name a market by its event and what tells it from the event's other markets; empty parts are left out."""
    return MarketId("/".join((event, *(part for part in parts if part))))


def shard_of(event: EventId, shards: int) -> int:
    """Tell which of `shards` sequences carries the changes of an event; the same in every process and release."""
    return zlib.crc32(event.encode()) % shards


def line_text(line: float) -> str:
    """Write a line or handicap as ids carry it: `2.5`, `-0.25`, `0`, `3`."""
    return f"{line:g}" if line else "0"
