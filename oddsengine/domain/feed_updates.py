"""What a feed says, in the domain's words: the input of the engine.

A provider's own market and runner ids (`1.170258213`, `47972@-0.25`) key the updates, because prices may arrive before
the definition that says what they are prices of. The definition brings the domain's ids.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from oddsengine.domain.events import Event
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus

#: (price in decimal odds, size in the provider's currency); size 0 deletes the price.
PriceSize: TypeAlias = tuple[float, float]
#: (level from 0 = best, price, size); size 0 deletes the level.
LevelPriceSize: TypeAlias = tuple[int, float, float]


class SelectionDefinition(msgspec.Struct, frozen=True, gc=False):
    """What a source says a selection is; `source_id` is the key its prices arrive under."""

    source_id: str
    key: SelectionKey
    name: str
    status: SelectionStatus
    handicap: float = 0.0


class MarketDefinition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a source says a market is, whole: selections it does not name are no longer part of it."""

    id: MarketId
    event: EventId
    type: MarketType
    period: str | None = None
    line: float | None = None
    winners: int = 1
    status: MarketStatus
    in_play: bool = False
    selections: tuple[SelectionDefinition, ...]


class BookChange(msgspec.Struct, gc=False):
    """Changed rows of one selection's order book; None is "not mentioned", an unset field never deletes.

    `back` and `lay` are keyed by price, `back_levels` and `lay_levels` by level, `back_display` and `lay_display` by
    level with the provider's virtual bets. `last` is the last traded price. `quote` is a bookmaker's own price in
    decimal odds, 0 if it is withdrawn.
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
    """An event as the source now describes it, whole."""

    event: Event


class MarketUpdate(msgspec.Struct, tag="market", gc=False):
    """Changes of one market; `image` says that what is not in it is gone."""

    market: str
    image: bool = False
    definition: MarketDefinition | None = None
    books: list[BookChange] = []


class MarketGone(msgspec.Struct, frozen=True, tag="gone", gc=False):
    """The source no longer offers this market."""

    market: str


#: A source that is not live may be wrong in all it said: every market priced by it alone is suspended.
SourceHealth = Literal["live", "lagging", "stale", "down"]


class SourceStatus(msgspec.Struct, frozen=True, tag="status", gc=False):
    """How far the source can be trusted from here on."""

    health: SourceHealth
    reason: str


FeedUpdate: TypeAlias = EventUpdate | MarketUpdate | MarketGone | SourceStatus


class UpdateBatch(msgspec.Struct, gc=False):
    """Updates of one source that belong together, in order.

    `published_ms` is the provider's own publish time (Unix milliseconds), None where a message has none.
    """

    source: str
    published_ms: int | None
    updates: list[FeedUpdate]
