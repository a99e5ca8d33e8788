"""One set of selections of a market, as the profiles with equal inputs for fair probabilities price it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.pricing.market.incremental_book import IncrementalBook
from oddsengine.pricing.market.quoting import coherence, with_pooled
from oddsengine.pricing.methods.implied import ConsensusBook, implied, implied_by_exchange

if TYPE_CHECKING:
    from oddsengine.pricing.methods.implied import FairPriceInputs, OutcomeGroup
    from oddsengine.pricing.profiles.profile import Profile
    from oddsengine.sourcing.source_book import SelectionBook, SourceMarket


class PricedGroup:
    """The probabilities and prices of a set of selections whose probabilities sum to the number of winners.

    Args:
        outcomes: the selections.
        market: the source's books of them.
        winners: how many selections of the market win.
        inputs: the settings that fair probabilities depend on.
        profiles: the profiles with these inputs.
    """

    __slots__ = (
        "_inputs",
        "_is_joint",
        "_versions",
        "books",
        "dirty",
        "factor",
        "has_prices",
        "incremental",
        "inverses",
        "line",
        "pooled",
        "probabilities",
        "rising",
        "selections",
        "winners",
    )

    def __init__(
        self, outcomes: OutcomeGroup, market: SourceMarket, winners: int, inputs: FairPriceInputs, profiles: list[Profile]
    ) -> None:
        selections = outcomes.selections
        self.selections = selections
        self.line = outcomes.line
        self.rising = outcomes.rising
        self.books: list[SelectionBook | None] = [market.books.get(selection.source_id) for selection in selections]
        #: the version of each book at the last call of `imply`, -1 before the first
        self._versions = [-1] * len(selections)
        self._inputs = inputs
        self.winners = min(winners, len(selections))
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        #: makes the probabilities sum to the winners; None where they contradict each other
        self.factor: float | None = None
        #: whether no selection's probability follows from its own book alone
        self._is_joint = inputs.limits.normalise != "multiplicative"
        self.has_prices = False
        #: the rising side's probability after pooling with the other lines of its ladder, None where they agree with it
        self.pooled: float | None = None
        #: the indices to price, None where there is nothing to do
        self.dirty: list[int] | None = []
        self.incremental = IncrementalBook([selection.key for selection in selections], self.winners, profiles)

    def imply(self) -> bool:
        """Update the probabilities from the books that changed. Return False if they contradict each other."""
        books, versions = self.books, self._versions
        indices = [index for index, book in enumerate(books) if book is not None and book.version != versions[index]]
        if not indices and self.factor is not None:
            return True
        for index in indices:
            book = books[index]
            if book is not None:
                versions[index] = book.version
                if book.quote is not None or type(book) is ConsensusBook:
                    self._is_joint = True
        if self._is_joint:
            answers = implied(books, self.winners, self._inputs)
            indices = list(range(len(books)))
        else:
            limits = self._inputs.limits
            answers = [implied_by_exchange(books[index], limits) for index in indices]
        moved: list[int] = []
        for index, answer in zip(indices, answers, strict=True):
            probability = None if answer is None else answer.probability
            if probability != self.probabilities[index]:
                self.probabilities[index] = probability
                self.inverses[index] = None if probability is None else 1.0 / probability
                moved.append(index)
        # Most changes of an order book are deep in it and move no probability.
        if moved or self.factor is None:
            self.factor = coherence(self.probabilities, self.winners)
            self.has_prices = any(self.probabilities)
            self.dirty = moved if self.dirty is None else [*self.dirty, *moved]
        return self.factor is not None

    def rising_probability(self) -> float | None:
        """Return the fair probability of the side that gets likelier with the line, by this line's own book."""
        if self.rising is None or self.factor is None:
            return None
        probability = self.probabilities[self.rising]
        return None if probability is None else probability * self.factor

    def pool(self, probability: float | None) -> bool:
        """Set the rising side's pooled probability. Return whether it changed."""
        if probability == self.pooled:
            return False
        self.pooled = probability
        self.dirty = list(range(len(self.selections)))
        return True

    def fair(self) -> list[float | None]:
        """Return the fair probabilities that are priced."""
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
        if self.pooled is not None:
            inverses, factor = [None if each is None else 1.0 / each for each in self.fair()], 1.0
            dirty = list(range(len(inverses)))
        self.dirty = None
        changed = self.incremental.update(inverses, factor, dirty, fresh=fresh)
        if not self.incremental.settled:
            self.dirty = []
        return changed

    def best(self, index: int) -> int | None:
        """Return the longest price of a selection in any of the profiles, in thousandths."""
        return max((price for prices in self.incremental.prices if (price := prices[index]) is not None), default=None)
