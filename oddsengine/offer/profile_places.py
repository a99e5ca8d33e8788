"""Moves what markets have for each profile, prices and terms, to the places that the profiles have in another list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from oddsengine.domain.changes import MarketTerms

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.domain.changes import MarketRecord

_NO_TERMS = MarketTerms()


def move_profiles(markets: Iterable[MarketRecord], before: Sequence[str], after: Sequence[str]) -> None:
    """Move the prices and terms of markets to the entries of other profiles. A profile that is new has no prices and no terms.

    Args:
        markets: the markets, which are changed.
        before: the names of the profiles in the order of their prices.
        after: those that they are to have.
    """
    places = [before.index(name) if name in before else None for name in after]
    for market in markets:
        terms = market.state.terms
        if terms:
            moved = tuple([_NO_TERMS if place is None else terms[place] for place in places])
            market.state = msgspec.structs.replace(market.state, terms=moved)
        for selection in market.selections.values():
            prices = selection.prices
            selection.prices = tuple([None if place is None else prices[place] for place in places])
