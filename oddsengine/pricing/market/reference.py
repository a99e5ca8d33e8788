"""The reference pricing of a market: from scratch, with every number on the way. Explanations are made of it.

`MarketBook` arrives at the same prices at the cost of what changed; a property test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.market.quoting import coherence, quote_book, with_pooled
from oddsengine.pricing.market.rounding import round_book
from oddsengine.pricing.methods.fair import Basis
from oddsengine.pricing.methods.implied import implied, outcome_groups

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.methods.fair import Fair
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SourceMarket


class PricedSelection(NamedTuple):
    """Every number on the way to one profile's price of one selection, None from the first step without a result.

    `raw` is what the source implies, `fair` the same made coherent with the other selections and lines, `quoted` decimal
    odds with margin before rounding, `price` thousandths on the ladder.
    """

    raw: float | None
    basis: Basis | None
    fair: float | None
    quoted: float | None
    price: int | None


_UNPRICED = PricedSelection(None, None, None, None, None)


class PricedBook(NamedTuple):
    """A priced set of selections; `refusal` says why it may not be open, None if it may."""

    selections: list[PricedSelection]
    refusal: str | None


class PricedMarket(NamedTuple):
    """One profile's prices of one market by selection key; `refusal` says why there are none."""

    selections: dict[str, PricedSelection]
    refusal: str | None


def reference_prices(
    market: SourceMarket, definition: MarketDefinition, profile: Profile, pooled: Mapping[str, float] | None = None
) -> PricedMarket:
    """Price a market of which nothing has been on offer yet.

    Args:
        market: the source's books.
        definition: the market.
        profile: the settings that apply to it.
        pooled: the probabilities changed by the other lines of its ladder, by selection.
    """
    if not definition.winners:
        return PricedMarket({}, "not_priceable")
    pooled = pooled or {}
    selections: dict[str, PricedSelection] = {}
    refusal: str | None = None
    for group in outcome_groups(definition):
        books = [market.books.get(selection.source_id) for selection in group.selections]
        winners = min(definition.winners, len(group.selections))
        keys = [selection.key for selection in group.selections]
        group_pooled = None
        if group.rising is not None and keys[group.rising] in pooled:
            group_pooled = (group.rising, pooled[keys[group.rising]])
        priced = price_book(keys, implied(books, winners, profile.fair_price_inputs), winners, profile, group_pooled)
        if priced is None:
            return PricedMarket({}, "incoherent")
        refusal = refusal or priced.refusal
        selections.update(zip(keys, priced.selections, strict=True))
    has_prices = any(selection.raw is not None for selection in selections.values())
    return PricedMarket(selections, refusal or (None if has_prices else "no_price"))


def price_book(
    keys: Sequence[str],
    raw: Sequence[Fair | None],
    winners: int,
    profile: Profile,
    pooled: tuple[int, float] | None = None,
) -> PricedBook | None:
    """Price a set of selections from scratch; None if their probabilities contradict each other.

    Args:
        keys: of the selections.
        raw: what the source implies of them.
        winners: how many of them win.
        profile: the settings.
        pooled: the index of a selection, and its probability after pooling with the other lines.
    """
    factor = coherence([None if answer is None else answer.probability for answer in raw], winners)
    if factor is None:
        return None
    fair = [None if answer is None else answer.probability * factor for answer in raw]
    if pooled is not None:
        fair = with_pooled(fair, *pooled)
    inverses = [None if probability is None else 1.0 / probability for probability in fair]
    quotes = quote_book(keys, inverses, 1.0, winners, profile)
    rounded = round_book(quotes, fair, winners, profile)
    selections = [
        _UNPRICED
        if answer is None or quoted is None
        else PricedSelection(answer.probability, answer.basis, probability, quoted, price)
        for answer, probability, quoted, price in zip(raw, fair, quotes, rounded.prices, strict=True)
    ]
    return PricedBook(selections, rounded.refusal)
