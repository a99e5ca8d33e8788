"""Feed updates: the input of the engine, normalised from every provider's messages.

Updates are keyed by the provider's own market and runner ids (`1.170258213`, `47972@-0.25`), because prices may arrive before the
definition of their market. The definition maps them to the domain's ids. Each line of a provider's market of several lines is a
market, with that market's id and a handicap (`1.170258213@-0.25`).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from oddsengine.domain.events import Event
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.domain.results import SelectionResult, result_of_status
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus

#: (price in decimal odds, size in the provider's currency); size 0 deletes the price.
PriceSize: TypeAlias = tuple[float, float]
#: (level from 0 = best, price, size); size 0 deletes the level.
LevelPriceSize: TypeAlias = tuple[int, float, float]


class SelectionDefinition(msgspec.Struct, frozen=True, gc=False):
    """A source's definition of a selection; its prices arrive under `source_id`.

    `result` is what the source says beyond the status, as half a win; None where the status says everything.
    """

    source_id: str
    key: SelectionKey
    name: str
    status: SelectionStatus
    handicap: float = 0.0
    result: SelectionResult | None = None

    @property
    def side(self) -> str:
        """The side of a selection on one of several lines: its source id without the line."""
        return self.source_id.partition("@")[0]

    @property
    def effective_result(self) -> SelectionResult | None:
        """The result, None while there is none."""
        return self.result or result_of_status(self.status)


class MarketDefinition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A source's whole definition of a market: selections that it does not contain are no longer part of the market.

    `name` is for display; where it is empty the market is named after its type.
    `unit` is what its line or result counts where that is not what the sport's score counts: `sets`, `corners` ..
    `start_ms` is the market's own start (Unix milliseconds) where its event has several, as a meeting has one a race; None: the
    event's.
    `counts_all_goals` is whether an Asian handicap of football in play counts the goals of before the bet too, as at an exchange;
    bookmakers count from the score at the time of the bet.
    `limit` is the greatest stake that the source takes, `bet_delay_s` for how many seconds it delays a bet; None: not stated.
    """

    id: MarketId
    event: EventId
    type: MarketType
    period: str | None = None
    line: float | None = None
    unit: str | None = None
    winners: int = 1
    status: MarketStatus
    in_play: bool = False
    start_ms: int | None = None
    name: str = ""
    counts_all_goals: bool = False
    limit: float | None = None
    bet_delay_s: float | None = None
    selections: tuple[SelectionDefinition, ...]


class BookChange(msgspec.Struct, gc=False):
    """Changed rows of one selection's order book. None means unchanged and never deletes anything.

    `back` and `lay` are keyed by price, `back_levels` and `lay_levels` by level, `back_display` and `lay_display` by level
    including the provider's virtual bets. `last` is the last traded price. `quote` is a bookmaker's own price in decimal odds, 0
    if it is withdrawn.
    """

    selection: str
    back: list[PriceSize] | None = None
    lay: list[PriceSize] | None = None
    back_levels: list[LevelPriceSize] | None = None
    lay_levels: list[LevelPriceSize] | None = None
    back_display: list[LevelPriceSize] | None = None
    lay_display: list[LevelPriceSize] | None = None
    last: float | None = None
    quote: float | None = None


class EventUpdate(msgspec.Struct, frozen=True, tag="event", gc=False):
    """A source's whole description of an event."""

    event: Event


class MarketUpdate(msgspec.Struct, tag="market", gc=False):
    """Changes of one market. An `image` is the whole market and replaces the earlier state."""

    market: str
    image: bool = False
    definition: MarketDefinition | None = None
    books: list[BookChange] = []


class MarketGone(msgspec.Struct, frozen=True, tag="gone", gc=False):
    """Removal of a market by its source."""

    market: str


#: The state of a source that is not live may be out of date: every market that it prices alone is suspended.
SourceHealth = Literal["live", "lagging", "stale", "down"]


class SourceStatus(msgspec.Struct, frozen=True, tag="status", gc=False):
    """A change of a source's health."""

    health: SourceHealth
    reason: str


FeedUpdate: TypeAlias = EventUpdate | MarketUpdate | MarketGone | SourceStatus


class UpdateBatch(msgspec.Struct, gc=False):
    """Updates of one source that belong together, in order.

    `published_ms` is the provider's publish time (Unix milliseconds), None if the message has none.
    """

    source: str
    published_ms: int | None
    updates: list[FeedUpdate]
