"""The fair probabilities of a market by several sources together: their weighted median, without outliers.

The median holds where one source is wrong, however wrong, as long as the others outweigh it (Edgeworth, "On a new method of
reducing observations", 1888, for its weights).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import fsum, inf
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.pricing.market.outcomes import OutcomeGroup, outcome_groups, refusal_of
from oddsengine.pricing.methods.bounds import fit
from oddsengine.pricing.methods.implied import implied
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.source_book import SourceMarket

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.feed_updates import MarketDefinition


_UNBOUNDED: Final = (0.0, 1.0)


class Opinion(NamedTuple):
    """One source's fair probabilities by selection, its weight, and when a last trade behind them becomes too old.

    `bounds` are the probabilities that its offers allow, by selection; those that are missing are not bounded.
    """

    source: str
    fair: Mapping[str, float]
    weight: float
    expires_ms: float = inf
    bounds: Mapping[str, tuple[float, float]] = {}


class Consensus(NamedTuple):
    """The common fair probabilities, the sources they are derived from, those too far off, and those too old to count.

    `expires_ms` is when a last trade behind them is too old, Unix milliseconds. `bounds` are the probabilities that the offers of
    all the sources used allow: nobody may back a selection here and lay it at one of them.
    """

    fair: dict[str, float]
    used: tuple[str, ...]
    outliers: tuple[str, ...]
    old: tuple[str, ...] = ()
    expires_ms: float = inf
    bounds: Mapping[str, tuple[float, float]] = {}


class Member(NamedTuple):
    """A source of a consensus: its books, its sets of selections, and its weight.

    `profile` is how its margin is removed and which of its books are used; None for the profile of all.
    """

    market: SourceMarket
    groups: Mapping[frozenset[str], OutcomeGroup]
    weight: float
    profile: Profile | None = None


class Opinions:
    """The last opinions of the sources of a market. One is formed again only where something that it follows from has changed."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        #: (source, selections) -> what its opinion follows from, and the opinion
        self._known: dict[tuple[str, frozenset[str]], tuple[tuple[object, ...], Opinion | None]] = {}

    def form(self, member: Member, keys: frozenset[str], winners: int, profile: Profile, now_ms: float) -> Opinion | None:
        """Return a source's opinion on a set of its selections; see `opinion`."""
        market, group, profile = member.market, member.groups[keys], member.profile or profile
        if profile.exchange.last_traded or profile.exchange.min_depth:
            # It also follows from the time, or from what is deep in the books.
            return opinion(market, group, winners, profile, member.weight, now_ms)
        origin = (
            # One that was withdrawn and is back counts its moves anew.
            market,
            market.moves,
            market.books,
            len(market.books),
            market.quotes_at_removal is None,
            group,
            winners,
            profile,
            member.weight,
        )
        known = self._known.get((market.source, keys))
        if known is not None and known[0] == origin:
            return known[1]
        found = opinion(market, group, winners, profile, member.weight, now_ms)
        self._known[market.source, keys] = origin, found
        return found

    def keep(self, sources: AbstractSet[str]) -> None:
        """Drop the opinions of all sources but these."""
        if any(source not in sources for source, _ in self._known):
            self._known = {key: known for key, known in self._known.items() if key[0] in sources}


def groups_by_keys(definition: MarketDefinition) -> dict[frozenset[str], OutcomeGroup]:
    """Return the sets of selections that sum to their winners, by their keys; none for a market that may not be open."""
    if refusal_of(definition) is not None:
        return {}
    return {frozenset([selection.key for selection in group.selections]): group for group in outcome_groups(definition)}


def agree_by_line(
    members: Sequence[Member], profile: Profile, outlier: float, min_sources: int, now_ms: float, known: Opinions
) -> Consensus | None:
    """Return the consensus on each set of selections by itself; None if there is none.

    A market of several lines has one set a line, and a line that too few sources agree on has no probabilities. A source with
    other selections, say without a draw, has prices of another market.

    Args:
        members: the sources; the first one's selections are priced.
        profile: how margins are removed and which books are used.
        outlier: as for `agree`.
        min_sources: as for `agree`.
        now_ms: Unix milliseconds, for the ages of last trades.
        known: the last opinions of the market's sources.
    """
    expires_ms = inf
    fair: dict[str, float] = {}
    bounds: dict[str, tuple[float, float]] = {}
    used: dict[str, None] = {}
    outliers: dict[str, None] = {}
    for keys in members[0].groups:
        winners = members[0].groups[keys].winners
        opinions: list[Opinion] = []
        silent: list[Opinion] = []
        for member in members:
            if keys not in member.groups:
                outliers[member.market.source] = None
            elif (found := known.form(member, keys, winners, profile, now_ms)) is not None:
                (opinions if found.fair else silent).append(found)
        consensus = agree(opinions, winners, outlier, min_sources)
        if consensus is not None:
            consensus = _within_offers(consensus, silent, outlier)
            if len(members[0].groups) == 1 and not outliers:
                return consensus
            fair |= consensus.fair
            bounds |= consensus.bounds
            used |= dict.fromkeys(consensus.used)
            outliers |= dict.fromkeys(consensus.outliers)
            expires_ms = min(expires_ms, consensus.expires_ms)
    return Consensus(fair, tuple(used), tuple(outliers), expires_ms=expires_ms, bounds=bounds) if fair else None


def opinion(
    market: SourceMarket, group: OutcomeGroup, winners: int, profile: Profile, weight: float, now_ms: float = 0.0
) -> Opinion | None:
    """Return a source's fair probabilities, none where it has none for some selection; None where they can't be true.

    Args:
        market: the source's books.
        group: the selections.
        winners: how many of them win.
        profile: how margins are removed and which books are used.
        weight: the source's.
        now_ms: Unix milliseconds, for the ages of last trades.
    """
    inputs = profile.fair_price_inputs
    answers = implied(group.books(market), winners, inputs, market, now_ms, is_one_of_many=group.is_one_of_many)
    if answers.refusal is not None:
        return None
    keys = [str(selection.key) for selection in group.selections]
    bounds = dict(zip(keys, zip(answers.lows, answers.highs, strict=True), strict=True))
    known = [answer.probability for answer in answers.fair if answer is not None]
    if len(known) < len(answers.fair):
        return Opinion(market.source, {}, weight, bounds=bounds)
    found = fit(known, answers.lows, answers.highs, winners)
    if found is None:
        return None
    fair = {key: each for key, each in zip(keys, found.scaled(known), strict=True) if each is not None}
    return Opinion(market.source, fair, weight, answers.expires_ms, bounds)


def agree(opinions: Sequence[Opinion], winners: int, outlier: float, min_sources: int) -> Consensus | None:
    """Return the consensus of opinions on the same selections; None where fewer than `min_sources` are left.

    Args:
        opinions: of all sources; those on other selections than the first are left out.
        winners: what the probabilities sum to.
        outlier: largest distance from the median, in probability, in any selection.
        min_sources: smallest number of opinions left without outliers.
    """
    comparable = [each for each in opinions if each.fair.keys() == opinions[0].fair.keys()]
    if len(comparable) < min_sources:
        return None
    median = {key: weighted_median([(each.fair[key], each.weight) for each in comparable]) for key in opinions[0].fair}
    kept = [each for each in comparable if all(abs(each.fair[key] - at) <= outlier for key, at in median.items())]
    if len(kept) < min_sources:
        return None
    fair = {key: weighted_median([(each.fair[key], each.weight) for each in kept]) for key in kept[0].fair}
    total = fsum(fair.values())
    outliers = tuple(each.source for each in opinions if each not in kept)
    return Consensus(
        {key: each * winners / total for key, each in fair.items()},
        tuple(each.source for each in kept),
        outliers,
        expires_ms=min(each.expires_ms for each in kept),
        bounds={key: _bounds(key, kept) for key in fair},
    )


def _within_offers(consensus: Consensus, silent: Sequence[Opinion], outlier: float) -> Consensus:
    """Bound a consensus by the lays of sources without an opinion too: what one shows of a side can be taken all the same.

    One that is too far off is left out, as an outlier is.
    """
    lows = [
        {key: low for key, (low, _) in each.bounds.items()}
        for each in silent
        if all(each.bounds.get(key, _UNBOUNDED)[0] <= fair + outlier for key, fair in consensus.fair.items())
    ]
    if not any(any(each.values()) for each in lows):
        return consensus
    bounds = dict(consensus.bounds)
    for key, (low, high) in consensus.bounds.items():
        most = max(low, *(each.get(key, 0.0) for each in lows))
        bounds[key] = (most, max(most, high))
    return consensus._replace(bounds=bounds)


def _bounds(key: str, opinions: Sequence[Opinion]) -> tuple[float, float]:
    """Return what all sources' offers allow of a selection; where they contradict each other, what the laying ones allow."""
    low = max(each.bounds.get(key, _UNBOUNDED)[0] for each in opinions)
    return low, max(low, min(each.bounds.get(key, _UNBOUNDED)[1] for each in opinions))


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
