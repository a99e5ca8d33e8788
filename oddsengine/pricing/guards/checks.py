"""What was checked before a market was left open: each guard with its limit and what it measured.

The guards themselves stand where they act (`market_book`, `rounding`, `spikes`, `lines`, `pricer`); this names them for
explanations. A guard's name is the reason of the market it suspends.
"""

from __future__ import annotations

from math import fsum, isfinite
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.pricing.market.incremental_book import COHERENT
from oddsengine.pricing.market.rounding import book_sum

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from oddsengine.pricing.market.market_book import Group, MarketBook
    from oddsengine.pricing.profiles.profile import Profile


class Guard(NamedTuple):
    """One check: `limit` None where nothing limits, `value` None where nothing could be measured; `suspends` the verdict."""

    name: str
    limit: float | tuple[float, float] | None
    value: float | None
    suspends: bool


def guards(book: MarketBook, reason: str | None, now_ms: int) -> Iterator[Guard]:
    """Name what is checked of a market.

    Args:
        book: the market.
        reason: why it is suspended, None if it is open.
        now_ms: Unix milliseconds.
    """
    groups = next(iter(book.groups.values()))
    age_s = (now_ms - book.market.heard_ms) / 1000
    limit = book.max_age_ms / 1000 if isfinite(book.max_age_ms) else None
    yield Guard("source_old", limit, age_s, reason == "source_old")
    sums = [total for group in groups if (total := _implied_sum(group)) is not None]
    yield Guard("incoherent", COHERENT, max(sums, key=lambda total: abs(total - 1.0), default=None), reason == "incoherent")
    moved = [abs(group.pooled - own) for group in groups if group.pooled is not None and (own := group.rising_probability())]
    yield Guard("contradiction", book.pool_limit, max(moved, default=0.0), reason == "contradiction")
    yield Guard("spike", book.jump_limit or None, _greatest_change(book), reason == "spike")
    yield Guard("arbitrage", 1.0, book.min_book_sum(), reason == "arbitrage")


def book_sum_guard(profile: Profile, winners: int, prices: Sequence[int | None], reason: str | None) -> Guard:
    """Name the limits of a profile's book sum, per winner, and what the published prices sum to."""
    floor = 1.0 + profile.min_margin
    total = book_sum(prices)
    limits = (max(floor, profile.book_sum - profile.tolerance), profile.book_sum + profile.tolerance)
    value = None if total is None else total / winners
    return Guard("book_sum", limits if profile.tolerance else floor, value, reason == "book_sum")


def _implied_sum(group: Group) -> float | None:
    known = [probability for probability in group.probabilities if probability is not None]
    return fsum(known) / group.winners if known and len(known) == len(group.probabilities) else None


def _greatest_change(book: MarketBook) -> float | None:
    if book.seen is None:
        return None
    changes = [abs(value / book.seen[key] - 1.0) for key, value in book.fair().items() if key in book.seen]
    return max(changes, default=None)
