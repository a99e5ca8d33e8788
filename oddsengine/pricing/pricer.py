"""From one source's market to the market to publish, for all profiles at once, at the cost of what changed."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from oddsengine.commands.command import TRADER
from oddsengine.common.times.due_times import DueTimes
from oddsengine.domain.changes import MarketIdentity, MarketState, MarketTerms
from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.domain.ids import MarketId
from oddsengine.domain.market_types import default_name, selection_orders
from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection, PriceChange
from oddsengine.pricing.guards.arbitrage import ArbitrageGuard
from oddsengine.pricing.guards.jump import JumpGuard, OtherSource, State
from oddsengine.pricing.guards.other_exchanges import is_over_lay
from oddsengine.pricing.guards.report import guards
from oddsengine.pricing.guards.score_grid import DEFAULT_SOLVES_PER_S, ScoreGuard
from oddsengine.pricing.market.lines import LineLadders
from oddsengine.pricing.market.market_book import MarketBook
from oddsengine.pricing.market.outcomes import has_winners
from oddsengine.pricing.market.reference import reference_prices
from oddsengine.pricing.profiles.resolver import ProfileResolver, max_age_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from oddsengine.commands.ruling import Adjustment
    from oddsengine.domain.events import Event
    from oddsengine.pricing.guards.report import Guard
    from oddsengine.pricing.market.reference import PricedMarket
    from oddsengine.pricing.profiles.profile import Profile, ResolvedProfile
    from oddsengine.sourcing.source_book import SourceMarket

PriceChanges: TypeAlias = Sequence[PriceChange]


class Repricing(NamedTuple):
    """The result of pricing a market.

    Attributes:
        market: the whole market to publish; None where nothing but prices can have changed since the last call.
        changes: where `market` is None, the prices that changed.
        dirty: other markets that must be priced again because of this one.
    """

    market: OfferedMarket | None
    changes: PriceChanges
    dirty: AbstractSet[MarketId]


class _CachedIdentity(NamedTuple):
    """A market's published identity, and the positions of its selections for display.

    Keyed by the identity of the definition object they were made from, not by its value.
    """

    definition: MarketDefinition
    identity: MarketIdentity
    orders: tuple[int, ...]


_UNCHANGED: Final = Repricing(None, (), frozenset())


def _no_sources() -> Iterable[SourceMarket]:
    return ()


class Pricer:
    """Prices markets for every profile.

    Args:
        profiles: by name, in the order of every published `prices`.
        tiers: the competitions of each tier, by id or name, with the wildcards `*` and `?`.
        solves_per_s: the budget of the guard across the markets of an event (see `ScoreGuard`); 0 leaves it off.
    """

    def __init__(
        self,
        profiles: Mapping[str, Profile],
        tiers: Mapping[str, tuple[str, ...]] | None = None,
        solves_per_s: float = DEFAULT_SOLVES_PER_S,
    ) -> None:
        self.profiles = dict(profiles)
        self._resolver = ProfileResolver(self.profiles.values(), tiers or {})
        self._books: dict[MarketId, MarketBook] = {}
        #: when time alone makes each book due, but for those of `_unscheduled`
        self._due_times: DueTimes[MarketId] = DueTimes()
        #: the markets of which that may have changed since the last call of `due`
        self._unscheduled: set[MarketId] = set()
        self._lines = LineLadders()
        self._arbitrage = ArbitrageGuard(self._lines)
        #: compares markets of several types; its owner calls `check` once all of a flush are priced
        self.scores: ScoreGuard | None = ScoreGuard(solves_per_s) if solves_per_s else None
        #: by market, where jumps are limited; outlives the market's book, so that a new definition can't hide a jump
        self._jumps: dict[MarketId, JumpGuard] = {}
        self._identities: dict[MarketId, _CachedIdentity] = {}
        #: the last terms of each market that had any
        self._terms: dict[MarketId, tuple[MarketTerms, ...]] = {}

    def inherit(self, before: Pricer) -> None:
        """Continue from another pricer, whose markets are on offer: what it did not trust is not trusted now either."""
        self._jumps = before._jumps

    def has_moved(self, market: MarketId, now_ms: int) -> bool:
        """Check whether a market may have other prices than when it was last priced, by its books and the time.

        Whoever asks knows that nothing else has changed: definitions, sources, commands, and other markets that make it dirty.
        """
        book = self._books.get(market)
        return book is None or book.has_moved(now_ms) or not self._resolver.is_current(market, now_ms)

    def price(
        self,
        market: SourceMarket,
        definition: MarketDefinition,
        event: Event | None = None,
        now_ms: int = 0,
        other_sources: Callable[[], Iterable[SourceMarket]] = _no_sources,
    ) -> Repricing:
        """Price a market from its source's books.

        Args:
            market: the source's books.
            definition: `market.definition`, known not to be None.
            event: its event, for the rules.
            now_ms: Unix milliseconds, for the rules on the time to the start.
            other_sources: returns the books of the same market at other sources, to corroborate a jump.
        """
        if definition.status != "open":
            return self.suspend(definition, "provider")
        if definition.winners < 1 and not has_winners(definition):
            return self.suspend(definition, "not_priceable")
        resolved = self._resolver.resolve(market.source, definition, event, now_ms)
        dirty: set[MarketId] = set()
        book = self._books.get(definition.id)
        if book is None or not book.is_current(market, definition, resolved):
            if book is not None:
                dirty |= self._lines.remove(book)
            book = self._books[definition.id] = MarketBook(market, definition, resolved)
        changed, refusal = self._price(book, event, now_ms, other_sources, dirty)
        if self.scores is not None:
            refusal = _review(self.scores, book, event, changed, refusal)
        if refusal is not None:
            book.is_open = False
            return Repricing(self.suspended(definition, refusal), (), dirty)
        if book.is_open and book.source_terms is market.terms:
            if not changed and not dirty:
                return _UNCHANGED
            return Repricing(None, [(key, *book.offered(key)) for key in changed], dirty)
        book.is_open = True
        _, identity, orders = self._identity(definition)
        selections: dict[str, OfferedSelection] = {}
        for selection, order in zip(definition.selections, orders, strict=True):
            prices, fair = book.offered(selection.key)
            selections[str(selection.key)] = OfferedSelection(
                selection.name, selection.status, prices, selection.effective_result, order, fair
            )
        terms = book.terms()
        if terms:
            self._terms[definition.id] = terms
        elif self._terms:
            self._terms.pop(definition.id, None)
        state = MarketState("open", None, definition.in_play, terms)
        return Repricing(OfferedMarket(definition.id, identity, state, selections), (), dirty)

    def _price(
        self,
        book: MarketBook,
        event: Event | None,
        now_ms: int,
        other_sources: Callable[[], Iterable[SourceMarket]],
        dirty: set[MarketId],
    ) -> tuple[dict[str, None], str | None]:
        """Price what moved. Return the selections whose prices changed and why the market may not be open, if so.

        Adds to `dirty` the other markets to price again.
        """
        book.now_ms = now_ms
        self._unscheduled.add(book.definition.id)
        if book.suspend or book.is_old(now_ms):
            # What is not offered does not count in the pooling of the other lines, nor does it keep them suspended.
            dirty |= self._lines.remove(book) | self._arbitrage.forget(book.definition.id)
            book.forget_moves()
            return {}, "rule" if book.suspend else "source_old"
        refusal = book.imply(now_ms)
        if book.has_lines:
            self._lines.add(book)
            dirty |= self._lines.pool(book)
        if refusal is not None:
            dirty |= self._arbitrage.forget(book.definition.id)
            return {}, refusal
        changed, refusal = book.price()
        if refusal is None and book.jump_limit and self._has_jumped(book, event, now_ms, other_sources):
            refusal = "spike"  # the published name of a jump
        if (
            book.is_bound_by_exchanges
            and refusal is None
            and is_over_lay(book, self._recent_sources(other_sources, event, now_ms))
        ):
            refusal = "over_lay"
        if changed or not book.is_open or book.definition.id in self._arbitrage.unchecked:
            has_arbitrage, others = self._arbitrage.check(book)
            dirty |= others
            if has_arbitrage and not book.is_forced:
                refusal = refusal or "arbitrage"
        return changed, refusal

    def _has_jumped(
        self, book: MarketBook, event: Event | None, now_ms: int, other_sources: Callable[[], Iterable[SourceMarket]]
    ) -> bool:
        guard = self._jumps.get(book.definition.id)
        if guard is None:
            guard = self._jumps[book.definition.id] = JumpGuard()
        return guard.check(book, partial(self._recent_sources, other_sources, event, now_ms))

    def _recent_sources(
        self, other_sources: Callable[[], Iterable[SourceMarket]], event: Event | None, now_ms: int
    ) -> Iterable[OtherSource]:
        """Yield the other sources that count beside the one that prices: those updated within the maximum age."""
        for market in other_sources():
            definition = market.definition
            if definition is not None:
                resolved = self._resolver.resolve_uncached(market.source, definition, event, now_ms)
                if now_ms - market.received_ms <= max_age_ms(resolved):
                    yield OtherSource(market, resolved[0].settings)

    def suspend(self, definition: MarketDefinition, reason: str) -> Repricing:
        """Suspend a market for a reason; a closed one stays closed. What it reopens at is not a jump.

        Unless its sources lagged or were lost: they do not confirm a jump by their return. Nor does a person who lifts a
        suspension confirm one that was suspected.
        """
        dirty = self._drop(definition.id)
        jump = self._jumps.get(definition.id)
        is_kept = reason.startswith(("source_", "too_few_")) or (
            reason == TRADER and jump is not None and jump.state is State.SUSPECT
        )
        if not is_kept:
            self._jumps.pop(definition.id, None)
        return Repricing(self.suspended(definition, reason), (), dirty)

    def suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        """Return a suspended market, or a closed one, without changing what is kept of its prices."""
        is_closed = definition.status == "closed"
        terms = self._terms.get(definition.id, ())
        state = MarketState("closed" if is_closed else "suspended", None if is_closed else reason, definition.in_play, terms)
        no_prices = (None,) * len(self.profiles)
        _, identity, orders = self._identity(definition)
        selections = {
            str(selection.key): OfferedSelection(selection.name, selection.status, no_prices, selection.effective_result, order)
            for selection, order in zip(definition.selections, orders, strict=True)
        }
        return OfferedMarket(definition.id, identity, state, selections)

    def withdraw(self, market: MarketId) -> set[MarketId]:
        """Drop what was priced of a market that no source offers now. Return the other markets that must be priced again.

        If it comes back, that confirms no jump.
        """
        self._identities.pop(market, None)
        self._terms.pop(market, None)
        return self._drop(market)

    def forget(self, market: MarketId) -> set[MarketId]:
        """Drop all state of a market that is gone. Return the other markets that must be priced again."""
        self._jumps.pop(market, None)
        return self.withdraw(market)

    def adjust(self, market: MarketId, adjustments: tuple[Adjustment, ...]) -> None:
        """Apply what is commanded of a market, one entry a profile, and publish it whole when it is next priced.

        Args:
            market: the market.
            adjustments: what is commanded; empty if nothing is any more.
        """
        self._resolver.adjust(market, adjustments)
        self.publish_whole(market)

    def publish_whole(self, market: MarketId) -> None:
        """Publish a market whole when it is next priced: it is not on offer as it was priced."""
        book = self._books.get(market)
        if book is not None:
            book.is_open = False
            book.forget_moves()
            self._unscheduled.add(market)

    def follow_clock(self, step_ms: int) -> None:
        """Compare times with the starts of events as if they were later by a number of milliseconds; see `ProcessClock`."""
        self._resolver.follow_clock(step_ms)

    def due(self, now_ms: int) -> list[MarketId]:
        """Return the markets to price only because time has passed: other rules apply, they are too old, or have steps to go."""
        due = [market for market in {*self._due_times.take(now_ms), *self._unscheduled} if self._is_due(market, now_ms)]
        # They are due until they are priced.
        self._unscheduled = set(due)
        if self.scores is not None:
            due += self.scores.due()
        return due + self._resolver.due(now_ms)

    def resolve(self, source: str, definition: MarketDefinition, event: Event | None, now_ms: int) -> tuple[ResolvedProfile, ...]:
        """Return what applies to a market, one entry a profile: by it several sources are combined before they are priced."""
        return self._resolver.resolve(source, definition, event, now_ms)

    def resolve_members(
        self, sources: Iterable[str], definition: MarketDefinition, event: Event | None, now_ms: int
    ) -> dict[str, tuple[ResolvedProfile, ...]]:
        """Return what applies to a market at those of several sources that some rule names."""
        return self._resolver.resolve_members(sources, definition, event, now_ms)

    def explain(
        self, market: SourceMarket, definition: MarketDefinition, event: Event | None = None, now_ms: int = 0
    ) -> dict[str, tuple[ResolvedProfile, PricedMarket]]:
        """Return by profile what applies to a market and every number behind its prices."""
        resolved = self._resolver.resolve(market.source, definition, event, now_ms)
        book = self._books.get(definition.id)
        return {
            name: (each, reference_prices(market, definition, each.settings, _pooled(book, index), now_ms))
            for index, (name, each) in enumerate(zip(self.profiles, resolved, strict=True))
        }

    def guards(self, market: MarketId, reason: str | None, now_ms: int) -> list[Guard]:
        """Return the checks of a market, none where it could not be open.

        Args:
            market: the market.
            reason: why it is suspended, None if it is open.
            now_ms: Unix milliseconds.
        """
        book = self._books.get(market)
        if book is None:
            return []
        jump = self._jumps.get(market)
        beaten = None if self.scores is None else self.scores.arbitrage_of(market)
        return list(guards(book, {} if jump is None else jump.trusted, reason, now_ms, beaten))

    def _drop(self, market: MarketId) -> set[MarketId]:
        self._resolver.forget(market)
        if self.scores is not None:
            self.scores.withdraw(market)
        dirty = {*self._arbitrage.forget(market)}
        self._due_times.forget(market)
        book = self._books.pop(market, None)
        if book is not None:
            dirty |= self._lines.remove(book)
        return dirty

    def _is_due(self, market: MarketId, now_ms: int) -> bool:
        """Check whether a book is due. If not, note when it is."""
        book = self._books.get(market)
        if book is None:
            return False
        if book.is_due(now_ms):
            return True
        self._due_times.put(market, book.due_ms())
        return False

    def _identity(self, definition: MarketDefinition) -> _CachedIdentity:
        cached = self._identities.get(definition.id)
        if cached is not None and cached.definition is definition:
            return cached
        name = definition.name or default_name(definition.type, definition.period, definition.line, definition.unit)
        identity = MarketIdentity(
            definition.event, definition.type, definition.period, definition.line, definition.winners, name, definition.unit
        )
        orders = selection_orders(definition.type, [str(each.key) for each in definition.selections])
        cached = self._identities[definition.id] = _CachedIdentity(definition, identity, orders)
        return cached


def _pooled(book: MarketBook | None, profile: int) -> Mapping[str, float] | None:
    return None if book is None else book.pooled(profile)


def _review(
    scores: ScoreGuard, book: MarketBook, event: Event | None, changed: dict[str, None], refusal: str | None
) -> str | None:
    """Pass a market's prices to the guard across markets. Return why it may not be open, None if it may."""
    market = book.definition.id
    if refusal is not None or book.is_forced:
        # A person answers for forced prices; the others are not judged by those of before.
        scores.withdraw(market)
        return refusal
    if changed or not book.is_open:
        scores.review(book, event, changed)
    return "arbitrage" if market in scores.refused else None
