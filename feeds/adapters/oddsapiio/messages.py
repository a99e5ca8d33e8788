"""Odds-API.io's messages as types: the fields the engine uses.

Source: Odds-API.io documentation, "WebSocket", "Get events", "Get odds for multiple events".
"""

from __future__ import annotations

import msgspec

Number = float | str


class Price(msgspec.Struct):
    """The prices of one line of a market; numbers may be strings. `max` is the greatest stake."""

    home: Number | None = None
    draw: Number | None = None
    away: Number | None = None
    over: Number | None = None
    under: Number | None = None
    yes: Number | None = None
    no: Number | None = None
    hdp: Number | None = None
    max: object = None


class Market(msgspec.Struct, rename="camel"):
    """A market of one bookmaker, with its lines."""

    name: str
    odds: list[Price]
    updated_at: object = None


class StreamMessage(msgspec.Struct):
    """A streamed message: the complete market list of one event at one bookmaker, or its withdrawal."""

    type: str
    id: str | int = ""
    bookie: str = ""
    timestamp: float = 0.0
    markets: list[msgspec.Raw] = []


class Slug(msgspec.Struct):
    """A sport or league."""

    name: str
    slug: str = ""


class EventDetails(msgspec.Struct):
    """One event; `status` is `pending`, `live`, `settled` or `cancelled`."""

    id: str | int
    home: str
    away: str
    sport: Slug
    league: Slug | None = None
    date: object = None
    status: str = "pending"


class EventOdds(msgspec.Struct):
    """The odds of one event by bookmaker, each decoded separately."""

    id: str | int
    bookmakers: dict[str, msgspec.Raw] = {}
