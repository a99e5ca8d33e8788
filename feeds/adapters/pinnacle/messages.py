"""Pinnacle's messages as types: the fields the engine uses. The README lists them all.

Source: Pinnacle lines API specification, "Get Fixtures", "Get Odds".
"""

from __future__ import annotations

import msgspec

#: Numbers may be texts; what is none is refused by itself, not with all that stands beside it.
Number = float | str


class Fixture(msgspec.Struct):
    """One fixture.

    `status` is O (open), H (temporarily unavailable) or I (lower limits). `liveStatus` is 1 for the live fixture of a match,
    whose `parentId` is the pre-match one's, and 2 where live betting will be offered on another fixture. `resultingUnit` is what
    its lines count: `Regular`, `Sets`, `Corners` ..
    """

    id: int
    home: str
    away: str
    starts: object = None
    status: str | None = "O"
    parentId: int | None = None  # noqa: N815 - the provider's name
    liveStatus: int | None = 0  # noqa: N815
    resultingUnit: str | None = None  # noqa: N815


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

    home: Number | None = None
    away: Number | None = None
    draw: Number | None = None


class Spread(msgspec.Struct):
    """A handicap; `hdp` is that of the home side. `max` is the greatest stake of an alternative line."""

    hdp: Number
    home: Number | None = None
    away: Number | None = None
    max: object = None


class Total(msgspec.Struct):
    """Over and under. `max` is the greatest stake of an alternative line."""

    points: Number
    over: Number | None = None
    under: Number | None = None
    max: object = None


class TeamTotals(msgspec.Struct):
    """Over and under what each side scores: several lines of each, one of each in answers of `/v1/odds`."""

    home: list[Total] | Total | None = None
    away: list[Total] | Total | None = None


class Period(msgspec.Struct):
    """The markets of a period, always complete; `status` 1 is open, 2 not; None: the fixture's status decides.

    The `max..` are the greatest stakes.
    """

    number: int
    cutoff: object = None
    status: int | None = None
    moneyline: Moneyline | None = None
    spreads: list[Spread] | None = None
    totals: list[Total] | None = None
    teamTotal: TeamTotals | None = None  # noqa: N815
    maxMoneyline: object = None  # noqa: N815
    maxSpread: object = None  # noqa: N815
    maxTotal: object = None  # noqa: N815
    maxTeamTotal: object = None  # noqa: N815


class OddsEvent(msgspec.Struct):
    """The changed periods of a fixture, each decoded separately, and the score of a football match that is live."""

    id: int
    homeScore: object = None  # noqa: N815
    awayScore: object = None  # noqa: N815
    periods: list[msgspec.Raw] = []


class OddsLeague(msgspec.Struct):
    """The odds of a league."""

    events: list[OddsEvent] = []


class Odds(msgspec.Struct):
    """The answer of the odds endpoint: all of them, or the periods changed since a cursor."""

    last: int
    leagues: list[OddsLeague] = []
