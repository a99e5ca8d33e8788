"""One set of selections of a market, as the profiles with equal inputs for fair probabilities price it."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final

from oddsengine.pricing.market.incremental_book import IncrementalBook
from oddsengine.pricing.market.quoting import with_pooled
from oddsengine.pricing.methods.bounds import BOUND_ERROR, bounds, fit, implied_bounds
from oddsengine.pricing.methods.implied import ConsensusBook, implied, implied_by_exchange

if TYPE_CHECKING:
    from oddsengine.pricing.market.outcomes import OutcomeGroup
    from oddsengine.pricing.methods.implied import FairPriceInputs
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SelectionBook, SourceMarket

#: The bounds of a selection without offers.
_UNBOUNDED: Final = (0.0, 1.0)


class PricedGroup:
    """The probabilities and prices of a set of selections whose probabilities sum to the number of winners.

    Args:
        outcomes: the selections.
        market: the source's books of them.
        inputs: the settings that fair probabilities depend on.
        profiles: the profiles with these inputs.
    """

    __slots__ = (
        "_is_joint",
        "_is_one_of_many",
        "_market",
        "_versions",
        "books",
        "dirty",
        "expires_ms",
        "factor",
        "fitted",
        "has_prices",
        "highs",
        "incremental",
        "inputs",
        "inverses",
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
        #: the version of each book at the last call of `imply`, -1 before the first
        self._versions = [-1] * len(selections)
        self.inputs = inputs
        self.winners = outcomes.winners
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        #: what each selection's own offers allow
        self.lows: list[float] = [0.0] * len(selections)
        self.highs: list[float] = [1.0] * len(selections)
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
        #: the indices of the books that had changed at the last call of `imply` with changes
        self.updated: list[int] = []
        #: whether no selection's probability follows from its own book alone
        self._is_joint = (
            inputs.limits.normalise != "multiplicative"
            or inputs.limits.last_traded
            or outcomes.is_one_of_many
            or self.winners >= len(selections)
        )
        self.has_prices = False
        #: the rising side's probability after pooling with the other lines of its ladder, None where they agree with it
        self.pooled: float | None = None
        #: the indices to price, None where there is nothing to do
        self.dirty: list[int] | None = []
        self.incremental = IncrementalBook([selection.key for selection in selections], self.winners, profiles)

    def imply(self, now_ms: float = 0.0) -> str | None:
        """Update the probabilities from the books that changed. Return why the set may not be open, None if it may.

        Args:
            now_ms: Unix milliseconds, for the ages of last trades.
        """
        books, versions = self.books, self._versions
        indices = [index for index, book in enumerate(books) if book is not None and book.version != versions[index]]
        if not indices and self.factor is not None and now_ms < self.expires_ms:
            return None
        if indices:
            self.updated = indices
        for index in indices:
            book = books[index]
            if book is not None:
                versions[index] = book.version
                if book.quote is not None or type(book) is ConsensusBook:
                    self._is_joint = True
        moved: list[int] = []
        if self._is_joint:
            is_moved = self._imply_jointly(now_ms, moved)
        else:
            is_moved = False
            limits, lows, highs = self.inputs.limits, self.lows, self.highs
            for index in indices:
                book = books[index]
                answer = implied_by_exchange(book, limits)
                allowed = _UNBOUNDED if book is None else bounds(*book.best())
                if allowed != (lows[index], highs[index]):
                    lows[index], highs[index] = allowed
                    is_moved = True
                self._set(index, None if answer is None else answer.probability, moved)
        # Most changes of an order book are deep in it and move nothing.
        if moved or is_moved or self.factor is None:
            self._fit(moved)
        return self.refusal

    def _imply_jointly(self, now_ms: float, moved: list[int]) -> bool:
        """Update all probabilities. Return whether something else than a probability has changed."""
        answers = implied(self.books, self.winners, self.inputs, self._market, now_ms, is_one_of_many=self._is_one_of_many)
        is_moved = (self.lows, self.highs, self.refusal) != (answers.lows, answers.highs, answers.refusal)
        self.lows, self.highs, self.refusal = answers.lows, answers.highs, answers.refusal
        self.quote_sum, self.expires_ms = answers.quote_sum, answers.expires_ms
        for index, answer in enumerate(answers.fair):
            self._set(index, None if answer is None else answer.probability, moved)
        return is_moved

    def _set(self, index: int, probability: float | None, moved: list[int]) -> None:
        if probability != self.probabilities[index]:
            self.probabilities[index] = probability
            self.inverses[index] = None if probability is None else 1.0 / probability
            moved.append(index)

    def _fit(self, moved: list[int]) -> None:
        was_fitted = self.fitted is not None
        found = None
        if self.refusal is None or not self._is_joint:
            found = fit(self.probabilities, self.lows, self.highs, self.winners)
            self.refusal = "incoherent" if found is None else None
        self.factor, self.fitted = (None, None) if found is None else found
        self.has_prices = any(self.probabilities)
        if was_fitted or self.fitted is not None:
            self.dirty = list(range(len(self.selections)))
        else:
            self.dirty = moved if self.dirty is None else [*self.dirty, *moved]

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
        self.dirty = list(range(len(self.selections)))
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

    def price(self, *, fresh: bool) -> set[int]:
        """Price what is dirty. Return the indices whose prices changed.

        Args:
            fresh: whether nothing is on offer, so that no earlier price damps the new ones.
        """
        dirty = self.dirty
        if dirty is None or self.factor is None:
            return set()
        inverses, factor = self.inverses, self.factor
        if self.pooled is not None or self.fitted is not None:
            inverses, factor = [None if each is None else 1.0 / each for each in self.fair()], 1.0
            dirty = list(range(len(inverses)))
        self.dirty = None
        changed = self.incremental.update(inverses, factor, dirty, self.lows, fresh=fresh)
        if not self.incremental.settled:
            self.dirty = []
        return changed

    def best(self, index: int) -> int | None:
        """Return the longest price of a selection in any of the profiles, in thousandths."""
        return max((price for prices in self.incremental.prices if (price := prices[index]) is not None), default=None)
