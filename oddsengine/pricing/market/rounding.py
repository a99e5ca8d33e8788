"""From quoted odds to prices that may be published: on the ladder, over the floor, moving no more than configured.

A price is rounded down onto its ladder, so that a book never sums to less than it was quoted at. `balanced` rounding then raises
single prices by one tick, none over fair, where that brings the book sum closer to its target. `min_move` keeps a price that
hardly moved, `max_move` splits a large move into steps. Both are ignored where the book would leave its tolerance or fall under
its floor, and neither keeps a price at which the bettor would have the edge.
"""

from __future__ import annotations

from bisect import bisect_right
from math import fsum, inf
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.pricing.profiles.profile import Profile

Rounder: TypeAlias = "Callable[[float], tuple[int | None, float, float]]"

#: Thousandths added before rounding down onto a ladder, so that a price that is a tick but for float error stays on it.
ON_TICK: Final = 1e-9
#: How far float error may take a sum beyond its limit.
_SUM_ERROR: Final = 1e-9


class RoundedBook(NamedTuple):
    """Prices in thousandths.

    `settled` is False while a price has further steps to go. `refusal` says why the prices may not be published.
    """

    prices: list[int | None]
    settled: bool
    refusal: str | None


def book_sum(prices: Sequence[int | None]) -> float | None:
    """Return the sum of the inverse odds of prices in thousandths, None where a price is missing."""
    known = [1000.0 / price for price in prices if price is not None]
    return fsum(known) if len(known) == len(prices) else None


def rounder(profile: Profile) -> Rounder:
    """Return a function that rounds decimal odds down onto a profile's ladder.

    The function returns the price in thousandths, None under the profile's `min_odds`, and the range of odds that round to
    this price: from its second result up to but not including its third.
    """
    ticks = profile.ladder_ticks.ticks
    count = len(ticks)
    min_odds, max_odds = profile.min_odds, profile.max_odds
    max_milli = max_odds * 1000.0 + ON_TICK

    def round_down(quoted: float) -> tuple[int | None, float, float]:
        if quoted < min_odds:
            return None, 0.0, min_odds
        # Bound to locals and searched here: this runs for every moved price of every profile.
        position = bisect_right(ticks, quoted * 1000.0 + ON_TICK if quoted < max_odds else max_milli)
        high = inf
        if position < count and ticks[position] <= max_milli:
            high = (ticks[position] - ON_TICK) / 1000.0
        if not position:
            return None, min_odds, high
        price = ticks[position - 1]
        low = (price - ON_TICK) / 1000.0
        return price, max(min_odds, low), high

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
        fair: the probabilities they were derived from.
        winners: how many of the selections win.
        profile: the limits and the ladder.
        before: the prices published until now, in thousandths; None where nothing is on offer.

    Returns:
        The prices; `refusal` is `book_sum` where the ladder has none within the profile's tolerance.
    """
    round_down = rounder(profile)
    prices = [None if quoted is None else round_down(quoted)[0] for quoted in quotes]
    target = _target(quotes, prices, profile)
    if target is None:
        # An incomplete book has no sum to keep, but each of its prices is still rounded in our favour.
        damped, settled = _damped(prices, quotes, fair, profile, before)
        return RoundedBook(damped, settled, None)
    floor = winners * (1.0 + profile.min_margin)
    tolerance = profile.tolerance * winners or inf
    if profile.rounding != "down":
        _balance(prices, quotes, fair, target, max(floor, target - tolerance), profile)
    if not _is_within(prices, target, floor, tolerance):
        return RoundedBook(prices, True, "book_sum")
    damped, settled = _damped(prices, quotes, fair, profile, before)
    if _is_within(damped, target, floor, tolerance):
        return RoundedBook(damped, settled, None)
    return RoundedBook(prices, True, None)


def with_fixed(keys: Sequence[str], rounded: RoundedBook, winners: int, profile: Profile) -> RoundedBook:
    """Replace computed prices by those that a person has set: on the ladder, and within `max_odds`.

    Where the book would sum to less than its floor, those that are not forced are shortened in proportion until it does not.
    """
    fixed = profile.fixed_prices
    prices = [_on_ladder(fixed[key], profile) if key in fixed else price for key, price in zip(keys, rounded.prices, strict=True)]
    movable = [index for index, key in enumerate(keys) if key in fixed and key not in profile.forced_prices]
    total, floor = book_sum(prices), winners * (1.0 + profile.min_margin)
    if total is not None and total < floor - _SUM_ERROR:
        share = fsum(1000.0 / (prices[index] or inf) for index in movable)
        for index in movable:
            price = prices[index]
            if price is not None:
                prices[index] = _on_ladder(price * share / (share + floor - total) + ON_TICK, profile)
    return RoundedBook(prices, rounded.settled, rounded.refusal)


def _on_ladder(price: float, profile: Profile) -> int | None:
    return profile.ladder_ticks.at_or_below(min(price, profile.max_odds * 1000.0 + ON_TICK))


def _target(quotes: Sequence[float | None], prices: Sequence[int | None], profile: Profile) -> float | None:
    """Return the sum of the inverse quotes, capped at `max_odds`; None if a selection has no price."""
    if None in prices:
        return None
    return fsum([1.0 / min(quoted, profile.max_odds) for quoted in quotes if quoted is not None])


def _is_within(prices: Sequence[int | None], target: float, floor: float, tolerance: float) -> bool:
    total = book_sum(prices)
    return total is not None and total >= floor - _SUM_ERROR and abs(total - target) <= tolerance + _SUM_ERROR


def _balance(
    prices: list[int | None],
    quotes: Sequence[float | None],
    fair: Sequence[float | None],
    target: float,
    min_sum: float,
    profile: Profile,
) -> None:
    """Raise prices by one tick, those cut most by rounding first, while that brings the book sum closer to the target.

    None is raised over its fair odds, unless the rounding is `balanced_over_fair`: a tick of a longshot may be worth more than
    the whole margin.
    """
    keeps_under_fair = profile.rounding == "balanced"
    total = book_sum(prices) or 0.0
    by_cut = sorted(
        (
            (quoted * 1000.0 / price, index)
            for index, (quoted, price) in enumerate(zip(quotes, prices, strict=True))
            if quoted and price
        ),
        reverse=True,
    )
    for _, index in by_cut:
        price = prices[index]
        if price is None:
            continue
        following = profile.ladder_ticks.neighbours(price)[1]
        if following is None or following > profile.max_odds * 1000.0 + ON_TICK:
            continue
        probability = fair[index]
        if keeps_under_fair and (probability is None or following * probability > 1000.0 + ON_TICK):
            continue
        raised = total - 1000.0 / price + 1000.0 / following
        if raised >= min_sum and abs(raised - target) < abs(total - target):
            prices[index], total = following, raised


def _damped(
    prices: list[int | None],
    quotes: Sequence[float | None],
    fair: Sequence[float | None],
    profile: Profile,
    before: Sequence[int | None] | None,
) -> tuple[list[int | None], bool]:
    """Keep the earlier prices that hardly moved and limit the moves of the others. Return also whether all have settled."""
    if before is None or not (profile.min_move or profile.max_move):
        return prices, True
    damped = list(prices)
    settled = True
    for index, (price, last, quoted, probability) in enumerate(zip(prices, before, quotes, fair, strict=True)):
        if price is None or last is None or price == last or quoted is None or probability is None:
            continue
        # A price kept for long may cost us the margin, never more than that.
        max_price = max(price, 1000.0 / (probability * (1.0 + profile.min_margin)))
        if abs(price - last) <= profile.min_move * last and last <= max_price:
            damped[index] = last
        elif profile.max_move and abs(price - last) > profile.max_move * last:
            damped[index] = _step_towards(price, last, max_price, profile)
            settled = settled and damped[index] == price
    return damped, settled


def _step_towards(price: int, last: int, max_price: float, profile: Profile) -> int:
    """Move from the last price towards the new one by at most `max_move`, but by at least one tick."""
    ladder = profile.ladder_ticks
    if price > last:
        reached = ladder.at_or_below(last * (1.0 + profile.max_move) + ON_TICK)
        following = ladder.neighbours(last)[1]
        return min(price, max(reached or last, following or last))
    reached = ladder.at_or_above(last * (1.0 - profile.max_move) - ON_TICK)
    if reached is None or reached >= last:
        reached = ladder.below(last)
    allowed = ladder.at_or_below(min(reached or price, max_price) + ON_TICK)
    return max(price, allowed or price)
