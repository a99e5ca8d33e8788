"""Why a price is what it is: every number from what the sources said to what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from oddsengine.markets.odds import to_decimal

if TYPE_CHECKING:
    from oddsengine.books.source_book import SourceBook, SourceMarket
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.markets.ids import MarketId
    from oddsengine.pricing.book import PricedSelection
    from oddsengine.pricing.pricer import PricedMarket
    from oddsengine.pricing.profile import Profile


def explain(pipeline: Pipeline, market: MarketId) -> dict[str, Any] | None:
    """Describe, for each selection, what each source said and when, and each profile's steps to the published price.

    None for a market that is not on offer.
    """
    offer = pipeline.offers[pipeline.shard_of_market(market)]
    record = offer.markets.get(market)
    if record is None:
        return None
    quoting = list(pipeline.quoting(market))
    priced: dict[str, PricedMarket] = {}
    priced_by: str | None = None
    for book, source_market in quoting:
        definition = source_market.definition
        if definition is not None and book.health == "live":
            priced_by = book.source
            if definition.status == "open":
                priced = pipeline.pricer.explain(source_market, definition)
            break
    return {
        "market": market,
        "status": record.state.status,
        "reason": record.state.reason,
        "v": record.v,
        "priced_by": priced_by,
        "sources": [_source(book, source_market) for book, source_market in quoting],
        "selections": {
            key: {
                "name": selection.name,
                "status": selection.status,
                "said": [said for book, source_market in quoting if (said := _said(book, source_market, key))],
                "profiles": {
                    name: _steps(name, profile, priced[name].selections.get(key) if name in priced else None, published)
                    for (name, profile), published in zip(pipeline.pricer.profiles.items(), selection.prices, strict=True)
                },
            }
            for key, selection in record.selections.items()
        },
    }


def _source(book: SourceBook, market: SourceMarket) -> dict[str, Any]:
    definition = market.definition
    return {
        "source": book.source,
        "market": market.source_id,
        "health": book.health,
        "health_reason": book.health_reason,
        "status": definition.status if definition else None,
        "updated_ms": market.updated_ms,
    }


def _said(book: SourceBook, market: SourceMarket, key: str) -> dict[str, Any] | None:
    definition = market.definition
    if definition is None:
        return None
    for selection in definition.selections:
        if selection.key == key:
            prices = market.books.get(selection.source_id)
            back, lay = prices.best() if prices else (None, None)
            return {
                "source": book.source,
                "selection": selection.source_id,
                "status": selection.status,
                "back": back,
                "lay": lay,
                "last": prices.last if prices else None,
                "quote": prices.quote if prices else None,
                "updated_ms": market.updated_ms,
            }
    return None


def _steps(name: str, profile: Profile, priced: PricedSelection | None, published: int | None) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    if priced is not None and priced.raw is not None:
        steps = [
            {"step": "implied", "basis": priced.basis, "probability": priced.raw},
            {"step": "coherent", "probability": priced.fair},
            {"step": "margin", "method": profile.method, "book_sum": profile.book_sum, "odds": priced.quoted},
            {
                "step": "ladder",
                "ladder": profile.ladder,
                "odds": to_decimal(priced.price) if priced.price is not None else None,
            },
        ]
    return {
        "rule": f"profiles.{name}",
        "fair": priced.fair if priced is not None else None,
        "steps": steps,
        "price": to_decimal(published) if published is not None else None,
    }
