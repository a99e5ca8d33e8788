"""One set of selections of a market, as the profiles with equal inputs for fair probabilities price it."""

from __future__ import annotations

from math import fsum, inf
from operator import attrgetter
from typing import TYPE_CHECKING, Final

from oddsengine.common import speedups
from oddsengine.domain.offered_market import MIN_FAIR_MOVE
from oddsengine.pricing.market.incremental_book import IncrementalBook
from oddsengine.pricing.market.quoting import with_pooled
from oddsengine.pricing.methods.bounds import BOUND_ERROR, COHERENT, bounds, fit, implied_bounds
from oddsengine.pricing.methods.fair import fair_from_offers
from oddsengine.pricing.methods.implied import ConsensusBook, implied, implied_by_exchange
from oddsengine.sourcing.selection_book import SelectionBook

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import PriceSize
    from oddsengine.pricing.market.outcomes import OutcomeGroup
    from oddsengine.pricing.methods.implied import FairPriceInputs
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SourceMarket

#: What no factor is between, and what no sum of bounds is.
_CROSSED: Final = (inf, -inf)
#: In place of a book that a source does not have.
_NO_BOOK: Final = SelectionBook()
#: By how much a fair probability must move to be published without a price that moves; a millionth is rounded.
_MIN_FAIR_MOVE: Final = (MIN_FAIR_MOVE + 1) / 1_000_000
#: How much closer than its bounds a probability must be to be within them whatever the float error.
_SAFE: Final = 1.0 + 1e-12


class PricedGroup:
    """The probabilities and prices of a set of selections whose probabilities sum to the number of winners.

    Args:
        outcomes: the selections.
        market: the source's books of them.
        inputs: the settings that fair probabilities depend on.
        profiles: the profiles with these inputs.
    """

    __slots__ = (
        "_best_offers",
        "_ceilings",
        "_fair_at_change",
        "_floors",
        "_is_joint",
        "_is_one_of_many",
        "_market",
        "_max_factors",
        "_min_factors",
        "_priced",
        "_version_of",
        "_versioned",
        "_versions",
        "books",
        "expires_ms",
        "factor",
        "fitted",
        "has_prices",
        "highs",
        "incremental",
        "inputs",
        "inverses",
        "is_dirty",
        "line",
        "lows",
        "pooled",
        "probabilities",
        "quote_sum",
        "refusal",
        "rising",
        "selections",
        "updated",
        "winners",
    )

    def __init__(self, outcomes: OutcomeGroup, market: SourceMarket, inputs: FairPriceInputs, profiles: list[Profile]) -> None:
        selections = outcomes.selections
        self.selections = selections
        self.line = outcomes.line
        self.rising = outcomes.rising
        self._market = market
        self._is_one_of_many = outcomes.is_one_of_many
        self.books: list[SelectionBook | None] = outcomes.books(market)
        #: the same, for their versions: deep in an order book nothing is read, unless its depth is limited
        self._versioned = [_NO_BOOK if book is None else book for book in self.books]
        self._version_of = attrgetter("version" if inputs.limits.min_depth else "best_version")
        #: the version of each book at the last call of `imply`, -1 before the first
        self._versions = [0 if book is None else -1 for book in self.books]
        self.inputs = inputs
        self.winners = outcomes.winners
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        #: what each selection's own offers allow
        self.lows: list[float] = [0.0] * len(selections)
        self.highs: list[float] = [1.0] * len(selections)
        #: the best offers that these follow from
        self._best_offers: list[tuple[PriceSize | None, PriceSize | None] | None] = [None] * len(selections)
        #: the least and the most that each selection can take of the winners: its probability, or its bounds where it has none
        self._floors = [0.0] * len(selections)
        self._ceilings = [1.0] * len(selections)
        #: between which the factor of a complete set leaves each probability within its bounds
        self._min_factors = [inf] * len(selections)
        self._max_factors = [-inf] * len(selections)
        #: the sum of a bookmaker's inverse odds, per winner, where it quotes every selection
        self.quote_sum: float | None = None
        #: makes the probabilities sum to the winners; None where they contradict each other
        self.factor: float | None = None
        #: the fair probabilities, where the implied ones times `factor` would leave their bounds
        self.fitted: list[float | None] | None = None
        #: why the set may not be open, by its probabilities
        self.refusal: str | None = None
        #: when a last trade that is used becomes too old, Unix milliseconds
        self.expires_ms = inf
        #: the indices of the books that had changed at the last call of `imply` with changes, and at refused ones before it
        self.updated: list[int] = []
        #: whether no selection's probability follows from its own book alone
        self._is_joint = (
            inputs.limits.normalise != "multiplicative"
            or inputs.limits.last_traded
            or outcomes.is_one_of_many
            or self.winners >= len(selections)
            or any(type(book) is ConsensusBook for book in self.books)
        )
        self.has_prices = False
        #: the rising side's probability after pooling with the other lines of its ladder, None where they agree with it
        self.pooled: float | None = None
        #: whether there is something to price
        self.is_dirty = True
        #: the inverse probabilities at the last call of `price`
        self._priced: list[float | None] = [None] * len(selections)
        #: the fair probabilities at the last change of each selection, where prices may not follow them
        self._fair_at_change = [0.0] * len(selections)
        self.incremental = IncrementalBook([selection.key for selection in selections], self.winners, profiles)

    def imply(self, now_ms: float = 0.0) -> str | None:
        """Update the probabilities from the books that changed. Return why the set may not be open, None if it may.

        Args:
            now_ms: Unix milliseconds, for the ages of last trades.
        """
        indices = self._changed_books()
        if indices:
            # What was refused has not been looked at: its updates count with the next ones.
            self.updated = indices if self.refusal is None else sorted({*self.updated, *indices})
        elif self.factor is not None and now_ms < self.expires_ms:
            return None
        has_moved = None if self._is_joint else self._imply_singly(indices)
        if has_moved is None:
            self._is_joint = True
            has_moved = self._imply_jointly(now_ms)
        if has_moved or self.factor is None:
            self._fit()
        return self.refusal

    def _changed_books(self) -> list[int]:
        """Return the indices of the books that have changed since the last call."""
        if speedups.pricing is not None and not self._is_joint and not self.inputs.limits.min_depth:
            return speedups.pricing.changed_books(self._versioned, self._versions)
        versions, before = [*map(self._version_of, self._versioned)], self._versions
        if versions == before:
            return []
        self._versions = versions
        return [index for index, version in enumerate(versions) if version != before[index]]

    def _imply_singly(self, indices: list[int]) -> bool | None:
        """Update the probabilities of selections from their own books. Return whether one or its bounds have changed.

        Return None where one is quoted by a bookmaker, from which nothing follows without the others.
        """
        limits = self.inputs.limits
        if speedups.pricing is not None and not limits.min_depth:
            return speedups.pricing.imply_singly(self, indices, limits.max_spread, limits.min_size)
        books, best_offers = self._versioned, self._best_offers
        if any(books[index].quote is not None for index in indices):
            return None
        has_moved = False
        for index in indices:
            best = back, lay = books[index].best()
            if limits.min_depth:
                answer = implied_by_exchange(books[index], limits)
                probability = None if answer is None else answer.probability
            elif best == best_offers[index]:
                continue
            else:
                probability = fair_from_offers(back, lay, limits)
            best_offers[index] = best
            low, high = bounds(back, lay)
            has_own_moved = self._set(index, probability)
            if low != self.lows[index] or high != self.highs[index]:
                self.lows[index], self.highs[index] = low, high
                has_own_moved = True
            if has_own_moved:
                self._set_limits(index)
                has_moved = True
        return has_moved

    def _imply_jointly(self, now_ms: float) -> bool:
        """Update all probabilities. Return whether one, its bounds or the refusal have changed."""
        answers = implied(self.books, self.winners, self.inputs, self._market, now_ms, is_one_of_many=self._is_one_of_many)
        has_moved = (self.lows, self.highs, self.refusal) != (answers.lows, answers.highs, answers.refusal)
        self.lows, self.highs, self.refusal = answers.lows, answers.highs, answers.refusal
        self.quote_sum, self.expires_ms = answers.quote_sum, answers.expires_ms
        for index, answer in enumerate(answers.fair):
            if self._set(index, None if answer is None else answer.probability):
                has_moved = True
            self._set_limits(index)
        return has_moved

    def _set(self, index: int, probability: float | None) -> bool:
        """Set a probability. Return whether it changed."""
        if probability == self.probabilities[index]:
            return False
        self.probabilities[index] = probability
        self.inverses[index] = None if probability is None else 1.0 / probability
        return True

    def _set_limits(self, index: int) -> None:
        """Set what `_is_within` compares of a selection."""
        inverse, low, high = self.inverses[index], self.lows[index], self.highs[index]
        if inverse is None:
            self._floors[index], self._ceilings[index] = (low, high) if low <= high else _CROSSED
            self._min_factors[index], self._max_factors[index] = _CROSSED
        else:
            self._floors[index] = self._ceilings[index] = self.probabilities[index] or 0.0
            self._min_factors[index], self._max_factors[index] = low * inverse * _SAFE, high * inverse / _SAFE

    def _is_within(self) -> float | None:
        """Return the factor where all probabilities are clearly within their bounds, as for most updates; None to look closer.

        A complete set is, if its factor moves none out of its bounds. An incomplete one is, if what is missing can take up the
        rest.
        """
        winners = self.winners
        if None in self.probabilities:
            return 1.0 if fsum(self._floors) <= winners <= fsum(self._ceilings) else None
        total = fsum(self._floors)
        if not COHERENT[0] * winners <= total <= COHERENT[1] * winners:
            return None
        factor = winners / total
        return factor if max(self._min_factors) <= factor <= min(self._max_factors) else None

    def _common_factor(self) -> float | None:
        found = NotImplemented if speedups.pricing is None else speedups.pricing.common_factor(self)
        return self._is_within() if found is NotImplemented else found

    def _fit(self) -> None:
        self.fitted = None
        if self._is_joint and self.refusal is not None:
            self.factor = None
        else:
            self.factor = self._common_factor()
            if self.factor is None:
                found = fit(self.probabilities, self.lows, self.highs, self.winners)
                self.factor, self.fitted = (None, None) if found is None else found
            self.refusal = "incoherent" if self.factor is None else None
        if self.pooled is not None and self.rising_probability() is None:
            self.pooled = None
        self.is_dirty = True
        self.has_prices = any(self.probabilities)

    def rising_probability(self) -> float | None:
        """Return the fair probability of the side that gets likelier with the line, by this line's own book."""
        if self.rising is None or self.factor is None:
            return None
        if self.fitted is not None:
            return self.fitted[self.rising]
        probability = self.probabilities[self.rising]
        return None if probability is None else probability * self.factor

    def pool(self, probability: float | None) -> bool:
        """Set the rising side's pooled probability. Return whether it changed."""
        if probability == self.pooled:
            return False
        self.pooled = probability
        self.is_dirty = True
        return True

    def allows(self, probability: float) -> bool:
        """Check whether the books allow a probability of the rising side."""
        if self.rising is None:
            return True
        low, high = implied_bounds(self.lows, self.highs, self.winners, self.rising)
        return low - BOUND_ERROR <= probability <= high + BOUND_ERROR

    def fair(self) -> list[float | None]:
        """Return the fair probabilities that are priced."""
        fair = self.fitted
        if fair is None:
            factor = self.factor or 1.0
            fair = [None if probability is None else probability * factor for probability in self.probabilities]
        if self.pooled is not None and self.rising is not None:
            return with_pooled(fair, self.rising, self.pooled)
        return fair

    def fair_of(self, index: int) -> float | None:
        """Return the fair probability of one selection."""
        if self.pooled is not None or self.fitted is not None:
            return self.fair()[index]
        probability = self.probabilities[index]
        return None if probability is None else probability * (self.factor or 1.0)

    def price(self, *, fresh: bool) -> set[int]:
        """Price what has moved. Return the indices whose prices changed, or whose fair probabilities left them behind.

        Args:
            fresh: whether nothing is on offer, so that no earlier price damps the new ones.
        """
        if self.factor is None:
            return set()
        if self.pooled is not None or self.fitted is not None:
            inverses, factor = [None if each is None else 1.0 / each for each in self.fair()], 1.0
        else:
            inverses, factor = [*self.inverses], self.factor
        differing = _differing if speedups.pricing is None else speedups.pricing.differing
        moved = differing(self._priced, inverses)
        self._priced = inverses
        changed = self.incremental.update(inverses, factor, moved, self.lows, fresh=fresh)
        self.is_dirty = not self.incremental.settled
        if self.incremental.is_joint:
            self._add_moved(inverses, factor, changed)
        return changed

    def _add_moved(self, inverses: list[float | None], factor: float, changed: set[int]) -> None:
        """Add the selections whose fair probabilities have moved far from those of their last change.

        Prices that follow from their own fair odds alone move with them; others are held, damped or set by a person.
        """
        at_change = self._fair_at_change
        for index, inverse in enumerate(inverses):
            fair = 0.0 if inverse is None else factor / inverse
            if index in changed or abs(fair - at_change[index]) > _MIN_FAIR_MOVE:
                at_change[index] = fair
                changed.add(index)

    def best(self, index: int) -> int | None:
        """Return the longest price of a selection in any of the profiles, in thousandths; None while the set may not be open."""
        if self.factor is None:
            return None
        return max((price for prices in self.incremental.prices if (price := prices[index]) is not None), default=None)


def _differing(before: list[float | None], now: list[float | None]) -> list[int]:
    """Return the indices of the numbers that are no longer those of before."""
    return [index for index, number in enumerate(now) if number != before[index]]
