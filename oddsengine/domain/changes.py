"""Published changes: what travels from an offer to its replicas, and the records that a snapshot is made of.

All values are absolute, so applying a change twice is harmless. The types are encoded as arrays (`array_like`): add fields at the
end only. None of them can be part of a reference cycle, so the garbage collector need not track them (`gc=False`).
"""

from __future__ import annotations

from typing import Literal

import msgspec

from oddsengine.domain.events import Competition
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.results import SelectionResult
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus


class MarketIdentity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of a market that do not change while it is on offer; if one does, the whole market is published again.

    `name` is empty in what a release without names has published.
    """

    event: EventId
    type: MarketType
    period: str | None = None
    line: float | None = None
    winners: int = 1
    name: str = ""
    unit: str | None = None


class MarketTerms(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The terms of a market in one profile, beyond its prices.

    Attributes:
        suspended: whether a person has suspended it in this profile only.
        limit: the greatest stake; None: unknown.
        bet_delay_s: how long a bet is to be delayed, seconds; None: unknown.
    """

    suspended: bool = False
    limit: float | None = None
    bet_delay_s: float | None = None


class MarketState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Whether a market takes bets; `reason` says why not, None while it is open.

    `terms` has an entry for each profile; it is empty while there never were any. `main_line` is whether a line is the main one
    of its type, period and unit; None for markets that are no such line.
    """

    status: MarketStatus
    reason: str | None
    in_play: bool
    terms: tuple[MarketTerms, ...] = ()
    main_line: bool | None = None


class SelectionChange(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The new state of a selection; `name`, `status` and `result` are None if they did not change.

    `prices` has one entry per profile, in thousandths, None where there is no price. A result that was taken back is
    `results.TAKEN_BACK`. `order`, its position for display, comes with the name; None if it is not known. `fair` is its fair
    probability in millionths as the first profile has it, None where no profile has a price.
    """

    name: str | None
    status: SelectionStatus | None
    prices: tuple[int | None, ...]
    result: SelectionResult | None = None
    order: int | None = None
    fair: int | None = None


class MarketChange(msgspec.Struct, array_like=True, gc=False):
    """The changes of a market. With an `identity` it is the whole market and replaces the earlier state."""

    id: MarketId
    v: int
    identity: MarketIdentity | None
    state: MarketState | None
    selections: dict[str, SelectionChange]

    @property
    def is_urgent(self) -> bool:
        """Whether the market stopped taking bets: such changes are sent first."""
        state = self.state
        return state is not None and (state.status != "open" or any(terms.suspended for terms in state.terms))


class EventDescription(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of an event that rarely change; `start_ms` is Unix milliseconds."""

    sport: str
    competition: Competition
    name: str
    participants: tuple[str, ...]
    start_ms: int | None


class EventProgress(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The fields of an event that change while it is played."""

    in_play: bool
    score: str | None
    clock: str | None


class EventChange(msgspec.Struct, array_like=True, gc=False):
    """The changes of an event; None for the part that did not change."""

    id: EventId
    description: EventDescription | None
    progress: EventProgress | None


class Removal(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A market or event that is no longer on offer, with what identifies its channels."""

    kind: Literal["market", "event"]
    id: str
    event: EventId
    sport: str
    competition: str


class Changes(msgspec.Struct, gc=False):
    """The diff since a position. The first `urgent` of `markets` stopped taking bets: they are sent first."""

    events: list[EventChange]
    markets: list[MarketChange]
    removals: list[Removal]
    urgent: int = 0

    def __bool__(self) -> bool:
        return bool(self.events or self.markets or self.removals)


class Batch(msgspec.Struct, array_like=True, gc=False):
    """The changes of one position, published at `ts_ms` (Unix milliseconds). An empty batch is a heartbeat.

    `commands` is how far the log of commands has been obeyed in what is published up to here. The batch that opens an epoch says
    what has changed since the entry that the epoch follows, in prices of `profiles`; without these it does not say all.
    """

    ts_ms: int
    events: list[EventChange] = []
    markets: list[MarketChange] = []
    removals: list[Removal] = []
    urgent: int = 0
    commands: int = 0
    profiles: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        # An entry that anything else wrote into the stream is unreadable, not half a batch.
        if not 0 <= self.urgent <= len(self.markets):
            raise ValueError(f"{self.urgent} urgent of {len(self.markets)} markets")


class SelectionRecord(msgspec.Struct, array_like=True, gc=False):
    """A selection, with the positions of the last change of anything, of its status, of its name or order, and of its result.

    `result` is None while it never had one, `results.TAKEN_BACK` once it has lost it.
    """

    name: str
    status: SelectionStatus
    prices: tuple[int | None, ...]
    at: int
    status_at: int
    name_at: int
    result: SelectionResult | None = None
    result_at: int = 0
    order: int | None = None
    fair: int | None = None


class MarketRecord(msgspec.Struct, array_like=True, tag="m", gc=False):
    """The whole published state of a market, with the position of the last change of each part."""

    id: MarketId
    identity: MarketIdentity
    created_at: int
    state: MarketState
    state_at: int
    v: int
    at: int
    selections: dict[str, SelectionRecord]


class EventRecord(msgspec.Struct, array_like=True, tag="e", gc=False):
    """The whole published state of an event, with the position of the last change of each part."""

    id: EventId
    description: EventDescription
    description_at: int
    progress: EventProgress
    progress_at: int


class Tombstone(msgspec.Struct, array_like=True, tag="t", gc=False):
    """A removal and the position at which it was published."""

    removal: Removal
    at: int


class SettledMarket(msgspec.Struct, array_like=True, gc=False):
    """A market that has left the offer, kept for its results; `removal` says whose it was, `left_ms` is Unix milliseconds."""

    market: MarketRecord
    removal: Removal
    left_ms: int


class Meta(msgspec.Struct, array_like=True, tag="x", gc=False):
    """The profile names in the order of `prices`, and the oldest position with a diff."""

    profiles: tuple[str, ...]
    oldest_diffable: int


Record = MarketRecord | EventRecord | Tombstone | Meta
