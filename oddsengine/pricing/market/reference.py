"""The reference pricing of a market: from scratch, with every number on the way. Explanations are made of it.

`MarketBook` arrives at the same prices at the cost of what changed; a property test holds the two equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.market.outcomes import has_winners, outcome_groups, refusal_of
from oddsengine.pricing.market.quoting import quote_book, with_pooled
from oddsengine.pricing.market.rounding import round_book, with_fixed
from oddsengine.pricing.methods.bounds import fit
from oddsengine.pricing.methods.fair import Basis
from oddsengine.pricing.methods.implied import implied
from oddsengine.pricing.methods.margin import SEVERAL_WINNERS

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
    market: SourceMarket,
    definition: MarketDefinition,
    profile: Profile,
    pooled: Mapping[str, float] | None = None,
    now_ms: float = 0.0,
) -> PricedMarket:
    """Price a market of which nothing has been on offer yet.

    Args:
        market: the source's books.
        definition: the market.
        profile: the settings that apply to it.
        pooled: the probabilities changed by the other lines of its ladder, by selection.
        now_ms: Unix milliseconds, for the ages of last trades.
    """
    if not has_winners(definition):
        return PricedMarket({}, "not_priceable")
    refusal = refusal_of(definition)
    groups = outcome_groups(definition)
    if any(group.winners > 1 for group in groups) and profile.method not in SEVERAL_WINNERS:
        refusal = refusal or "method"
    if refusal is not None:
        return PricedMarket({}, refusal)
    pooled = pooled or {}
    selections: dict[str, PricedSelection] = {}
    for group in groups:
        keys = [selection.key for selection in group.selections]
        group_pooled = None
        if group.rising is not None and keys[group.rising] in pooled:
            group_pooled = (group.rising, pooled[keys[group.rising]])
        answers = implied(
            group.books(market),
            group.winners,
            profile.fair_price_inputs,
            market,
            now_ms,
            is_one_of_many=group.is_one_of_many,
        )
        if answers.refusal is not None:
            return PricedMarket({}, answers.refusal)
        priced = price_book(keys, answers.fair, group.winners, profile, group_pooled, answers.lows, answers.highs)
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
    lows: Sequence[float] = (),
    highs: Sequence[float] = (),
) -> PricedBook | None:
    """Price a set of selections from scratch; None if their probabilities contradict each other.

    Args:
        keys: of the selections.
        raw: what the source implies of them.
        winners: how many of them win.
        profile: the settings.
        pooled: the index of a selection, and its probability after pooling with the other lines.
        lows: the smallest probability that each selection's offers allow; empty where nothing bounds any.
        highs: the largest one, likewise.
    """
    lows = lows or [0.0] * len(raw)
    implied_probabilities = [None if answer is None else answer.probability for answer in raw]
    found = fit(implied_probabilities, lows, highs or [1.0] * len(raw), winners)
    if found is None:
        return None
    # In the steps of `PricedGroup` and `IncrementalBook`: balanced rounding decides ties by the last bit of its numbers.
    if pooled is None and found.fitted is None:
        inverses, factor = [None if each is None else 1.0 / each for each in implied_probabilities], found.factor
    else:
        changed = found.scaled(implied_probabilities)
        changed = changed if pooled is None else with_pooled(changed, *pooled)
        inverses, factor = [None if each is None else 1.0 / each for each in changed], 1.0
    fair = [None if inverse is None else factor / inverse for inverse in inverses]
    quotes = quote_book(keys, inverses, factor, winners, profile, lows)
    rounded = round_book(quotes, fair, winners, profile)
    if profile.fixed_prices:
        rounded = with_fixed(keys, rounded, winners, profile)
    selections = [
        _UNPRICED._replace(price=price if key in profile.fixed_prices else None)
        if answer is None or quoted is None
        else PricedSelection(answer.probability, answer.basis, probability, quoted, price)
        for key, answer, probability, quoted, price in zip(keys, raw, fair, quotes, rounded.prices, strict=True)
    ]
    return PricedBook(selections, rounded.refusal)
