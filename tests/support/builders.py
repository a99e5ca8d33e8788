"""Builders of domain values for tests."""

from __future__ import annotations

from typing import Any

import orjson

from oddsengine.commands.command import Command, Scope
from oddsengine.domain.changes import MarketIdentity, MarketState
from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import (
    BookChange,
    EventUpdate,
    MarketDefinition,
    MarketUpdate,
    SelectionDefinition,
    SourceStatus,
    UpdateBatch,
)
from oddsengine.domain.ids import EventId, MarketId, SelectionKey
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection


def an_event(key: str = "e1", *, sport: str = "football", competition: str = "cup", **fields: Any) -> Event:
    return Event(
        id=EventId(key), sport=sport, competition=Competition(competition, competition.title()), name=key.title(), **fields
    )


def an_offer_of(
    key: str = "e1/match_odds",
    prices: dict[str, int | None] | None = None,
    *,
    status: str = "open",
    reason: str | None = None,
) -> OfferedMarket:
    """A market to be published, with one profile's prices by selection."""
    prices = {"home": 2000, "away": 1800} if prices is None else prices
    return OfferedMarket(
        MarketId(key),
        MarketIdentity(EventId(key.partition("/")[0]), "match_odds", "ft", None, 1),
        MarketState(status, reason, in_play=False),  # type: ignore[arg-type]
        {name: OfferedSelection(name, "active", (price,)) for name, price in prices.items()},
    )


def a_definition(
    market: str = "e1/match_odds",
    selections: tuple[str, ...] = ("home", "away"),
    *,
    status: str = "open",
    winners: int = 1,
    removed: tuple[str, ...] = (),
    **fields: Any,
) -> MarketDefinition:
    """A source's definition of a market; the source's ids of the selections are `s-<key>`."""
    return MarketDefinition(
        id=MarketId(market),
        event=EventId(market.partition("/")[0]),
        type=fields.pop("type", "match_odds" if "draw" in selections else "moneyline"),
        winners=winners,
        status=status,  # type: ignore[arg-type]
        selections=tuple(
            SelectionDefinition(f"s-{key}", SelectionKey(key), key.title(), "removed" if key in removed else "active")
            for key in selections
        ),
        **fields,
    )


def a_quote(selection: str, odds: float, *, spread: float = 0.01, size: float = 100.0) -> BookChange:
    """A change of the best level on both sides, around decimal odds."""
    return BookChange(f"s-{selection}", back_levels=[(0, odds * (1 - spread), size)], lay_levels=[(0, odds * (1 + spread), size)])


def a_batch(*updates: Any, source: str = "src", at_ms: int = 1) -> UpdateBatch:
    return UpdateBatch(source, at_ms, list(updates))


def live(source: str = "src") -> UpdateBatch:
    return a_batch(SourceStatus("live", "test"), source=source)


def market_updates(definition: MarketDefinition, *books: BookChange, source_id: str = "1.1", image: bool = True) -> list[Any]:
    """The updates of a market with its books, and of its event."""
    return [EventUpdate(an_event(definition.event)), MarketUpdate(source_id, image, definition, list(books))]


def betfair_market(market: str = "1.1", *runners: int | tuple[int, float], **definition: Any) -> dict[str, Any]:
    """A Betfair market image without prices."""
    ids = [runner if isinstance(runner, tuple) else (runner, 0.0) for runner in runners or (11, 22)]
    return {
        "id": market,
        "img": True,
        "marketDefinition": {
            "status": "OPEN",
            "eventId": "900",
            "eventTypeId": "2",
            "marketType": "MATCH_ODDS",
            "numberOfWinners": 1,
            "inPlay": False,
            "version": 1,
            "runners": [
                {"id": runner, "status": "ACTIVE", "sortPriority": place, **({"hc": handicap} if handicap else {})}
                for place, (runner, handicap) in enumerate(ids, start=1)
            ],
            **definition,
        },
    }


def mcm(*changes: dict[str, Any], pt: int = 1000, **fields: Any) -> bytes:
    """A Betfair market change message."""
    return orjson.dumps({"op": "mcm", "pt": pt, "clk": "c", "mc": list(changes), **fields})


def a_command(action: Any, *, key: str = "c1", at_ms: int = 10, values: Any = None, **fields: Any) -> Command:
    """A command; the fields of a scope may stand among those of the command."""
    scope = {name: fields.pop(name) for name in Scope.__struct_fields__ if name in fields}
    return Command(
        id=key,
        author="ann",
        action=action,
        scope=Scope(**scope),
        created_ms=at_ms,
        values=values,
        **fields,
    )
