"""Messages of The Odds API v4 as types: the fields the engine uses.

Source: The Odds API documentation, "GET odds".
"""

from __future__ import annotations

import msgspec


class Outcome(msgspec.Struct):
    """One price; `point` is the line, or the handicap of the side."""

    name: str
    price: float
    point: float | str | None = None


class Market(msgspec.Struct):
    """One market of a bookmaker; spreads and totals may hold several lines."""

    key: str
    outcomes: list[Outcome]
    last_update: object = None


class Bookmaker(msgspec.Struct):
    """The quotes of one bookmaker on an event; its markets are decoded separately."""

    key: str
    markets: list[msgspec.Raw] = []


class OddsEvent(msgspec.Struct):
    """One event; its bookmakers are decoded separately."""

    id: str
    sport_key: str
    commence_time: object = None
    home_team: str | None = None
    away_team: str | None = None
    sport_title: str = ""
    bookmakers: list[msgspec.Raw] = []
