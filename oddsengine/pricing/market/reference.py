"""The plain statement of how a market is priced, from nothing and with every number on the way, for explanations."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.market.incremental_book import PricedSelection, price_book
from oddsengine.pricing.methods.implied import FairPriceInputs, implied, priced_together

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SourceMarket


class PricedMarket(NamedTuple):
    """One profile's prices of one market by selection key; `refusal` says why there are none."""

    selections: dict[str, PricedSelection]
    refusal: str | None


def price_plainly(
    market: SourceMarket, definition: MarketDefinition, profile: Profile, pooled: Mapping[str, float] | None = None
) -> PricedMarket:
    """Price a market as if nothing of it had been on offer; what `MarketBook` keeps is held equal to it.

    Args:
        market: the source's books.
        definition: what the source says the market is.
        profile: what holds for it.
        pooled: the probabilities that other lines of its ladder have changed, by selection.
    """
    if not definition.winners:
        return PricedMarket({}, "not_priceable")
    pooled = pooled or {}
    selections: dict[str, PricedSelection] = {}
    refusal: str | None = None
    for group in priced_together(definition):
        books = [market.books.get(selection.source_id) for selection in group.selections]
        winners = min(definition.winners, len(group.selections))
        keys = [selection.key for selection in group.selections]
        moved = None
        if group.rising is not None and keys[group.rising] in pooled:
            moved = (group.rising, pooled[keys[group.rising]])
        priced = price_book(keys, implied(books, winners, FairPriceInputs.of(profile)), winners, profile, moved)
        if priced is None:
            return PricedMarket({}, "incoherent")
        refusal = refusal or priced.refusal
        selections.update(zip(keys, priced.selections, strict=True))
    any_price = any(selection.raw is not None for selection in selections.values())
    return PricedMarket(selections, refusal or (None if any_price else "no_price"))
