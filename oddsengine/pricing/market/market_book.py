"""One market as it is priced: its probabilities for every belief, its prices for every profile, kept as books move."""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING

from oddsengine.pricing.market.incremental_book import IncrementalBook, coherence, with_pooled
from oddsengine.pricing.methods.implied import ConsensusBook, FairPriceInputs, implied, implied_by_exchange, priced_together

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.methods.implied import OutcomeGroup
    from oddsengine.pricing.profiles.profile import Profile, Resolved
    from oddsengine.sourcing.source_book import SelectionBook, SourceMarket


class Group:
    """A set of selections whose probabilities sum to the number of winners, as profiles of one belief see it."""

    __slots__ = (
        "any_price",
        "books",
        "factor",
        "inverses",
        "line",
        "moving",
        "pooled",
        "probabilities",
        "quoted",
        "rising",
        "selections",
        "stirred",
        "versions",
        "winners",
    )

    def __init__(
        self, together: OutcomeGroup, market: SourceMarket, winners: int, belief: FairPriceInputs, profiles: list[Profile]
    ) -> None:
        selections = together.selections
        self.selections = selections
        self.line = together.line
        self.rising = together.rising
        self.books: list[SelectionBook | None] = [market.books.get(selection.source_id) for selection in selections]
        #: the version of each book at the last pricing, -1 before the first
        self.versions = [-1] * len(selections)
        self.winners = min(winners, len(selections))
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        self.factor: float | None = None
        #: whether the selections have to be seen together: a bookmaker prices them, or a method makes them sum
        self.quoted = belief.limits.normalise != "multiplicative"
        self.any_price = False
        #: the probability that the other lines of its ladder leave to the rising side, None where they agree with it
        self.pooled: float | None = None
        #: the places to be priced anew, None where there is nothing to do
        self.stirred: list[int] | None = []
        self.moving = IncrementalBook([selection.key for selection in selections], self.winners, profiles)

    def imply(self, belief: FairPriceInputs) -> bool:
        """Take over what the books that moved imply; tell whether the probabilities still go together."""
        books, versions = self.books, self.versions
        places = [place for place, book in enumerate(books) if book is not None and book.version != versions[place]]
        if not places and self.factor is not None:
            return True
        for place in places:
            book = books[place]
            if book is not None:
                versions[place] = book.version
                if book.quote is not None or type(book) is ConsensusBook:
                    self.quoted = True
        if self.quoted:
            answers = implied(books, self.winners, belief)
            places = list(range(len(books)))
        else:
            answers = [implied_by_exchange(books[place], belief.limits) for place in places]
        moved: list[int] = []
        for place, answer in zip(places, answers, strict=True):
            probability = None if answer is None else answer.probability
            if probability != self.probabilities[place]:
                self.probabilities[place] = probability
                self.inverses[place] = None if probability is None else 1.0 / probability
                moved.append(place)
        # Most changes of a book are deep in it and move no probability.
        if moved or self.factor is None:
            self.factor = coherence(self.probabilities, self.winners)
            self.any_price = any(self.probabilities)
            self.stirred = moved if self.stirred is None else [*self.stirred, *moved]
        return self.factor is not None

    def rising_probability(self) -> float | None:
        """Give the fair probability of the side that gets likelier with the line, by this line's own book."""
        if self.rising is None or self.factor is None:
            return None
        probability = self.probabilities[self.rising]
        return None if probability is None else probability * self.factor

    def pool(self, probability: float | None) -> bool:
        """Take what the other lines leave to the rising side; tell whether that is something else than before."""
        if probability == self.pooled:
            return False
        self.pooled = probability
        self.stirred = list(range(len(self.selections)))
        return True

    def fair(self) -> list[float | None]:
        """Give the fair probabilities that are priced."""
        factor = self.factor or 1.0
        fair = [None if probability is None else probability * factor for probability in self.probabilities]
        if self.pooled is not None and self.rising is not None:
            return with_pooled(fair, self.rising, self.pooled)
        return fair

    def price(self, *, fresh: bool) -> set[int]:
        """Price what was stirred; give the places with another price."""
        stirred = self.stirred
        if stirred is None or self.factor is None:
            return set()
        inverses, factor = self.inverses, self.factor
        if self.pooled is not None:
            inverses, factor = [None if each is None else 1.0 / each for each in self.fair()], 1.0
            stirred = list(range(len(inverses)))
        self.stirred = None
        changed = self.moving.move(inverses, factor, stirred, fresh=fresh)
        if not self.moving.settled:
            self.stirred = []
        return changed

    def best(self, place: int) -> int | None:
        """Give the longest price of a selection in any profile of this belief, thousandths."""
        return max((price for prices in self.moving.prices if (price := prices[place]) is not None), default=None)


class MarketBook:
    """What is kept of a market between two pricings; begun anew when the market's nature, its rules or its books change.

    Args:
        market: the source's books.
        definition: what the source says the market is.
        resolved: what holds for it, one entry a profile.
        before: the book it takes the place of: a jump from that one is a jump.
    """

    __slots__ = (
        "_where",
        "books",
        "definition",
        "groups",
        "has_lines",
        "has_steps",
        "jump_limit",
        "jumped",
        "lines",
        "market",
        "max_age_ms",
        "may_be_beaten",
        "offered_open",
        "places",
        "pool_limit",
        "require_complete_book",
        "resolved",
        "seen",
        "size",
        "suspend",
    )

    def __init__(
        self,
        market: SourceMarket,
        definition: MarketDefinition,
        resolved: tuple[Resolved, ...],
        before: MarketBook | None = None,
    ) -> None:
        self.definition = definition
        self.market = market
        self.resolved = resolved
        self.books = market.books
        self.size = len(market.books)
        self.offered_open = False
        settings = [each.settings for each in resolved]
        # One profile's doubt is about the market, not about the profile: the strictest limit holds for all.
        self.max_age_ms = min((each.max_age_s for each in settings if each.max_age_s), default=inf) * 1000
        self.jump_limit = min((each.jump_limit for each in settings if each.jump_limit), default=0.0)
        self.pool_limit = min(each.pool_limit for each in settings)
        self.require_complete_book = any(each.require_complete_book for each in settings)
        #: whether the best of all profiles can sum to less than the best of one: not where all scale the same probabilities
        self.may_be_beaten = len(settings) > 1 and not (
            len({FairPriceInputs.of(each) for each in settings}) == 1 and all(each.prices_each_alone for each in settings)
        )
        self.has_steps = any(each.max_move for each in settings)
        self.suspend = any(each.suspend for each in settings)
        #: the fair probabilities last believed, and those of a jump with when they were heard; kept where spikes are sought
        self.seen: dict[str, float] | None = before.seen if before is not None else None
        self.jumped: tuple[dict[str, float], int] | None = before.jumped if before is not None else None
        #: for each distinct belief the places of its profiles in `prices`, and the groups as it sees them
        self.places: dict[FairPriceInputs, list[int]] = {}
        for place, profile in enumerate(settings):
            self.places.setdefault(FairPriceInputs.of(profile), []).append(place)
        together = priced_together(definition)
        self.groups = {
            belief: [Group(each, market, definition.winners, belief, [settings[place] for place in places]) for each in together]
            for belief, places in self.places.items()
        }
        #: selection -> its group and its place in that
        self._where = {
            str(selection.key): (number, at)
            for number, each in enumerate(together)
            for at, selection in enumerate(each.selections)
        }
        #: whether it stands on lines of a ladder, and on how many
        self.has_lines = any(each.line is not None for each in together)
        self.lines = len(together)

    def fits(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]) -> bool:
        """Tell whether it can go on: the market is what it was, by the same rules, with the same books."""
        return (
            self.definition is definition
            and self.resolved is resolved
            and self.books is market.books
            and self.size == len(market.books)
        )

    def is_old(self, now_ms: int) -> bool:
        """Tell whether the source has said nothing of the market for too long."""
        return now_ms - self.market.heard_ms > self.max_age_ms

    def is_due(self, now_ms: int) -> bool:
        """Tell whether it has to be looked at only because time has passed: it has become too old, or goes in steps."""
        return self.is_old(now_ms) or (self.has_steps and not self._is_settled())

    def _is_settled(self) -> bool:
        return all(group.moving.settled for groups in self.groups.values() for group in groups)

    def imply(self) -> str | None:
        """Take over what moved; say why the market can't be open, if it can't."""
        together = True
        for belief, groups in self.groups.items():
            for group in groups:
                together = group.imply(belief) and together
        return None if together else "incoherent"

    def price(self) -> tuple[dict[str, None], str | None]:
        """Price what moved; give the selections with another price, and why the market can't be open, if it can't."""
        changed: dict[str, None] = {}
        refusal: str | None = None
        any_price = False
        for groups in self.groups.values():
            for group in groups:
                if group.stirred is not None:
                    for place in sorted(group.price(fresh=not self.offered_open)):
                        changed[group.selections[place].key] = None
                    refusal = refusal or self._refusal(group)
                elif not self.offered_open:
                    refusal = refusal or self._refusal(group)
                any_price = any_price or group.any_price
        return changed, refusal or (None if any_price else "no_price")

    def _refusal(self, group: Group) -> str | None:
        own = group.rising_probability()
        if group.pooled is not None and own is not None and abs(group.pooled - own) > self.pool_limit:
            return "contradiction"
        if self.require_complete_book and None in group.probabilities:
            return "no_price"
        return group.moving.refusal

    def has_arbitrage(self) -> bool:
        """Tell whether a bettor could back every selection, each in its best profile, and not lose."""
        if not self.may_be_beaten:
            return False
        least = self.min_book_sum()
        return least is not None and least < 1.0

    def min_book_sum(self) -> float | None:
        """Sum what backing every selection in its best profile costs, per winner, on the line where that is least."""
        sums: list[float] = []
        for number, group in enumerate(self._first_groups()):
            by_profile = [prices for groups in self.groups.values() for prices in groups[number].moving.prices]
            inverses = [
                1000.0 / (max(prices) if None not in prices else max(price or 0 for price in prices))
                for prices in zip(*by_profile, strict=True)
                if any(prices)
            ]
            if len(inverses) == len(group.selections):
                sums.append(fsum(inverses) / group.winners)
        return min(sums, default=None)

    def best_sides(self) -> Iterator[tuple[float, int | None, int | None]]:
        """Give of each line the longest prices of its rising and its falling side in any profile, thousandths."""
        for number, group in enumerate(self._first_groups()):
            if group.line is not None and group.rising is not None and len(group.selections) == 2:  # noqa: PLR2004 - two sides
                yield group.line, self._best(number, group.rising), self._best(number, 1 - group.rising)

    def _best(self, number: int, place: int) -> int | None:
        prices = (groups[number].best(place) for groups in self.groups.values())
        return max((price for price in prices if price is not None), default=None)

    def _first_groups(self) -> list[Group]:
        return next(iter(self.groups.values()))

    def fair(self) -> dict[str, float]:
        """Give every fair probability there is, as the first profile sees it."""
        return {
            selection.key: probability
            for group in self._first_groups()
            for selection, probability in zip(group.selections, group.fair(), strict=True)
            if probability is not None
        }

    def pooled(self, profile: int) -> dict[str, float]:
        """Give the probabilities that other lines have changed, by selection, as a profile sees them."""
        return {
            group.selections[group.rising].key: group.pooled
            for belief, groups in self.groups.items()
            if profile in self.places[belief]
            for group in groups
            if group.pooled is not None and group.rising is not None
        }

    def prices(self, key: str) -> tuple[int | None, ...]:
        """Give a selection's prices, one a profile."""
        where = self._where.get(key)
        if where is None:
            return (None,) * len(self.resolved)
        number, at = where
        if len(self.groups) == 1:
            return tuple([own[at] for own in self._first_groups()[number].moving.prices])
        prices: list[int | None] = [None] * len(self.resolved)
        for belief, groups in self.groups.items():
            for place, own in zip(self.places[belief], groups[number].moving.prices, strict=True):
                prices[place] = own[at]
        return tuple(prices)
