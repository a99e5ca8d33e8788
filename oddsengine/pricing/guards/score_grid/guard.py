"""Suspend the markets of an event that could be beaten together, whatever the score.

What is priced is compared with its ceilings: the odds up to which it loses on average under the event's certificate. That is one
comparison of integers a price, and all that most updates cost. Once the prices of a flush are known, `check` decides the
events in which some price is over its ceiling: by mending the certificate in a few steps, else by a linear program, within a
budget of those. Where that is used up, what is over its ceiling is refused until it can be decided. What the certificate allows
stays open: nothing of it can be beaten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.domain.events import read_score
from oddsengine.pricing.guards.score_grid.budget import Budget
from oddsengine.pricing.guards.score_grid.conditions import conditions_of, min_score_of, period_of
from oddsengine.pricing.guards.score_grid.group import (
    Arbitrage,
    Entry,
    Group,
    Leg,
    PricedMarket,
    bets_of,
    ceilings_under,
    certify,
    load_program,
    repair,
    still_wins,
)
from oddsengine.pricing.guards.score_grid.halves import HALVES, MIN_RESULTS, half_conditions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.events import Event, Score
    from oddsengine.domain.ids import EventId, MarketId

#: How many programs may be solved in a second, if not configured.
DEFAULT_SOLVES_PER_S: Final = 40.0
#: The share of them that one period of one event may use.
_SHARE_OF_ONE: Final = 0.2


class _Match:
    """The markets of an event, and its current score, None if that is not known."""

    __slots__ = ("markets", "score")

    def __init__(self, score: Score | None) -> None:
        self.score = score
        # A dict as a set that keeps its order.
        self.markets: dict[MarketId, None] = {}


class ScoreGuard:
    """The guard of all events.

    Args:
        solves_per_s: how many programs may be solved in a second; one period of an event may use a fifth of them.

    Attributes:
        refused: the markets that must be suspended.
        has_moved: whether `check` has something to decide that came up since its last call.
        solves: how many programs were solved.
    """

    def __init__(self, solves_per_s: float = DEFAULT_SOLVES_PER_S) -> None:
        self._solves_per_s = solves_per_s
        self._budget = Budget(solves_per_s)
        self._entries: dict[MarketId, Entry] = {}
        self._groups: dict[tuple[str, str], Group] = {}
        self._matches: dict[EventId, _Match] = {}
        # Dicts as sets that keep their order.
        self._moved: dict[Group, None] = {}
        self._waiting: dict[Group, None] = {}
        self.refused: set[MarketId] = set()
        self.solves = 0

    @property
    def has_moved(self) -> bool:  # noqa: D102 - see the class
        return bool(self._moved)

    @staticmethod
    def load() -> None:
        """Load numpy and HiGHS ahead of the first event to compare."""
        load_program()

    def review(self, book: PricedMarket, event: Event | None, changed: Iterable[str]) -> None:
        """Note the prices of a market that no other guard suspends.

        Args:
            book: the market.
            event: its event, for the sport.
            changed: the selections whose prices changed; None of the others did, if the market was open.
        """
        entry = self._entries.get(book.definition.id)
        if entry is None or (entry.definition is not book.definition and not self._redefine(entry, book, event)):
            entry = self._enter(book, event)
        self._note(entry, book, changed)
        if entry.halves is not None:
            self._note(entry.halves, book, changed)

    def _note(self, entry: Entry, book: PricedMarket, changed: Iterable[str]) -> None:
        group = entry.group
        if group is None:
            return
        entry.forget_prices()
        if entry.book is not book or entry.is_over or not book.is_open:
            entry.book = book
            changed = entry.conditions
        if not group.is_compared:
            entry.is_over = True  # not compared: what changed is not known once it is
            return
        entry.is_over = entry.has_over(changed)
        if entry.is_over or group.refused:
            self._moved[group] = None

    def withdraw(self, market: MarketId) -> None:
        """Note that a market is not on offer. No-op if it was not."""
        entry = self._entries.pop(market, None)
        if entry is None:
            return
        match = self._matches[entry.definition.event]
        del match.markets[market]
        if not match.markets:
            del self._matches[entry.definition.event]
        self.refused.discard(market)
        self._leave(market, entry)
        if entry.halves is not None:
            self._leave(market, entry.halves)

    def _leave(self, market: MarketId, entry: Entry) -> None:
        group = entry.group
        if group is None:
            return
        if group.refused:
            # Also where it was the only one: then nothing waits for it any more.
            self._moved[group] = None
        group.remove(market)
        if not group.entries:
            del self._groups[group.key]
            self._moved.pop(group, None)
            self._waiting.pop(group, None)

    def update_event(self, event: Event) -> list[MarketId]:
        """Compare the markets of an event by its current score. Return those that were refused, to be priced again."""
        match = self._matches.get(event.id)
        if match is None or match.score == read_score(event.score):
            return []
        match.score = read_score(event.score)
        markets = list(match.markets)
        refused = [market for market in markets if market in self.refused]
        for market in markets:
            self._enter(self._entries[market].book, event, match)
        return refused

    def check(self, now_ms: int) -> set[MarketId]:
        """Decide what has moved or waited. Return the markets whose verdict changed.

        Args:
            now_ms: Unix milliseconds, for the budget.
        """
        moved, waiting = self._moved, self._waiting
        self._moved, self._waiting = {}, {}
        flipped: set[MarketId] = set()
        for group in moved | waiting:
            if group not in moved and not self._budget.has_one(now_ms):
                # Nothing of it has changed: without a program it would be decided as before.
                self._waiting[group] = None
                continue
            refused = self._decide(group, now_ms)
            flipped |= refused ^ group.refused
            group.refused = refused
        # A market may be in two groups.
        self.refused -= flipped
        self.refused |= {market for market in flipped if any(market in group.refused for group in self._groups_of(market))}
        return flipped

    def undecided(self) -> list[MarketId]:
        """Return the markets of the groups that have moved since the last `check`."""
        return [market for group in self._moved for market in group.entries]

    def due(self) -> list[MarketId]:
        """Return a market of each event that waits for the budget, to price it so that `check` is called.

        One that is refused, if any is: one that is open and has not moved is not reviewed.
        """
        return [min(group.refused) if group.refused else next(iter(group.entries)) for group in self._waiting]

    def arbitrage_of(self, market: MarketId) -> Arbitrage | None:
        """Return the arbitrage that a market is a leg of, None if there is none or none is known yet."""
        if market not in self.refused:
            return None
        known = (each for group in self._groups_of(market) for each in group.arbitrages)
        return next((each for each in known if market in each.markets), None)

    def _groups_of(self, market: MarketId) -> list[Group]:
        entry = self._entries.get(market)
        return [each.group for each in (entry, entry and entry.halves) if each is not None and each.group is not None]

    def _redefine(self, entry: Entry, book: PricedMarket, event: Event | None) -> bool:
        """Replace the definition of a market if its conditions are the same, so that the certificate holds. Return whether."""
        definition, before = book.definition, entry.definition
        if event is None or (definition.event, period_of(definition)) != (before.event, period_of(before)):
            return False
        conditions = conditions_of(definition, event.sport, self._matches[definition.event].score)
        halves = {} if entry.halves is None else entry.halves.conditions
        if conditions != entry.conditions or half_conditions(definition, event.sport, conditions) != halves:
            return False
        entry.definition = definition
        if entry.halves is not None:
            entry.halves.definition = definition
        return True

    def _enter(self, book: PricedMarket, event: Event | None, match: _Match | None = None) -> Entry:
        definition = book.definition
        self.withdraw(definition.id)
        match = self._matches.get(definition.event, match)
        if match is None:
            match = _Match(None if event is None else read_score(event.score))
        self._matches[definition.event] = match
        match.markets[definition.id] = None
        conditions = conditions_of(definition, event.sport, match.score) if event is not None else {}
        entry = self._entries[definition.id] = Entry(book, conditions, None)
        if event is None:
            return entry
        if conditions:
            period = period_of(definition)
            self._join(entry, period, min_score_of(event.sport, period, match.score))
        if halves := half_conditions(definition, event.sport, conditions):
            entry.halves = Entry(book, halves, None)
            self._join(entry.halves, HALVES, MIN_RESULTS)
        return entry

    def _join(self, entry: Entry, period: str, min_score: Score) -> None:
        """Add a market's entry to the group of a period."""
        definition = entry.definition
        group = entry.group = self._group((str(definition.event), period), min_score)
        group.add(definition.id, entry)
        if group.certificate is not None:
            entry.ceilings = ceilings_under(entry.conditions, group.certificate)
        if group.is_compared:
            # Others may have changed while there was nothing to compare them with.
            self._moved[group] = None

    def _group(self, key: tuple[str, str], min_score: Score) -> Group:
        """Return the group of a period of an event, reset if the goals scored have changed."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key, Budget(self._solves_per_s * _SHARE_OF_ONE))
        if group.min_score != min_score:
            group.start(min_score)
        return group

    def _decide(self, group: Group, now_ms: int) -> set[MarketId]:
        """Return the markets of a group that must be suspended."""
        over = group.over()
        if not group.is_compared or not over:
            group.arbitrages = []
            return set()
        # As long as an arbitrage wins, its markets have no certificate; the question is whether the others have.
        group.arbitrages = [each for each in group.arbitrages if still_wins(each, group)]
        arbitraged = group.arbitraged()
        rest = {market: entry for market, entry in group.entries.items() if market not in arbitraged}
        is_fair = bool(group.fair_bets) and group.fair_bets == bets_of(rest)
        if is_fair or over <= arbitraged or not group.may_be_beaten(rest) or repair(group, rest):
            return arbitraged
        return self._solve(group, rest, now_ms)

    def _has_budget(self, group: Group, now_ms: int) -> bool:
        """Check whether a program may be solved for a group; it waits if not."""
        if self._budget.has_one(now_ms) and group.budget.has_one(now_ms):
            return True
        self._waiting[group] = None
        return False

    def _solve(self, group: Group, rest: Mapping[MarketId, Entry], now_ms: int) -> set[MarketId]:
        """Find arbitrages until what is left of a group's markets has a certificate. Return the markets to suspend.

        Args:
            group: the group.
            rest: its markets without those of the known arbitrages.
            now_ms: Unix milliseconds, for the budget.
        """
        solver = load_program()
        group.fair_bets = []
        scores, row = group.grid()
        remaining = {market: entry for market, entry in rest.items() if entry.bets()}
        while group.may_be_beaten(remaining):
            if not self._has_budget(group, now_ms):
                # In doubt. What the last certificate allows is certain.
                return group.over() | group.arbitraged()
            self._budget.take()
            group.budget.take()
            self.solves += 1
            offered = bets_of(remaining)
            solution = solver.solve(scores, [row[bet.condition] for bet in offered], [bet.odds for bet in offered])
            if solution.probabilities is not None:
                certify(group, solution.probabilities)
                break
            if solution.is_fair:
                group.drop_certificate()  # any move may give an edge, so the next one is solved again
                group.fair_bets = offered
                break
            if solution.stakes is None:
                group.drop_certificate()
                return set(group.entries)  # the solver failed; in doubt until something moves
            legs = [
                Leg(bet.market, bet.selection, bet.odds, float(stake))
                for bet, stake in zip(offered, solution.stakes, strict=True)
                if stake > 0
            ]
            group.arbitrages.append(Arbitrage(tuple(legs), solution.profit))
            for market in group.arbitrages[-1].markets:
                del remaining[market]
            if group.may_be_beaten(remaining) and repair(group, remaining):
                break
        else:
            group.drop_certificate()  # nothing is left that could be compared
        return group.arbitraged()
