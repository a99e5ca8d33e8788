"""OpticOdds' messages as types: the fields the engine uses.

Source: OpticOdds API reference, "/fixtures/active", "/fixtures/odds", "/stream/odds/{sport}".
"""

from __future__ import annotations

import msgspec


class Named(msgspec.Struct):
    """A sport or league."""

    id: str
    name: str = ""


class Fixture(msgspec.Struct):
    """One event; `status` is `unplayed`, `live`, `half`, `completed`, `cancelled` .."""

    id: str
    home_team_display: str
    away_team_display: str
    sport: Named
    league: Named
    start_date: object = None
    status: str = ""
    is_live: bool = False


class Fixtures(msgspec.Struct):
    """A page of fixtures, each decoded separately."""

    data: list[msgspec.Raw]
    page: int = 1
    total_pages: int = 1


class Entry(msgspec.Struct):
    """The odds of one selection at one sportsbook; `timestamp` is Unix seconds, `limits` holds the `max_stake` if it is known.

    `name` is the selection with its points, `selection` without; `selection_line` is `over`, `under` or null. `is_live` is absent
    from snapshots.
    """

    id: str
    fixture_id: str
    sportsbook: str
    market: str
    name: str
    price: float | str | None = None
    points: float | None = None
    is_live: bool | None = None
    timestamp: float = 0.0
    selection: str | None = None
    selection_line: str | None = None
    limits: object = None


class FixtureOdds(msgspec.Struct):
    """The odds of a fixture in a snapshot, each decoded separately."""

    odds: list[msgspec.Raw] = []


class OddsPage(msgspec.Struct):
    """A snapshot of some fixtures."""

    data: list[FixtureOdds]


class StreamMessage(msgspec.Struct):
    """The data of an `odds` or `locked-odds` event, each entry decoded separately."""

    data: list[msgspec.Raw]
    entry_id: str = ""
