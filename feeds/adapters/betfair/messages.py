"""Betfair's messages as types: the fields the engine uses; all others are skipped by the decoder.

Sources: Betfair Exchange Stream API documentation, "Market subscription" and its swagger specification; Betfair API
documentation, "Non-Interactive (bot) login", "Keep Alive", "listMarketCatalogue".
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

#: Rows by price, whose size is 0 where they are deleted. Betfair's odds are 1.01 to 1000; text may also say `NaN`.
_Size: TypeAlias = Annotated[float, Meta(ge=0, le=1e12)]
_PriceRow: TypeAlias = tuple[Annotated[float, Meta(ge=1.01, le=1000)], _Size]
#: Rows by level, whose price is 0 as well where they are deleted.
_Price: TypeAlias = Annotated[float, Meta(ge=0, le=1000)]
_LevelRow: TypeAlias = tuple[int, _Price, _Size]
_Handicap: TypeAlias = Annotated[float, Meta(gt=-10_000, lt=10_000)]


class RunnerChange(msgspec.Struct, gc=False):
    """Changed rows of one runner, keyed by (id, hc)."""

    id: int
    hc: _Handicap | None = None
    atb: list[_PriceRow] | None = None
    atl: list[_PriceRow] | None = None
    batb: list[_LevelRow] | None = None
    batl: list[_LevelRow] | None = None
    bdatb: list[_LevelRow] | None = None
    bdatl: list[_LevelRow] | None = None
    ltp: _Price | None = None


class RunnerDefinition(msgspec.Struct, gc=False):
    """A runner in a market definition."""

    id: int
    hc: _Handicap | None = None
    status: str = "ACTIVE"
    sortPriority: int = 0  # noqa: N815 - the provider's name
    name: str | None = None


class SimulatedDetails(msgspec.Struct, rename="camel", frozen=True):
    """The fields that the simulator adds to a definition; Betfair provides them in its catalogue and in-play services."""

    competition_id: str
    competition_name: str
    score: str | None = None
    clock: str | None = None


class Definition(msgspec.Struct, rename="camel"):
    """A market definition, always complete."""

    status: str
    event_id: str
    event_type_id: str = ""
    market_type: str = ""
    betting_type: str = "ODDS"
    market_time: str | None = None
    open_date: str | None = None
    in_play: bool = False
    bet_delay: float | None = None
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
    market_definition: Definition | None = None
    rc: list[RunnerChange] | None = None


class Message(msgspec.Struct, rename="camel"):
    """Any message from the provider; `op` determines which fields are set."""

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
    """A market change message with its markets undecoded, for when one of them is invalid."""

    mc: list[msgspec.Raw]


class MarketName(msgspec.Struct):
    """Only the market's id, for an error message."""

    id: str = "?"


class Subscription(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A market subscription: which markets, and which of their data."""

    market_filter: dict[str, list[str]] = {}
    fields: tuple[str, ...] = ("EX_MARKET_DEF", "EX_BEST_OFFERS", "EX_LTP")
    ladder_levels: int = 3
    conflate_ms: int = 0
    heartbeat_ms: int = 5000


class LoginAnswer(msgspec.Struct, rename="camel"):
    """The answer to a certificate login; any status but SUCCESS is a refusal."""

    login_status: str
    session_token: str = ""


class KeepAliveAnswer(msgspec.Struct):
    """The answer to a keep-alive."""

    status: str
    token: str = ""
    error: str = ""


class CatalogueName(msgspec.Struct):
    """The name of a competition or event."""

    id: str
    name: str


class CatalogueRunner(msgspec.Struct, rename="camel"):
    """The name of a runner."""

    selection_id: int
    runner_name: str
    handicap: float | None = None


class CatalogueMarket(msgspec.Struct, rename="camel"):
    """The names of a market, its runners, its event and its competition."""

    market_id: str
    market_name: str = ""
    competition: CatalogueName | None = None
    event: CatalogueName | None = None
    runners: list[CatalogueRunner] = []

    def runner_name(self, runner: int, handicap: float) -> str | None:
        """Return the name of a runner. The handicap lines of one side share it."""
        by_key = {(each.selection_id, each.handicap or 0.0): each.runner_name for each in self.runners}
        return by_key.get((runner, handicap)) or next(
            (each.runner_name for each in self.runners if each.selection_id == runner), None
        )
