"""From one source's market to the market we publish: fair probabilities, margin, ladder, for every profile.

One pass yields the prices and every number on the way to them, so that an explanation shows what was computed and not
a second computation of it.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.books.changes import MarketIdentity, MarketState
from oddsengine.books.offer import OfferedMarket, OfferedSelection
from oddsengine.pricing.errors import MarginError
from oddsengine.pricing.fair import fair_from_exchange
from oddsengine.pricing.margin import quote_odds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.books.source_book import SourceMarket
    from oddsengine.markets.feed_updates import MarketDefinition, SelectionDefinition
    from oddsengine.pricing.fair import Basis, Fair
    from oddsengine.pricing.profile import Profile

#: A whole book whose probabilities sum to less than the first or more than the second, per winner, contradicts itself.
COHERENT = (0.75, 1.34)


class PricedSelection(NamedTuple):
    """Every number on the way to one profile's price of one selection.

    `raw` is what the source implies, `fair` the same made coherent with the other selections, `quoted` decimal odds
    with margin before rounding, `price` thousandths on the ladder; None from the first step that had no answer.
    """

    raw: float | None
    basis: Basis | None
    fair: float | None
    quoted: float | None
    price: int | None


class PricedMarket(NamedTuple):
    """One profile's prices of one market by selection key; `refusal` says why there are none."""

    selections: dict[str, PricedSelection]
    refusal: str | None


_NOTHING = PricedSelection(None, None, None, None, None)


class Pricer:
    """Prices markets for every profile at once.

    Args:
        profiles: by name, in the order of every published `prices`.
    """

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        self.profiles = dict(profiles)
        self._identities: dict[str, tuple[MarketDefinition, MarketIdentity, list[list[SelectionDefinition]]]] = {}

    def offered(self, market: SourceMarket, definition: MarketDefinition) -> OfferedMarket:
        """Price a market as its source says it stands.

        Args:
            market: the source's books.
            definition: what the source says the market is; `market.definition`, which is known by now.
        """
        identity, groups = self._nature(definition)
        if definition.status != "open":
            state = MarketState(definition.status, "provider" if definition.status == "suspended" else None, definition.in_play)
            return OfferedMarket(definition.id, identity, state, _unpriced(definition, len(self.profiles)))
        priced = [self._price(market, definition, groups, profile) for profile in self.profiles.values()]
        refusal = next((each.refusal for each in priced if each.refusal), None)
        if refusal is not None:
            # One profile's doubt is about the market, not about the profile: what may be wrong is open to nobody.
            state = MarketState("suspended", refusal, definition.in_play)
            return OfferedMarket(definition.id, identity, state, _unpriced(definition, len(self.profiles)))
        books = [each.selections for each in priced]
        if len(books) == 1:
            book = books[0]
            selections = {
                selection.key: OfferedSelection(
                    selection.name, selection.status, (book.get(selection.key, _NOTHING).price,)
                )
                for selection in definition.selections
            }
        else:
            selections = {
                selection.key: OfferedSelection(
                    selection.name, selection.status, tuple(book.get(selection.key, _NOTHING).price for book in books)
                )
                for selection in definition.selections
            }
        return OfferedMarket(definition.id, identity, MarketState("open", None, definition.in_play), selections)

    def suspended(self, definition: MarketDefinition, reason: str) -> OfferedMarket:
        """Say that a market is suspended for a reason of ours; a closed one stays closed."""
        identity, _ = self._nature(definition)
        closed = definition.status == "closed"
        state = MarketState("closed" if closed else "suspended", None if closed else reason, definition.in_play)
        return OfferedMarket(definition.id, identity, state, _unpriced(definition, len(self.profiles)))

    def explain(self, market: SourceMarket, definition: MarketDefinition) -> dict[str, PricedMarket]:
        """Give every number behind a market's prices, by profile."""
        _, groups = self._nature(definition)
        return {name: self._price(market, definition, groups, profile) for name, profile in self.profiles.items()}

    def forget(self, market: str) -> None:
        """Drop what is remembered of a market that is gone."""
        self._identities.pop(market, None)

    def _nature(self, definition: MarketDefinition) -> tuple[MarketIdentity, list[list[SelectionDefinition]]]:
        known = self._identities.get(definition.id)
        if known is not None and known[0] is definition:
            return known[1], known[2]
        identity = MarketIdentity(
            definition.event, definition.type, definition.period, definition.line, definition.winners
        )
        groups = _groups(definition)
        self._identities[definition.id] = (definition, identity, groups)
        return identity, groups

    def _price(
        self,
        market: SourceMarket,
        definition: MarketDefinition,
        groups: list[list[SelectionDefinition]],
        profile: Profile,
    ) -> PricedMarket:
        if not definition.winners:
            return PricedMarket({}, "not_priceable")
        selections: dict[str, PricedSelection] = {}
        any_price = False
        for group in groups:
            raw = [self._raw(market, selection, profile) for selection in group]
            answers = [answer.probability for answer in raw if answer is not None]
            if not answers:
                continue
            any_price = True
            winners = min(definition.winners, len(group))
            total = fsum(answers)
            if len(answers) < len(group):
                # Without the missing ones the rest can't be made to sum; they may only not exceed the whole.
                factor = 1.0 if total <= winners else winners / total
            elif COHERENT[0] * winners <= total <= COHERENT[1] * winners:
                factor = winners / total
            else:
                return PricedMarket({}, "incoherent")
            self._quote_group(group, raw, factor, winners, profile, selections)
        return PricedMarket(selections, None if any_price else "no_price")

    @staticmethod
    def _raw(market: SourceMarket, selection: SelectionDefinition, profile: Profile) -> Fair | None:
        book = market.books.get(selection.source_id)
        if book is None:
            return None
        back, lay = book.best()
        return fair_from_exchange(back, lay, book.last, profile.exchange)

    @staticmethod
    def _quote_group(
        group: list[SelectionDefinition],
        raw: list[Fair | None],
        factor: float,
        winners: int,
        profile: Profile,
        selections: dict[str, PricedSelection],
    ) -> None:
        complete = None not in raw
        quotes: list[float] | None = None
        if complete and profile.method != "multiplicative" and 1 <= winners < len(group):
            fair = [answer.probability * factor for answer in raw if answer is not None]
            try:
                quotes = quote_odds(fair, profile.book_sum * winners, profile.method, winners)
            except MarginError:
                quotes = None
        at_or_below = profile.ladder_ticks.at_or_below
        least, greatest = profile.least_odds, profile.greatest_odds
        for position, (selection, answer) in enumerate(zip(group, raw, strict=True)):
            if answer is None:
                selections[selection.key] = _NOTHING
                continue
            probability = answer.probability * factor
            quoted = quotes[position] if quotes is not None else 1.0 / (probability * profile.book_sum)
            price = at_or_below(min(quoted, greatest) * 1000.0 + 1e-9) if quoted >= least else None
            selections[selection.key] = PricedSelection(answer.probability, answer.basis, probability, quoted, price)


def _unpriced(definition: MarketDefinition, profiles: int) -> dict[str, OfferedSelection]:
    no_prices = (None,) * profiles
    return {
        selection.key: OfferedSelection(selection.name, selection.status, no_prices)
        for selection in definition.selections
    }


def _groups(definition: MarketDefinition) -> list[list[SelectionDefinition]]:
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


def _side(selection: SelectionDefinition) -> str:
    return selection.source_id.partition("@")[0]
