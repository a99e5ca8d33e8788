"""The state of one market between two pricings: its probabilities and its prices for every profile."""

from __future__ import annotations

from math import fsum, inf
from typing import TYPE_CHECKING

from oddsengine.pricing.market.outcomes import outcome_groups, refusal_of
from oddsengine.pricing.market.priced_group import PricedGroup
from oddsengine.pricing.market.terms import terms_of
from oddsengine.pricing.methods.margin import SEVERAL_WINNERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.changes import MarketTerms
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.pricing.methods.implied import FairPriceInputs
    from oddsengine.pricing.profiles.profile import ResolvedProfile
    from oddsengine.sourcing.selection_book import SelectionBook
    from oddsengine.sourcing.source_book import SourceMarket


class MarketBook:
    """The pricing state of a market; replaced when its definition, the rules that apply or its set of books changes.

    Keyed by identity: `is_current` compares objects, not values, because it runs at every update.

    Args:
        market: the source's books.
        definition: the market.
        resolved: what applies to it, one entry a profile.
    """

    __slots__ = (
        "_book_count",
        "_books",
        "_expires_ms",
        "_first_groups",
        "_has_steps",
        "_is_beatable",
        "_looks_deeper",
        "_moves",
        "_only_group",
        "_positions",
        "_profile_indices",
        "_require_complete_book",
        "definition",
        "groups",
        "has_lines",
        "is_bound_by_exchanges",
        "is_forced",
        "is_open",
        "jump_limit",
        "line_count",
        "market",
        "max_age_ms",
        "now_ms",
        "pool_limit",
        "refusal",
        "resolved",
        "source_terms",
        "suspend",
    )

    def __init__(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[ResolvedProfile, ...]) -> None:
        self.definition = definition
        self.market = market
        self.resolved = resolved
        #: the terms of the source that are published
        self.source_terms: MarketTerms | None = None
        self._books = market.books
        self._book_count = len(market.books)
        #: those of the market at the last call of `imply`
        self._moves = -1
        #: when a last trade that is used becomes too old, Unix milliseconds
        self._expires_ms = inf
        #: the time of the last pricing, Unix milliseconds
        self.now_ms = 0
        #: whether it was open at the last pricing
        self.is_open = False
        settings = [each.settings for each in resolved]
        # A profile's limit is about the market, not about the profile: the strictest one applies to all.
        self.max_age_ms = min((each.max_age_s for each in settings if each.max_age_s), default=inf) * 1000
        self.jump_limit = min((each.jump_limit for each in settings if each.jump_limit), default=0.0)
        self.pool_limit = min(each.pool_limit for each in settings)
        self._require_complete_book = any(each.require_complete_book for each in settings)
        self.is_bound_by_exchanges = any(each.bound_by_exchanges for each in settings)
        self.suspend = any(each.suspend for each in settings)
        #: whether a person answers for some price, whatever the guards find
        self.is_forced = any(each.forced_prices for each in settings)
        self._has_steps = any(each.max_move for each in settings)
        #: whether prices depend on more than the best offers of the source
        self._looks_deeper = self.is_bound_by_exchanges or any(each.exchange.min_depth for each in settings)
        #: for each distinct set of inputs, the indices of its profiles in `prices`
        self._profile_indices: dict[FairPriceInputs, list[int]] = {}
        for index, profile in enumerate(settings):
            self._profile_indices.setdefault(profile.fair_price_inputs, []).append(index)
        #: whether the best prices of all profiles can sum to less than those of one: not if all scale equal probabilities
        self._is_beatable = len(settings) > 1 and not (
            len(self._profile_indices) == 1 and all(each.prices_independently for each in settings)
        )
        outcomes = outcome_groups(definition)
        self.groups = {
            inputs: [PricedGroup(each, market, inputs, [settings[at] for at in indices]) for each in outcomes]
            for inputs, indices in self._profile_indices.items()
        }
        self._first_groups = next(iter(self.groups.values()), [])
        #: the group of a market that has no other, neither by lines nor by profiles
        self._only_group = self._first_groups[0] if len(self.groups) == len(outcomes) == 1 else None
        #: selection -> the number of its group and its index in that
        self._positions = {
            str(selection.key): (number, index)
            for number, each in enumerate(outcomes)
            for index, selection in enumerate(each.selections)
            if selection.status == "active"
        }
        #: why the market may not be open, whatever its prices
        self.refusal = refusal_of(definition)
        if any(each.winners > 1 for each in outcomes) and any(each.method not in SEVERAL_WINNERS for each in settings):
            self.refusal = self.refusal or "method"
        if self._require_complete_book and any(
            each.status == "active" and str(each.key) not in self._positions for each in definition.selections
        ):
            # One side of a line without the other has no fair price.
            self.refusal = self.refusal or "no_price"
        self.has_lines = any(each.line is not None for each in outcomes)
        self.line_count = len(outcomes)

    def is_current(self, market: SourceMarket, definition: MarketDefinition, resolved: tuple[ResolvedProfile, ...]) -> bool:
        """Check whether the market is still the same one, by the same rules, with the same books."""
        return (
            self.definition is definition
            and self.resolved is resolved
            and self._books is market.books
            and self._book_count == len(market.books)
        )

    def terms(self) -> tuple[MarketTerms, ...]:
        """Return the terms to publish, one entry a profile; empty where there are none."""
        self.source_terms = self.market.terms
        return terms_of(self.source_terms, self.resolved)

    def is_old(self, now_ms: int) -> bool:
        """Check whether the source has been silent about the market for longer than allowed."""
        return now_ms - self.market.received_ms > self.max_age_ms

    def is_due(self, now_ms: int) -> bool:
        """Check whether the market must be priced only because time has passed: it is too old, or has steps to go."""
        if not self.is_open:
            # Old or not, it is suspended; but its reason is that of now.
            return self.is_old(now_ms) != self.is_old(self.now_ms)
        return self.is_old(now_ms) or (self._has_steps and not self._is_settled()) or now_ms >= self._expires_ms

    def due_ms(self) -> float:
        """Return the first time at which `is_due` may be true, if it is not priced before; Unix milliseconds.

        Where that is past, it is true once the source has spoken.
        """
        too_old_ms = self.market.received_ms + self.max_age_ms
        return min(too_old_ms, self._expires_ms) if self.is_open else too_old_ms

    def has_moved(self, now_ms: int) -> bool:
        """Check whether the market may have other prices than when it was last priced, by its books and the time."""
        market = self.market
        return (
            market.moves != self._moves
            # Who is not trusted may be confirmed.
            or (bool(self.jump_limit) and not self.is_open)
            or self._looks_deeper
            or len(market.books) != self._book_count
            or now_ms - market.received_ms > self.max_age_ms
            or now_ms >= self._expires_ms
            or (self._has_steps and not self._is_settled())
        )

    def forget_moves(self) -> None:
        """Price the market when it is next asked whether it has moved, whatever its books say."""
        self._moves = -1

    def _is_settled(self) -> bool:
        return all(group.incremental.settled for groups in self.groups.values() for group in groups)

    def imply(self, now_ms: int = 0) -> str | None:
        """Update the probabilities from the books that changed. Return why the market may not be open, None if it may.

        Args:
            now_ms: Unix milliseconds, for the ages of last trades.
        """
        self.now_ms = now_ms
        self._moves = self.market.moves
        only = self._only_group
        if only is not None:
            own = only.imply(now_ms)
            self._expires_ms = only.expires_ms
            return self.refusal or own
        refusal = self.refusal
        expires_ms = inf
        for groups in self.groups.values():
            for group in groups:
                own = group.imply(now_ms)
                refusal = refusal or own
                expires_ms = min(expires_ms, group.expires_ms)
        self._expires_ms = expires_ms
        return refusal

    def price(self) -> tuple[dict[str, None], str | None]:
        """Price what is dirty. Return the selections whose prices changed, and why the market may not be open, if so."""
        only = self._only_group
        if only is not None:
            return self._price_only(only)
        changed: dict[str, None] = {}
        refusal: str | None = None
        has_prices = False
        fresh = not self.is_open
        for groups in self.groups.values():
            for group in groups:
                if group.is_dirty:
                    for index in sorted(group.price(fresh=fresh)):
                        changed[group.selections[index].key] = None
                    refusal = refusal or self._refusal(group)
                elif fresh:
                    refusal = refusal or self._refusal(group)
                has_prices = has_prices or group.has_prices
        return changed, refusal or (None if has_prices else "no_price")

    def _price_only(self, group: PricedGroup) -> tuple[dict[str, None], str | None]:
        """Price the group of a market that has no other, as most have."""
        refusal = None if group.has_prices else "no_price"
        if group.is_dirty:
            changed = group.price(fresh=not self.is_open)
            keys: dict[str, None] = {group.selections[index].key: None for index in sorted(changed)} if changed else {}
            return keys, self._refusal(group) or refusal
        return {}, refusal if self.is_open else self._refusal(group) or refusal

    def _refusal(self, group: PricedGroup) -> str | None:
        own = group.rising_probability()
        pooled = group.pooled
        if pooled is not None and own is not None and (abs(pooled - own) > self.pool_limit or not group.allows(pooled)):
            return "contradiction"
        if self._require_complete_book and None in group.probabilities:
            return "no_price"
        return group.incremental.refusal

    def has_arbitrage(self) -> bool:
        """Check whether a bettor could back every selection, each in its best profile, without risk."""
        if not self._is_beatable:
            return False
        total = self.min_book_sum()
        return total is not None and total < 1.0

    def min_book_sum(self) -> float | None:
        """Return the smallest sum of inverse odds, per winner, over all lines, with each selection in its best profile."""
        sums: list[float] = []
        for number, group in enumerate(self.first_groups()):
            by_profile = [prices for groups in self.groups.values() for prices in groups[number].incremental.prices]
            inverses = [
                1000.0 / (max(prices) if None not in prices else max(price or 0 for price in prices))
                for prices in zip(*by_profile, strict=True)
                if any(prices)
            ]
            if len(inverses) == len(group.selections):
                sums.append(fsum(inverses) / group.winners)
        return min(sums, default=None)

    def best_sides(self) -> Iterator[tuple[float, int | None, int | None]]:
        """Yield each line with the longest prices of its rising and its falling side in any profile, in thousandths."""
        for number, group in enumerate(self.first_groups()):
            if group.line is not None and group.rising is not None and len(group.selections) == 2:  # noqa: PLR2004 - two sides
                yield group.line, self._best(number, group.rising), self._best(number, 1 - group.rising)

    def _best(self, number: int, index: int) -> int | None:
        prices = (groups[number].best(index) for groups in self.groups.values())
        return max((price for price in prices if price is not None), default=None)

    def first_groups(self) -> list[PricedGroup]:
        """Return the groups as the first profile prices them."""
        return self._first_groups

    def updated_keys(self) -> list[str]:
        """Return the selections whose books had changed when the probabilities last followed their books."""
        return [group.selections[index].key for group in self.first_groups() for index in group.updated]

    def book_of(self, key: str) -> SelectionBook | None:
        """Return a selection's book at the source."""
        position = self._positions.get(key)
        return None if position is None else self.first_groups()[position[0]].books[position[1]]

    def fair(self) -> dict[str, float]:
        """Return the fair probabilities that exist, by selection, as the first profile has them."""
        return {
            selection.key: probability
            for group in self.first_groups()
            for selection, probability in zip(group.selections, group.fair(), strict=True)
            if probability is not None
        }

    def pooled(self, profile: int) -> dict[str, float]:
        """Return the probabilities changed by other lines, by selection, as the profile of an index has them."""
        return {
            group.selections[group.rising].key: group.pooled
            for inputs, groups in self.groups.items()
            if profile in self._profile_indices[inputs]
            for group in groups
            if group.pooled is not None and group.rising is not None
        }

    def offered(self, key: str) -> tuple[tuple[int | None, ...], int | None]:
        """Return a selection's prices, one a profile, and its fair probability in millionths, None where it has no price."""
        prices = self.prices(key)
        position = self._positions.get(key)
        if position is None or not any(prices):
            return prices, None
        fair = self.first_groups()[position[0]].fair_of(position[1])
        return prices, None if fair is None else round(fair * 1_000_000)

    def prices(self, key: str) -> tuple[int | None, ...]:
        """Return a selection's prices, one a profile."""
        position = self._positions.get(key)
        if position is None:
            return (None,) * len(self.resolved)
        number, at = position
        if len(self.groups) == 1:
            return tuple([own[at] for own in self._first_groups[number].incremental.prices])
        prices: list[int | None] = [None] * len(self.resolved)
        for inputs, groups in self.groups.items():
            for index, own in zip(self._profile_indices[inputs], groups[number].incremental.prices, strict=True):
                prices[index] = own[at]
        return tuple(prices)
