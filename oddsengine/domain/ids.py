"""Stable ids, derived only from the provider's data.

An event is `<source>.<provider's event id>`, a market `<event>/<type>[_<unit>][/<period>][/<line>]`, a selection its role
(`home draw away over under yes no`) or the provider's runner id (`47972`, with a handicap `47972@-0.25`).
"""

from __future__ import annotations

import zlib
from typing import NewType

EventId = NewType("EventId", str)
MarketId = NewType("MarketId", str)
SelectionKey = NewType("SelectionKey", str)


def event_id(source: str, provider_event: str) -> EventId:
    """Return the id of an event: the source that first sent it and that source's own id."""
    return EventId(f"{source}.{provider_event}")


def market_id(event: EventId, *parts: str) -> MarketId:
    """Return the id of a market: its event and the parts that distinguish it there; empty parts are omitted."""
    return MarketId("/".join((event, *(part for part in parts if part))))


def shard_of(event: EventId, shards: int) -> int:
    """Return the shard of an event, 0 to `shards` - 1; the same in every process and release."""
    return zlib.crc32(event.encode()) % shards


def line_text(line: float) -> str:
    """Return a line or handicap as written in ids: `2.5`, `-0.25`, `0`, `3`."""
    return f"{line:g}" if line else "0"
