"""The words of the Betfair Exchange Stream API as types: only what the engine uses; the rest is skipped unread.

Source: Betfair Exchange Stream API documentation, "Market subscription" and its swagger specification.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from oddsengine.domain.feed_updates import LevelPriceSize, PriceSize


class RunnerChange(msgspec.Struct, gc=False):
    """Changed rows of one runner, keyed by (id, hc)."""

    id: int
    hc: float = 0.0
    atb: list[PriceSize] | None = None
    atl: list[PriceSize] | None = None
    batb: list[LevelPriceSize] | None = None
    batl: list[LevelPriceSize] | None = None
    bdatb: list[LevelPriceSize] | None = None
    bdatl: list[LevelPriceSize] | None = None
    ltp: float | None = None


class RunnerDefinition(msgspec.Struct, gc=False):
    """A runner in a market definition."""

    id: int
    hc: float | None = None
    status: str = "ACTIVE"
    sortPriority: int = 0  # noqa: N815 - the provider's name
    name: str | None = None


class SimulatedDetails(msgspec.Struct, rename="camel", frozen=True):
    """What the simulator adds to a definition; Betfair gives it in its catalogue and in-play services."""

    competition_id: str
    competition_name: str
    score: str | None = None
    clock: str | None = None


class Definition(msgspec.Struct, rename="camel"):
    """A market definition; it always comes whole."""

    status: str
    event_id: str
    event_type_id: str = ""
    market_type: str = ""
    betting_type: str = "ODDS"
    market_time: str | None = None
    in_play: bool = False
    version: int = 0
    number_of_winners: int = 1
    country_code: str | None = None
    venue: str | None = None
    event_name: str | None = None
    name: str | None = None
    runners: list[RunnerDefinition] = []
    simulated: SimulatedDetails | None = None


class MarketChange(msgspec.Struct, rename="camel"):
    """A market in a market change message."""

    id: str
    img: bool = False
    con: bool = False
    market_definition: Definition | None = None
    rc: list[RunnerChange] | None = None


class Message(msgspec.Struct, rename="camel"):
    """Any message from the provider; `op` says which fields have a meaning."""

    op: str
    id: int | None = None
    pt: int | None = None
    clk: str | None = None
    initial_clk: str | None = None
    ct: Literal["SUB_IMAGE", "RESUB_DELTA", "HEARTBEAT", "UPDATE"] | None = None
    segment_type: Literal["SEG_START", "SEG", "SEG_END", "NONE"] | None = None
    heartbeat_ms: int | None = None
    status: int | None = None
    mc: list[MarketChange] | None = None
    status_code: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    connection_closed: bool = False


class RawMarketsMessage(msgspec.Struct, rename="camel"):
    """The same message with its markets unread, for when one of them is bad."""

    mc: list[msgspec.Raw]


class MarketName(msgspec.Struct):
    """Only the market's id, to name it in an error."""

    id: str = "?"
