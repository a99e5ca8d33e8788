"""The markets on the score of one period of an event, with what is known of their bets."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from oddsengine.domain.events import Score
from oddsengine.domain.ids import MarketId
from oddsengine.pricing.guards.score_grid.conditions import NO_GOALS, Condition
from oddsengine.pricing.guards.score_grid.halves import COMBINED, MIN_RESULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.guards.score_grid.budget import Budget


class PricedMarket(Protocol):
    """A market's last prices, and whether they were on offer before."""

    definition: MarketDefinition
    is_open: bool

    def prices(self, key: str) -> tuple[int | None, ...]:
        """Return a selection's prices, one a profile, in thousandths."""


class Leg(NamedTuple):
    """One bet of an arbitrage: what it is on, its decimal odds, and its share of all stakes."""

    market: MarketId
    selection: str
    odds: float
    stake: float


class Arbitrage(NamedTuple):
    """Bets that lose at no score and win at some, and what they win at least, for stakes of 1 together."""

    legs: tuple[Leg, ...]
    profit: float

    @property
    def markets(self) -> set[MarketId]:
        """The markets of the legs."""
        return {leg.market for leg in self.legs}


class Certificate(NamedTuple):
    """A distribution of the score: a grid of `program` with probabilities, and the goals scored when it was made."""

    scores: Any
    probabilities: Any
    min_score: Score


class Bet(NamedTuple):
    """A price on offer: a selection in its best profile, in decimal odds."""

    market: MarketId
    selection: str
    condition: Condition
    odds: float


class Entry:
    """A market with its conditions. One that does not depend on a score has no group."""

    __slots__ = ("_bets", "book", "ceilings", "conditions", "definition", "group", "halves", "is_over")

    def __init__(self, book: PricedMarket, conditions: dict[str, Condition], group: Group | None) -> None:
        self.definition: MarketDefinition = book.definition
        self.book = book
        self.conditions = conditions
        self.group = group
        self._bets: list[Bet] | None = None
        #: its conditions on the results of both halves, None if it has none
        self.halves: Entry | None = None
        #: by selection, in thousandths; empty without a certificate
        self.ceilings: dict[str, int] = {}
        #: whether some price may be over its ceiling
        self.is_over = True

    def has_over(self, keys: Iterable[str]) -> bool:
        """Check whether a price of some selections is over its ceiling in any profile."""
        ceilings, prices_of = self.ceilings, self.book.prices
        if not ceilings:
            return True
        for key in keys:
            ceiling = ceilings.get(key)
            if ceiling is not None:
                for price in prices_of(key):
                    if price is not None and price > ceiling:
                        return True
        return False

    def bets(self) -> list[Bet]:
        """Return the prices on offer, each selection in its best profile."""
        if self._bets is None:
            market, prices_of = self.definition.id, self.book.prices
            self._bets = [
                Bet(market, key, condition, max(prices) / 1000)
                for key, condition in self.conditions.items()
                if (prices := [price for price in prices_of(key) if price is not None])
            ]
        return self._bets

    def forget_prices(self) -> None:
        """Drop what was derived from the prices of the market, which may have changed."""
        self._bets = None


class Group:
    """The markets on the score of one period of an event, or on the results of both halves.

    Args:
        key: the event and the period.
        budget: how many programs may be solved for it.
        min_score: the goals that both sides have already, or `MIN_RESULTS`.
    """

    __slots__ = (
        "_grid",
        "arbitrages",
        "budget",
        "certificate",
        "entries",
        "fair_bets",
        "is_compared",
        "key",
        "min_score",
        "prior",
        "refused",
    )

    def __init__(self, key: tuple[str, str], budget: Budget, min_score: Score = NO_GOALS) -> None:
        self.key = key
        self.budget = budget
        self.min_score = min_score
        self.entries: dict[MarketId, Entry] = {}
        #: whether its markets may contradict each other, or the score, in a way that no other guard sees
        self.is_compared = False
        self.certificate: Certificate | None = None
        #: the last certificate, from which another one may be repaired even where it holds no more
        self.prior: Certificate | None = None
        self._grid: tuple[Any, dict[Condition, int]] | None = None
        #: bets that are known to be fair, where there is no certificate because some lose nothing on average
        self.fair_bets: list[Bet] = []
        self.arbitrages: list[Arbitrage] = []
        self.refused: set[MarketId] = set()

    def add(self, market: MarketId, entry: Entry) -> None:
        """Add a market."""
        self.entries[market] = entry
        self._grid = None
        self.is_compared = self.may_be_beaten(self.entries)

    def remove(self, market: MarketId) -> None:
        """Remove a market of the group."""
        del self.entries[market]
        self._grid = None
        self.refused.discard(market)
        self.is_compared = self.may_be_beaten(self.entries)

    def may_be_beaten(self, entries: Mapping[MarketId, Entry]) -> bool:
        """Check whether markets are of several types, or some may be decided by the goals that have been scored."""
        if self.min_score == MIN_RESULTS:
            return len(entries) > 1 and any(entry.definition.type == COMBINED for entry in entries.values())
        return len({entry.definition.type for entry in entries.values()}) > (1 if self.min_score == NO_GOALS else 0)

    def grid(self) -> tuple[Any, dict[Condition, int]]:
        """Return the scores to consider, and the row of each condition."""
        if self._grid is None:
            conditions = tuple(
                dict.fromkeys(condition for entry in self.entries.values() for condition in entry.conditions.values())
            )
            self._grid = (
                load_program().grid(conditions, self.min_score),
                {condition: number for number, condition in enumerate(conditions)},
            )
        return self._grid

    def start(self, min_score: Score) -> None:
        """Restart from the goals that have been scored."""
        self.min_score = min_score
        self._grid = None
        self.arbitrages, self.fair_bets = [], []
        self.drop_certificate()

    def over(self) -> set[MarketId]:
        """Return the markets that the certificate does not allow; without one, all."""
        for entry in self.entries.values():
            if entry.is_over:
                entry.is_over = entry.has_over(entry.conditions)
        return {market for market, entry in self.entries.items() if entry.is_over}

    def arbitraged(self) -> set[MarketId]:
        """Return the markets of the known arbitrages."""
        return {market for each in self.arbitrages for market in each.markets}

    def drop_certificate(self) -> None:
        """Drop the certificate: without one, every price counts as over its ceiling."""
        self.certificate = None
        for entry in self.entries.values():
            entry.ceilings, entry.is_over = {}, True


def bets_of(entries: Mapping[MarketId, Entry]) -> list[Bet]:
    """Return the bets on markets."""
    return [bet for entry in entries.values() for bet in entry.bets()]


def load_program() -> Any:
    """Return the module `program`.

    It needs numpy and HiGHS: a third of a second to load and some 40 MB, only spent once there are markets to compare.
    """
    return import_module("oddsengine.pricing.guards.score_grid.program")


def certify(group: Group, probabilities: Any) -> None:
    """Make a distribution over the scores of a group's grid its certificate."""
    scores, row = group.grid()
    group.prior = group.certificate = Certificate(scores, probabilities, group.min_score)
    limits = load_program().ceilings(scores.won, scores.returned, probabilities)
    for entry in group.entries.values():
        entry.ceilings = {key: limits[row[condition]] for key, condition in entry.conditions.items()}
        entry.is_over = entry.has_over(entry.conditions)


def repair(group: Group, entries: Mapping[MarketId, Entry]) -> bool:
    """Adapt the last certificate to the prices of some of a group's markets. Return False if only a program may do that."""
    prior = group.prior
    bets = bets_of(entries)
    if prior is None or not bets:
        return False
    scores, row = group.grid()
    program = load_program()
    probabilities = prior.probabilities
    if prior.scores is not scores:
        # It is of other markets, or of before a goal.
        goals = Score(group.min_score.home - prior.min_score.home, group.min_score.away - prior.min_score.away)
        probabilities = program.moved(prior.scores, prior.probabilities, scores, tuple(row), goals)
        if probabilities is None:
            return False
    repaired = program.repair(scores, [row[bet.condition] for bet in bets], [bet.odds for bet in bets], probabilities)
    if repaired is None:
        return False
    certify(group, repaired)
    return True


def ceilings_under(conditions: Mapping[str, Condition], certificate: Certificate) -> dict[str, int]:
    """Return the ceilings of conditions for which the certificate was not made. Valid, since its scores are possible ones."""
    solver = load_program()
    homes, aways = certificate.scores.homes, certificate.scores.aways
    won, returned = zip(*(solver.shares(condition, homes, aways) for condition in conditions.values()), strict=True)
    return dict(zip(conditions, solver.ceilings(won, returned, certificate.probabilities), strict=True))


def still_wins(arbitrage: Arbitrage, group: Group) -> bool:
    """Check whether the stakes of an arbitrage still lose at no score."""
    conditions: list[Condition] = []
    odds: list[float] = []
    for leg in arbitrage.legs:
        entry = group.entries.get(leg.market)
        condition = None if entry is None else entry.conditions.get(leg.selection)
        if entry is None or condition is None:
            return False
        price = max((price for price in entry.book.prices(leg.selection) if price is not None), default=0)
        conditions.append(condition)
        odds.append(price / 1000)
    return bool(load_program().never_loses(conditions, odds, [leg.stake for leg in arbitrage.legs], group.min_score))
