"""Very many suspensions at once, as when a source is lost, in pieces: the first need not wait until the last is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.changes import Changes
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So many are told before more of them are encoded.
SUSPENSIONS_AT_ONCE: Final = 500


class Piece(NamedTuple):
    """A part of what changed in a shard, published at `ts_ms` (Unix milliseconds); `at` is where a client is with it."""

    shard: int
    changes: Changes
    ts_ms: int
    at: Position


def cut(whole: Piece, before: Position) -> Iterator[Piece]:
    """Cut what changed into pieces, if need be: at least one, suspensions first; until the last a client is at `before`."""
    changes = whole.changes
    step = SUSPENSIONS_AT_ONCE if changes.urgent > SUSPENSIONS_AT_ONCE else max(len(changes.markets), 1)
    for start in range(0, max(len(changes.markets), 1), step):
        markets = changes.markets[start : start + step]
        urgent = min(max(changes.urgent - start, 0), len(markets))
        part = Changes([], markets, [], urgent) if start else Changes(changes.events, markets, changes.removals, urgent)
        yield whole._replace(changes=part, at=whole.at if start + step >= len(changes.markets) else before)
