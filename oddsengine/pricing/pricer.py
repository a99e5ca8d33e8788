"""From one source's market to the market we publish, for every profile at once, at the cost of what moved."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oddsengine.books.changes import MarketIdentity, MarketState
from oddsengine.books.offer import OfferedMarket, OfferedSelection
from oddsengine.markets.events import Event
from oddsengine.markets.feed_updates import MarketDefinition
from oddsengine.pricing.book import MovingBook, PricedSelection, coherence, price_book
from oddsengine.pricing.fair import ExchangeLimits, fair_from_exchange, fair_from_quotes
from oddsengine.pricing.profile import Resolved, resolve
from oddsengine.pricing.rules import MarketContext, brackets, minutes_until_next_bracket

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.books.source_book import SelectionBook, SourceMarket
    from oddsengine.markets.feed_updates import SelectionDefinition
    from oddsengine.markets.ids import MarketId
    from oddsengine.pricing.fair import Fair
    from oddsengine.pricing.profile import Profile

#: New prices of some selections, one a profile each; what is not named is as it was.
PriceChanges: TypeAlias = list[tuple[str, tuple[int | None, ...]]]


class PricedMarket(NamedTuple):
    """One profile's prices of one market by selection key; `refusal` says why there are none."""

    selections: dict[str, PricedSelection]
    refusal: str | None


class _Belief(NamedTuple):
    """What a profile takes for fair of what a source says; profiles that agree share their probabilities."""

    limits: ExchangeLimits
    devig: str


class _Group:
    """A set of selections whose probabilities sum to the number of winners, as profiles of one belief see it."""

    __slots__ = ("any_price", "books", "factor", "inverses", "moving", "probabilities", "quoted", "selections", "winners")

    def __init__(
        self, selections: list[SelectionDefinition], market: SourceMarket, winners: int, profiles: list[Profile]
    ) -> None:
        self.selections = selections
        self.books: list[SelectionBook | None] = [market.books.get(selection.source_id) for selection in selections]
        self.winners = min(winners, len(selections))
        self.probabilities: list[float | None] = [None] * len(selections)
        self.inverses: list[float | None] = [None] * len(selections)
        self.factor: float | None = None
        #: whether a bookmaker prices it
        self.quoted = False
        self.any_price = False
        self.moving = [MovingBook([selection.key for selection in selections], self.winners, profile) for profile in profiles]

    def imply(self, belief: _Belief) -> list[int]:
        """Take over what the books that moved imply; tell whose probability is another now."""
        books = self.books
        places = [place for place, book in enumerate(books) if book is not None and book.moved]
        if not places:
            return places
        self.quoted = self.quoted or any(books[place].quote is not None for place in places)  # type: ignore[union-attr]
        if self.quoted:
            answers = _implied(books, self.winners, belief)
            places = list(range(len(books)))
        else:
            answers = [_from_exchange(books[place], belief.limits) for place in places]
        moved: list[int] = []
        for place, answer in zip(places, answers, strict=True):
            probability = None if answer is None else answer.probability
            if probability != self.probabilities[place]:
                self.probabilities[place] = probability
                self.inverses[place] = None if probability is None else 1.0 / probability
                moved.append(place)
        return moved


class _Working:
    """What is kept of a market between two pricings; thrown away when the market's nature or its books change."""

    __slots__ = (
        "books",
        "definition",
        "groups",
        "market",
        "max_age_ms",
        "offered_open",
        "resolved",
        "seen",
        "size",
        "spike_limit",
    )

    def __init__(
        self,
        market: SourceMarket,
        definition: MarketDefinition,
        resolved: tuple[Resolved, ...],
        groups: list[tuple[_Belief, list[int], list[_Group]]],
    ) -> None:
        self.definition = definition
        self.market = market
        self.resolved = resolved
        #: how long its source may say nothing of it; infinity where no profile minds
        self.max_age_ms = min((each.settings.max_age_s for each in resolved if each.settings.max_age_s), default=inf) * 1000
        self.books = market.books
        self.size = len(market.books)
        #: for each distinct belief the places of its profiles in `prices`, and the groups as it sees them
        self.groups = groups
        self.offered_open = False

        limits = [each.settings.spike_limit for each in resolved if each.settings.spike_limit]
        self.spike_limit = min(limits, default=0.0)
        #: the fair probabilities at the last pricing, kept only where spikes are looked for
        self.seen: dict[str, float] | None = None

    def fair(self) -> dict[str, float]:
        """Give every fair probability there is, as the first profile sees it."""
        return {
            selection.key: probability * (group.factor or 1.0)
            for group in self.groups[0][2]
            for selection, probability in zip(group.selections, group.probabilities, strict=True)
            if probability is not None
        }

    def fits(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]) -> bool:
        return (
            self.definition is definition
            and self.resolved is resolved
            and self.books is market.books
            and self.size == len(market.books)
        )

    def is_old(self, now_ms: int) -> bool:
        """Tell whether the source has said nothing of the market for too long."""
        return now_ms - self.market.heard_ms > self.max_age_ms


class _Situation(NamedTuple):
    """What rules were resolved from, what they resolved to, and until when (Unix ms) that holds if nothing else changes."""

    definition: MarketDefinition
    event: Event | None
    resolved: tuple[Resolved, ...]
    until_ms: float


class Pricer:
    """Prices markets for every profile.

    Args:
        profiles: by name, in the order of every published `prices`.
    """

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = dict(profiles)
        self._edges = brackets([rule for profile in self.profiles.values() for rule in profile.rules])
        #: context, time to the start replaced by its bracket -> what holds for every profile; one object a context
        self._resolved: dict[MarketContext, tuple[Resolved, ...]] = {}
        self._situations: dict[MarketId, _Situation] = {}
        #: market -> the probabilities a jump led to, and when it was heard of
        self._spikes: dict[MarketId, tuple[dict[str, float], int]] = {}
        self._working: dict[MarketId, _Working] = {}
        self._identities: dict[MarketId, tuple[MarketDefinition, MarketIdentity]] = {}

    def offered(
        self, market: SourceMarket, definition: MarketDefinition, event: Event | None = None, now_ms: int = 0
    ) -> OfferedMarket | PriceChanges:
        """Price a market as its source says it stands.

        Args:
            market: the source's books.
            definition: `market.definition`, which is known by now.
            event: the event it belongs to, for the rules.
            now_ms: Unix milliseconds, for rules on the time to the start.

        Returns:
            The whole market, or, where all but prices is as at the last call, only the prices that changed.
        """
        if definition.status != "open":
            # Whatever it reopens at is a new beginning, not a jump.
            self._spikes.pop(definition.id, None)
            return self._closed_or_suspended(definition, "provider")
        if not definition.winners:
            return self.suspended(definition, "not_priceable")
        resolved = self.resolved(market.source, definition, event, now_ms)
        working = self._working.get(definition.id)
        if working is None or not working.fits(market, definition, resolved):
            working = self._working[definition.id] = self._begin(market, definition, resolved)
        if working.is_old(now_ms):
            return self.suspended(definition, "source_old")
        changed, refusal = self._move(working)
        if refusal is None and working.spike_limit and self._is_spike(working):
            refusal = "spike"
        if refusal is not None:
            # One profile's doubt is about the market, not about the profile: what may be wrong is open to nobody.
            return self.suspended(definition, refusal)
        if working.offered_open:
            return [(key, self._prices(working, key)) for key in changed] if changed else []
        working.offered_open = True
        return OfferedMarket(
            definition.id,
            self._identity(definition),
            MarketState("open", None, definition.in_play),
            {
                str(selection.key): OfferedSelection(selection.name, selection.status, self._prices(working, selection.key))
                for selection in definition.selections
            },
        )

    def resolved(self, source: str, definition: MarketDefinition, event: Event | None, now_ms: int) -> tuple[Resolved, ...]:
        """Give what holds for a market, one entry a profile; the same object until something it rests on changes."""
        situation = self._situations.get(definition.id)
        if (
            situation is not None
            and situation.definition is definition
            and situation.event is event
            and now_ms < situation.until_ms
        ):
            return situation.resolved
        start_ms = event.start_ms if event is not None else None
        minutes = None if start_ms is None else (start_ms - now_ms) / 60_000
        bracket = None if minutes is None else next((edge for edge in reversed(self._edges) if minutes <= edge), inf)
        context = MarketContext(
            sport=event.sport if event is not None else "",
            competition=event.competition.id if event is not None else "",
            type=definition.type,
            period=definition.period,
            source=source,
            in_play=definition.in_play,
            minutes_to_start=bracket,
        )
        resolved = self._resolved.get(context)
        if resolved is None:
            resolved = tuple(resolve(profile, context) for profile in self.profiles.values())
            self._resolved[context] = resolved
        until_ms = now_ms + 60_000 * minutes_until_next_bracket(self._edges, minutes)
        self._situations[definition.id] = _Situation(definition, event, resolved, until_ms)
        return resolved

    def due(self, now_ms: int) -> list[MarketId]:
        """List the markets that must be looked at again only because time has passed: another rule, or too old."""
        old = [market for market, working in self._working.items() if working.is_old(now_ms)]
        if not self._edges:
            return old
        return old + [market for market, situation in self._situations.items() if situation.until_ms <= now_ms]

    def suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        """Say that a market is suspended for a reason of ours; a closed one stays closed."""
        return self._closed_or_suspended(definition, reason)

    def explain(
        self, market: SourceMarket, definition: MarketDefinition, event: Event | None = None, now_ms: int = 0
    ) -> dict[str, tuple[Resolved, PricedMarket]]:
        """Give what held for a market and every number behind its prices, by profile."""
        resolved = self.resolved(market.source, definition, event, now_ms)
        return {
            name: (each, _price_plainly(market, definition, each.settings))
            for name, each in zip(self.profiles, resolved, strict=True)
        }

    def forget(self, market: MarketId) -> None:
        """Drop what is remembered of a market that is gone."""
        self._working.pop(market, None)
        self._identities.pop(market, None)
        self._situations.pop(market, None)
        self._spikes.pop(market, None)

    def _closed_or_suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        self._working.pop(definition.id, None)
        self._situations.pop(definition.id, None)
        closed = definition.status == "closed"
        state = MarketState("closed" if closed else "suspended", None if closed else reason, definition.in_play)
        no_prices = (None,) * len(self.profiles)
        selections = {
            str(selection.key): OfferedSelection(selection.name, selection.status, no_prices)
            for selection in definition.selections
        }
        return OfferedMarket(definition.id, self._identity(definition), state, selections)

    def _identity(self, definition: MarketDefinition) -> MarketIdentity:
        known = self._identities.get(definition.id)
        if known is not None and known[0] is definition:
            return known[1]
        identity = MarketIdentity(definition.event, definition.type, definition.period, definition.line, definition.winners)
        self._identities[definition.id] = (definition, identity)
        return identity

    @staticmethod
    def _begin(market: SourceMarket, definition: MarketDefinition, resolved: tuple[Resolved, ...]) -> _Working:
        places_by_belief: dict[_Belief, list[int]] = {}
        for place, (settings, _) in enumerate(resolved):
            places_by_belief.setdefault(_Belief(settings.exchange, settings.devig), []).append(place)
        together = priced_together(definition)
        groups = [
            (
                belief,
                places,
                [
                    _Group(selections, market, definition.winners, [resolved[place].settings for place in places])
                    for selections in together
                ],
            )
            for belief, places in places_by_belief.items()
        ]
        for book in market.books.values():
            book.moved = True
        return _Working(market, definition, resolved, groups)

    def _move(self, working: _Working) -> tuple[dict[str, None], str | None]:
        """Price what moved; give the selections with another price, and why the market can't be open, if it can't."""
        changed: dict[str, None] = {}
        any_price = False
        touched = [book for book in working.books.values() if book.moved]
        for belief, _, groups in working.groups:
            for group in groups:
                moved = group.imply(belief)
                # Most changes of a book are deep in it and move no probability.
                if moved or group.factor is None:
                    group.factor = coherence(group.probabilities, group.winners)
                    if group.factor is None:
                        return changed, "incoherent"
                    for moving in group.moving:
                        for place in moving.move(group.inverses, group.factor, moved):
                            changed[group.selections[place].key] = None
                    group.any_price = any(group.probabilities)
                any_price = any_price or group.any_price
        for book in touched:
            book.moved = False
        return changed, None if any_price else "no_price"

    def _is_spike(self, working: _Working) -> bool:
        """Tell whether the probabilities have jumped and no later update has confirmed where to."""
        fair, heard_ms = working.fair(), working.market.heard_ms
        market = working.definition.id
        pending = self._spikes.get(market)
        if pending is not None:
            jumped_to, jumped_ms = pending
            if _jumped(jumped_to, fair, working.spike_limit):
                self._spikes[market] = (fair, heard_ms)
                return True
            if heard_ms <= jumped_ms:
                return True
            del self._spikes[market]
        elif working.seen is not None and _jumped(working.seen, fair, working.spike_limit):
            self._spikes[market] = (fair, heard_ms)
            return True
        working.seen = fair
        return False

    def _prices(self, working: _Working, key: str) -> tuple[int | None, ...]:
        prices: list[int | None] = [None] * len(self.profiles)
        for _, places, groups in working.groups:
            for group in groups:
                for at, selection in enumerate(group.selections):
                    if selection.key == key:
                        for place, book in zip(places, group.moving, strict=True):
                            prices[place] = book.prices[at]
        return tuple(prices)


def _implied(books: list[SelectionBook | None], winners: int, belief: _Belief) -> list[Fair | None]:
    """Give what a source implies of a set of selections: a bookmaker by its prices, an exchange by its order books."""
    if any(book is not None and book.quote is not None for book in books):
        return fair_from_quotes([None if book is None else book.quote for book in books], winners, belief.devig)
    return [_from_exchange(book, belief.limits) for book in books]


def _from_exchange(book: SelectionBook | None, limits: ExchangeLimits) -> Fair | None:
    if book is None:
        return None
    back, lay = book.best()
    return fair_from_exchange(back, lay, book.last, limits)


def _price_plainly(market: SourceMarket, definition: MarketDefinition, profile: Profile) -> PricedMarket:
    if not definition.winners:
        return PricedMarket({}, "not_priceable")
    selections: dict[str, PricedSelection] = {}
    for group in priced_together(definition):
        books = [market.books.get(selection.source_id) for selection in group]
        winners = min(definition.winners, len(group))
        keys = [selection.key for selection in group]
        priced = price_book(keys, _implied(books, winners, _Belief(profile.exchange, profile.devig)), winners, profile)
        if priced is None:
            return PricedMarket({}, "incoherent")
        selections.update({selection.key: answer for selection, answer in zip(group, priced, strict=True)})
    any_price = any(selection.raw is not None for selection in selections.values())
    return PricedMarket(selections, None if any_price else "no_price")


def priced_together(definition: MarketDefinition) -> list[list[SelectionDefinition]]:
    """Part the active selections into the sets whose probabilities sum to the number of winners.

    All of them, except in an Asian handicap market with many lines, where the two sides of each line are a set: the
    first side at h and the other at -h.
    """
    active = [selection for selection in definition.selections if selection.status == "active"]
    if definition.type != "asian_handicap" or not any(selection.handicap for selection in definition.selections):
        return [active] if active else []
    first_side = _side(definition.selections[0])
    lines: dict[float, list[SelectionDefinition]] = {}
    for selection in active:
        line = selection.handicap if _side(selection) == first_side else -selection.handicap
        lines.setdefault(line, []).append(selection)
    return list(lines.values())


def _jumped(before: dict[str, float], now: dict[str, float], limit: float) -> bool:
    return any(key in before and abs(probability - before[key]) > limit * before[key] for key, probability in now.items())


def _side(selection: SelectionDefinition) -> str:
    return selection.source_id.partition("@")[0]
