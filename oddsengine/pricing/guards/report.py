"""The guards of a market for explanations: each with its limit and what it measured.

The checks themselves are made where they act (`market_book`, `rounding`, `jump`, `arbitrage`, `pricer`). A guard is named
by the reason of the markets it suspends.
"""

from __future__ import annotations

from math import fsum, inf, isfinite
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.pricing.guards.score_grid import Leg
from oddsengine.pricing.market.rounding import book_sum
from oddsengine.pricing.methods.bounds import COHERENT
from oddsengine.pricing.methods.implied import source_sum_bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from oddsengine.pricing.guards.score_grid import Arbitrage
    from oddsengine.pricing.market.market_book import MarketBook
    from oddsengine.pricing.market.priced_group import PricedGroup
    from oddsengine.pricing.profiles.profile import Profile

#: The reasons without a number: they follow from a market's definition, its rules, or the lack of prices.
_WITHOUT_NUMBER: Final = frozenset({"decided", "incomplete", "method", "no_price", "over_lay", "rule"})


class Guard(NamedTuple):
    """One check.

    `limit` is None where there is none, `value` where nothing was measured; `suspends` is the verdict. `legs` are the bets, also
    on other markets of the event, that together lose at no score.
    """

    name: str
    limit: float | tuple[float, float] | None
    value: float | None
    suspends: bool
    legs: tuple[Leg, ...] = ()


def guards(
    book: MarketBook, trusted: Mapping[str, float], reason: str | None, now_ms: int, beaten: Arbitrage | None = None
) -> Iterator[Guard]:
    """Yield the checks of a market.

    Args:
        book: the market.
        trusted: the probabilities that its jump guard trusts, by selection.
        reason: why it is suspended, None if it is open.
        now_ms: Unix milliseconds.
        beaten: the arbitrage across the event's markets that it is a leg of, None if there is none.
    """
    groups = book.first_groups()
    age_s = (now_ms - book.market.received_ms) / 1000
    limit = book.max_age_ms / 1000 if isfinite(book.max_age_ms) else None
    yield Guard("source_old", limit, age_s, reason == "source_old")
    measured = [_implied_sum(group) for group in groups]
    sums, value = max(measured, key=lambda pair: _distance(*pair), default=(COHERENT, None))
    yield Guard("incoherent", sums, value, reason == "incoherent")
    if reason in _WITHOUT_NUMBER:
        yield Guard(reason, None, None, suspends=True)
    moved = [abs(group.pooled - own) for group in groups if group.pooled is not None and (own := group.rising_probability())]
    yield Guard("contradiction", book.pool_limit, max(moved, default=0.0), reason == "contradiction")
    # Published in reasons and explanations as `spike`, the jump guard's name on the wire.
    yield Guard("spike", book.jump_limit or None, _max_change(trusted, book.fair()), reason == "spike")
    if beaten is None:
        yield Guard("arbitrage", 1.0, book.min_book_sum(), reason == "arbitrage")
    else:
        # The cost of being paid 1 at every score, comparable to a book sum.
        yield Guard("arbitrage", 1.0, 1.0 / (1.0 + beaten.profit), reason == "arbitrage", beaten.legs)


def book_sum_guard(profile: Profile, winners: int, prices: Sequence[int | None], reason: str | None) -> Guard:
    """Return the check of a profile's book sum, per winner, on published prices."""
    floor = 1.0 + profile.min_margin
    total = book_sum(prices)
    limits = (max(floor, profile.book_sum - profile.tolerance), profile.book_sum + profile.tolerance)
    value = None if total is None else total / winners
    return Guard("book_sum", limits if profile.tolerance else floor, value, reason == "book_sum")


def _implied_sum(group: PricedGroup) -> tuple[tuple[float, float], float | None]:
    """Return the limits of a set's sum per winner, and the sum of its quotes, bounds or implied probabilities."""
    if group.quote_sum is not None:
        return source_sum_bounds(len(group.selections), group.inputs), group.quote_sum
    for low, high in zip(group.lows, group.highs, strict=True):
        if low > high:
            # Crossed: a selection can be laid at less than it can be backed at.
            return (0.0, high), low
    for sums in (group.lows, group.highs):
        total = fsum(sums) / group.winners if group.winners else 0.0
        # What all selections can be laid at sums to no more than the winners, what they can be backed at to no less.
        if sums is group.lows and total > 1.0:
            return (0.0, 1.0), total
        if sums is group.highs and total < 1.0:
            return (1.0, float(len(group.selections))), total
    known = [probability for probability in group.probabilities if probability is not None]
    return COHERENT, fsum(known) / group.winners if known and len(known) == len(group.probabilities) else None


def _distance(limits: tuple[float, float], value: float | None) -> float:
    """Return how far a value is outside its limits, or how close to them inside, as a negative number."""
    return -inf if value is None else max(limits[0] - value, value - limits[1])


def _max_change(before: Mapping[str, float], now: Mapping[str, float]) -> float | None:
    return max((abs(value / before[key] - 1.0) for key, value in now.items() if key in before), default=None)
