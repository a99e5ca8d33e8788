"""From quoted odds to odds that may be published: onto the ladder, over the floor, not too restless.

A price is rounded down onto its ladder, so that a book never sums to less than it was quoted at; `balanced` rounding then
lifts single prices by one tick where that brings the book sum nearer to its target. A hold band keeps what hardly moved,
a greatest step spreads what moved far; both give way where the book would leave its tolerance or fall under its floor,
and neither ever keeps a price on which the bettor would have the edge.
"""

from __future__ import annotations

from bisect import bisect_right
from math import fsum, inf
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.pricing.profiles.profile import Profile

Rounding = Literal["down", "balanced"]
Rounder: TypeAlias = "Callable[[float], tuple[int | None, float, float]]"

#: Thousandths added before rounding down onto a ladder, so that a price that is a tick but for float error stays on it.
ON_TICK = 1e-9
#: How far float error may take a sum from a limit it was set to.
_AT_LIMIT = 1e-9


class RoundedBook(NamedTuple):
    """Prices in thousandths; `settled` is False while a price is still on its way in steps; `refusal` why there are none."""

    prices: list[int | None]
    settled: bool
    refusal: str | None


def book_sum(prices: Sequence[int | None]) -> float | None:
    """Sum the inverse odds of prices in thousandths; None where one is missing, since then there is no whole book."""
    known = [1000.0 / price for price in prices if price is not None]
    return fsum(known) if len(known) == len(prices) else None


def rounder(profile: Profile) -> Rounder:
    """Make the function that rounds decimal odds down onto a profile's ladder.

    It gives the price in thousandths, None under the profile's least odds; and the range of quoted odds, from the first
    up to but not including the second, that all have this price.
    """
    ticks = profile.ladder_ticks.ticks
    count = len(ticks)
    least, greatest = profile.min_odds, profile.max_odds
    max_milli = greatest * 1000.0 + ON_TICK

    def round_down(quoted: float) -> tuple[int | None, float, float]:
        if quoted < least:
            return None, 0.0, least
        # Bound to locals and searched here: this is what a moved price costs, once a profile.
        position = bisect_right(ticks, quoted * 1000.0 + ON_TICK if quoted < greatest else max_milli)
        high = inf
        if position < count and ticks[position] <= max_milli:
            high = (ticks[position] - ON_TICK) / 1000.0
        if not position:
            return None, least, high
        price = ticks[position - 1]
        low = (price - ON_TICK) / 1000.0
        return price, max(least, low), high

    return round_down


def round_book(
    quotes: Sequence[float | None],
    fair: Sequence[float | None],
    winners: int,
    profile: Profile,
    before: Sequence[int | None] | None = None,
) -> RoundedBook:
    """Round the quotes of a set of selections.

    Args:
        quotes: decimal odds with margin, None where there is none.
        fair: the probabilities they were made of.
        winners: how many of the selections win.
        profile: says how.
        before: the prices published until now, thousandths; None where nothing is on offer.

    Returns:
        The prices; `refusal` is `book_sum` where the ladder has none within the profile's tolerance.
    """
    round_down = rounder(profile)
    prices = [None if quoted is None else round_down(quoted)[0] for quoted in quotes]
    target = _target(quotes, prices, profile)
    if target is None:
        # Not a whole book: there is no sum to keep, but each price is still on its bettor-proof side.
        rounded, settled = _steadied(prices, quotes, fair, profile, before)
        return RoundedBook(rounded, settled, None)
    floor = winners * (1.0 + profile.min_margin)
    tolerance = profile.tolerance * winners or inf
    if profile.rounding == "balanced":
        _balance(prices, quotes, target, max(floor, target - tolerance), profile)
    if not _within(prices, target, floor, tolerance):
        return RoundedBook(prices, True, "book_sum")
    damped, settled = _steadied(prices, quotes, fair, profile, before)
    if _within(damped, target, floor, tolerance):
        return RoundedBook(damped, settled, None)
    return RoundedBook(prices, True, None)


def _target(quotes: Sequence[float | None], prices: Sequence[int | None], profile: Profile) -> float | None:
    """Sum what was quoted, as far as the profile's greatest odds let it be; None if some selection has no price."""
    if None in prices:
        return None
    return fsum([1.0 / min(quoted, profile.max_odds) for quoted in quotes if quoted is not None])


def _within(prices: Sequence[int | None], target: float, floor: float, tolerance: float) -> bool:
    total = book_sum(prices)
    return total is not None and total >= floor - _AT_LIMIT and abs(total - target) <= tolerance + _AT_LIMIT


def _balance(prices: list[int | None], quotes: Sequence[float | None], target: float, least: float, profile: Profile) -> None:
    """Lift prices by one tick, those that rounding cut most first, while that brings the book sum nearer to the target."""
    total = book_sum(prices) or 0.0
    cut = sorted(
        (
            (quoted * 1000.0 / price, place)
            for place, (quoted, price) in enumerate(zip(quotes, prices, strict=True))
            if quoted and price
        ),
        reverse=True,
    )
    for _, place in cut:
        price = prices[place]
        if price is None:
            continue
        following = profile.ladder_ticks.around(price)[1]
        if following is None or following > profile.max_odds * 1000.0 + ON_TICK:
            continue
        lifted = total - 1000.0 / price + 1000.0 / following
        if lifted >= least and abs(lifted - target) < abs(total - target):
            prices[place], total = following, lifted


def _steadied(
    prices: list[int | None],
    quotes: Sequence[float | None],
    fair: Sequence[float | None],
    profile: Profile,
    before: Sequence[int | None] | None,
) -> tuple[list[int | None], bool]:
    """Keep the prices of before that hardly moved, and let the others come nearer by at most the greatest step."""
    if before is None or not (profile.min_move or profile.max_move):
        return prices, True
    damped = list(prices)
    settled = True
    for place, (price, last, quoted, probability) in enumerate(zip(prices, before, quotes, fair, strict=True)):
        if price is None or last is None or price == last or quoted is None or probability is None:
            continue
        # A price kept long may cost us the margin, never more than that.
        greatest = max(price, 1000.0 / (probability * (1.0 + profile.min_margin)))
        if abs(price - last) <= profile.min_move * last and last <= greatest:
            damped[place] = last
        elif profile.max_move and abs(price - last) > profile.max_move * last:
            damped[place] = _a_step(price, last, greatest, profile)
            settled = settled and damped[place] == price
    return damped, settled


def _a_step(price: int, last: int, greatest: float, profile: Profile) -> int:
    """Go from the last price towards the new one by at most the greatest step, but by at least a tick."""
    ladder = profile.ladder_ticks
    if price > last:
        reached = ladder.at_or_below(last * (1.0 + profile.max_move) + ON_TICK)
        following = ladder.around(last)[1]
        return min(price, max(reached or last, following or last))
    reached = ladder.at_or_above(last * (1.0 - profile.max_move) - ON_TICK)
    if reached is None or reached >= last:
        reached = ladder.below(last)
    allowed = ladder.at_or_below(min(reached or price, greatest) + ON_TICK)
    return max(price, allowed or price)
