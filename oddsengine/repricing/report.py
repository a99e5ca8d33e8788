"""The report of a comparison: the types that `oddsengine reprice --json` prints. docs/reprice.md describes each figure."""

from __future__ import annotations

from typing import Literal

import msgspec

#: What was published, and what other settings would have published.
SideName = Literal["then", "new"]


class Figures(msgspec.Struct, frozen=True):
    """A figure of both sides; None where there is nothing to take it of. `change` is the new one less the other."""

    then: float | None
    new: float | None
    change: float | None

    @classmethod
    def of(cls, then: float | None, new: float | None) -> Figures:
        """Return the figures with their change."""
        return cls(then, new, None if then is None or new is None else round(new - then, 6))


class LargestChange(msgspec.Struct, frozen=True):
    """The largest relative change of a price: of which selection, since when (Unix milliseconds), from and to which odds."""

    change: float
    market: str
    selection: str
    at_ms: int
    then: float
    new: float


class PriceChange(msgspec.Struct, frozen=True, kw_only=True):
    """The difference between prices, as a share of what they were: 0.02 for 2.04 instead of 2."""

    mean: float | None
    mean_absolute: float | None
    largest: LargestChange | None


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The differences of a market type in a profile.

    Attributes:
        profile: the profile.
        type: the market type; "all" for all together.
        markets: how many were on offer.
        markets_both: how many of them on both sides.
        open_s: for how long they were open, seconds, all markets together.
        both_open_s: for how long on both sides at once.
        book_sum: the mean sum of inverse odds per winner, while both sides are open with a price for each selection.
        price: the change of prices, while both sides are open.
        suspended: the share of the time on offer.
        reasons: the share of each reason.
        changes: how often what is seen of a market has changed.
        hold_markets: of how many markets all results are known that `hold` needs.
        hold: the share of stakes that is kept, of bets at the same moments (`stakes`).
        hold_while_open: the same of bets whenever the side itself was open.
    """

    profile: str
    type: str
    markets: Figures
    markets_both: int
    open_s: Figures
    both_open_s: float
    book_sum: Figures
    price: PriceChange
    suspended: Figures
    reasons: dict[SideName, dict[str, float]]
    changes: Figures
    hold_markets: int
    hold: Figures
    hold_while_open: Figures


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A comparison of the time from `from_ms` to `to_ms`, Unix milliseconds.

    `unknown_s` is for how long of it nothing was compared because it is not known what was published. For each profile there is a
    line for all market types together, then one for each.
    """

    from_ms: int
    to_ms: int
    unknown_s: float
    lines: list[Line]
