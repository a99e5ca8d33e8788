"""The values that travel from the offer to its followers: changes, removals, and the batch that carries them.

All carry absolute values, so applying one twice is harmless. They are MessagePack arrays on the stream; a field may be
added at the end only. None of them can be part of a cycle, so the garbage collector is spared them (`gc=False`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from oddsengine.domain.events import Competition
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus


class MarketIdentity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What never changes in the life of a market."""

    event: EventId
    type: MarketType
    period: str | None = None
    line: float | None = None
    winners: int = 1


class MarketState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Whether bets are taken, and if not, why not (`reason` is None while open)."""

    status: MarketStatus
    reason: str | None
    in_play: bool


class SelectionChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A selection as it now stands; `name` and `status` are None where they are as they were.

    `prices` has one entry a profile, in thousandths, None where there is none to bet on.
    """

    name: str | None
    status: SelectionStatus | None
    prices: tuple[int | None, ...]


class MarketChange(msgspec.Struct, array_like=True, gc=False):
    """What changed of a market. One with an `identity` is the whole market and replaces all that was known of it."""

    id: MarketId
    v: int
    identity: MarketIdentity | None
    state: MarketState | None
    selections: dict[str, SelectionChange]

    @property
    def is_urgent(self) -> bool:
        """Whether it stopped taking bets: that is told first."""
        return self.state is not None and self.state.status != "open"


class EventDescription(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What seldom changes of an event; `start_ms` is Unix milliseconds."""

    sport: str
    competition: Competition
    name: str
    participants: tuple[str, ...]
    start_ms: int | None


class EventProgress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What changes while an event is played."""

    in_play: bool
    score: str | None
    clock: str | None


class EventChange(msgspec.Struct, array_like=True, gc=False):
    """What changed of an event."""

    id: EventId
    description: EventDescription | None
    progress: EventProgress | None


class Removal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A market or event that is no longer on offer, with what its channels were called."""

    what: Literal["market", "event"]
    id: str
    event: EventId
    sport: str
    competition: str


class Changes(msgspec.Struct, gc=False):
    """What changed since a position. The first `urgent` of `markets` stopped taking bets: they are sent first."""

    events: list[EventChange]
    markets: list[MarketChange]
    removals: list[Removal]
    urgent: int = 0

    def __bool__(self) -> bool:
        return bool(self.events or self.markets or self.removals)


class Batch(msgspec.Struct, array_like=True, gc=False):
    """One stream entry: what one flush published at `ts_ms` (Unix milliseconds); empty as a sign of life."""

    ts_ms: int
    events: list[EventChange] = []
    markets: list[MarketChange] = []
    removals: list[Removal] = []
    urgent: int = 0


class SelectionRecord(msgspec.Struct, array_like=True, gc=False):
    """A selection and the positions at which anything of it, its status and its name last changed."""

    name: str
    status: SelectionStatus
    prices: tuple[int | None, ...]
    at: int
    status_at: int
    name_at: int


class MarketRecord(msgspec.Struct, array_like=True, tag="m", gc=False):
    """A market's whole published state with the positions of its parts; the value in the snapshot hash."""

    id: MarketId
    identity: MarketIdentity
    created_at: int
    state: MarketState
    state_at: int
    v: int
    at: int
    selections: dict[str, SelectionRecord]


class EventRecord(msgspec.Struct, array_like=True, tag="e", gc=False):
    """An event's whole published state with the positions of its parts; the value in the snapshot hash."""

    id: EventId
    description: EventDescription
    description_at: int
    progress: EventProgress
    progress_at: int


class Tombstone(msgspec.Struct, array_like=True, tag="t", gc=False):
    """A removal and the position at which it was published; the value in the snapshot hash."""

    removal: Removal
    at: int


class Meta(msgspec.Struct, array_like=True, tag="x", gc=False):
    """What the shard's prices mean: profile names in the order of `prices`, and the oldest position with a diff."""

    profiles: tuple[str, ...]
    floor: int


Record = MarketRecord | EventRecord | Tombstone | Meta
