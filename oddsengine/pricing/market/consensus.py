"""What several sources hold a market's fair probabilities to be, together: their weighted median, without outliers.

The median stands where one source is wrong, however wrong it is, as long as the others outweigh it (Edgeworth, "On a new
method of reducing observations", 1888, for its weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.market.incremental_book import coherence
from oddsengine.pricing.methods.implied import FairPriceInputs, implied, priced_together

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SourceMarket


class Opinion(NamedTuple):
    """What one source holds to be fair, by selection, and its weight."""

    source: str
    fair: Mapping[str, float]
    weight: float


class Consensus(NamedTuple):
    """The common fair probabilities, who they rest on, and who was too far off."""

    fair: dict[str, float]
    used: tuple[str, ...]
    outliers: tuple[str, ...]


def opinion(market: SourceMarket, definition: MarketDefinition, profile: Profile, weight: float) -> Opinion | None:
    """Read a source's fair probabilities, as a profile believes them; None where it has none for every selection.

    Args:
        market: the source's books.
        definition: what the source says the market is.
        profile: how margins are removed and books believed.
        weight: the source's.
    """
    fair: dict[str, float] = {}
    belief = FairPriceInputs.of(profile)
    for group in priced_together(definition):
        winners = min(definition.winners, len(group.selections))
        answers = implied([market.books.get(selection.source_id) for selection in group.selections], winners, belief)
        known = [None if answer is None else answer.probability for answer in answers]
        factor = coherence(known, winners)
        if factor is None:
            return None
        for selection, probability in zip(group.selections, known, strict=True):
            if probability is None:
                return None
            fair[selection.key] = probability * factor
    return Opinion(market.source, fair, weight) if fair else None


def priced_selections(definition: MarketDefinition) -> set[str]:
    """Name the selections that a market has prices for, if it has any."""
    return {selection.key for group in priced_together(definition) for selection in group.selections}


def agree(
    opinions: Sequence[Opinion], winners: int, outlier: float, min_sources: int, selections: set[str] | None = None
) -> Consensus | None:
    """Find the consensus of opinions on the same selections; None where too few are left.

    Args:
        opinions: at least one.
        winners: what the probabilities sum to.
        outlier: how far from the median, in probability, an opinion may be in any selection.
        min_sources: how many must be left.
        selections: what they must be opinions on, neither more nor less; None: what the first one is on.
    """
    if selections is None:
        selections = set(opinions[0].fair) if opinions else set()
    comparable = [each for each in opinions if set(each.fair) == selections]
    if len(comparable) < min_sources:
        return None
    middle = {key: weighted_median([(each.fair[key], each.weight) for each in comparable]) for key in selections}
    kept = [each for each in comparable if all(abs(each.fair[key] - middle[key]) <= outlier for key in selections)]
    if len(kept) < min_sources:
        return None
    fair = {key: weighted_median([(each.fair[key], each.weight) for each in kept]) for key in kept[0].fair}
    total = fsum(fair.values())
    out = tuple(each.source for each in opinions if each not in kept)
    return Consensus({key: each * winners / total for key, each in fair.items()}, tuple(each.source for each in kept), out)


def weighted_median(values: Sequence[tuple[float, float]]) -> float:
    """Give the value at half of the weight; between two values, the middle of them.

    Args:
        values: (value, weight over 0) pairs, at least one.
    """
    ordered = sorted(values)
    half = fsum([weight for _, weight in ordered]) / 2
    passed = 0.0
    for place, (value, weight) in enumerate(ordered):
        passed += weight
        if passed > half * (1 + 1e-12):
            return value
        if passed >= half * (1 - 1e-12) and place + 1 < len(ordered):
            return (value + ordered[place + 1][0]) / 2
    return ordered[-1][0]
