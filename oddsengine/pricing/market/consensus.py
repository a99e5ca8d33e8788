"""The fair probabilities of a market by several sources together: their weighted median, without outliers.

The median holds where one source is wrong, however wrong, as long as the others outweigh it (Edgeworth, "On a new method of
reducing observations", 1888, for its weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.market.quoting import coherence
from oddsengine.pricing.methods.implied import implied, outcome_groups

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SourceMarket


class Opinion(NamedTuple):
    """One source's fair probabilities by selection, and its weight."""

    source: str
    fair: Mapping[str, float]
    weight: float


class Consensus(NamedTuple):
    """The common fair probabilities, the sources they are derived from, and those too far off."""

    fair: dict[str, float]
    used: tuple[str, ...]
    outliers: tuple[str, ...]


def opinion(market: SourceMarket, definition: MarketDefinition, profile: Profile, weight: float) -> Opinion | None:
    """Return a source's fair probabilities; None where it has none for some selection.

    Args:
        market: the source's books.
        definition: the market as the source defines it.
        profile: how margins are removed and which books are used.
        weight: the source's.
    """
    fair: dict[str, float] = {}
    inputs = profile.fair_price_inputs
    for group in outcome_groups(definition):
        winners = min(definition.winners, len(group.selections))
        answers = implied([market.books.get(selection.source_id) for selection in group.selections], winners, inputs)
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
    """Return the keys of the selections that are priced."""
    return {selection.key for group in outcome_groups(definition) for selection in group.selections}


def agree(
    opinions: Sequence[Opinion], winners: int, outlier: float, min_sources: int, selections: set[str] | None = None
) -> Consensus | None:
    """Return the consensus of opinions on the same selections; None where fewer than `min_sources` are left.

    Args:
        opinions: of all sources.
        winners: what the probabilities sum to.
        outlier: largest distance from the median, in probability, in any selection.
        min_sources: smallest number of opinions left without outliers.
        selections: which selections an opinion must cover, exactly; None for those of the first opinion.
    """
    if selections is None:
        selections = set(opinions[0].fair) if opinions else set()
    comparable = [each for each in opinions if set(each.fair) == selections]
    if len(comparable) < min_sources:
        return None
    median = {key: weighted_median([(each.fair[key], each.weight) for each in comparable]) for key in selections}
    kept = [each for each in comparable if all(abs(each.fair[key] - median[key]) <= outlier for key in selections)]
    if len(kept) < min_sources:
        return None
    fair = {key: weighted_median([(each.fair[key], each.weight) for each in kept]) for key in kept[0].fair}
    total = fsum(fair.values())
    outliers = tuple(each.source for each in opinions if each not in kept)
    return Consensus({key: each * winners / total for key, each in fair.items()}, tuple(each.source for each in kept), outliers)


def weighted_median(values: Sequence[tuple[float, float]]) -> float:
    """Return the value at half of the total weight; between two values, their mean.

    Args:
        values: (value, weight over 0) pairs, at least one.
    """
    ordered = sorted(values)
    half = fsum([weight for _, weight in ordered]) / 2
    passed = 0.0
    for index, (value, weight) in enumerate(ordered):
        passed += weight
        if passed > half * (1 + 1e-12):
            return value
        if passed >= half * (1 - 1e-12) and index + 1 < len(ordered):
            return (value + ordered[index + 1][0]) / 2
    return ordered[-1][0]
