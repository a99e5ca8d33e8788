"""Pinnacle's messages as types: the fields the engine uses.

Source: Pinnacle lines API specification, "Get Fixtures", "Get Odds".
"""

from __future__ import annotations

import msgspec


class Fixture(msgspec.Struct):
    """One event; `status` is O (open), H (lower limits) or I (unavailable); `liveStatus` 1 marks the live event."""

    id: int
    starts: str
    home: str
    away: str
    status: str = "O"
    liveStatus: int = 0  # noqa: N815 - the provider's name


class FixtureLeague(msgspec.Struct):
    """A league's fixtures, each decoded separately."""

    id: int
    name: str = ""
    events: list[msgspec.Raw] = []


class Fixtures(msgspec.Struct):
    """The answer of the fixtures endpoint: all of them, or those changed since a cursor."""

    last: int
    league: list[FixtureLeague] = []


class Moneyline(msgspec.Struct):
    """The match result, with or without a draw."""

    home: float | None = None
    away: float | None = None
    draw: float | None = None


class Spread(msgspec.Struct):
    """A handicap; `hdp` is that of the home side."""

    hdp: float
    home: float | None = None
    away: float | None = None


class Total(msgspec.Struct):
    """Over and under."""

    points: float
    over: float | None = None
    under: float | None = None


class Period(msgspec.Struct):
    """The markets of a period, always complete; `status` 1 is open, 2 suspended."""

    number: int
    cutoff: str | None = None
    status: int = 1
    moneyline: Moneyline | None = None
    spreads: list[Spread] = []
    totals: list[Total] = []


class OddsEvent(msgspec.Struct):
    """The changed periods of an event, each decoded separately."""

    id: int
    periods: list[msgspec.Raw] = []


class OddsLeague(msgspec.Struct):
    """The odds of a league."""

    id: int
    events: list[OddsEvent] = []


class Odds(msgspec.Struct):
    """The answer of the odds endpoint: all of them, or the periods changed since a cursor."""

    last: int
    leagues: list[OddsLeague] = []
