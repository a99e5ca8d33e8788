"""Which price a bettor's bet may be taken at, once it is another than the one that was shown. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.formats import format_odds

if TYPE_CHECKING:
    from oddsengine.domain.taxonomy import MarketStatus
    from oddsengine.gateway.protocol.client_messages import Accept, QuoteAnswer

#: Shares of odds are floats, odds are thousandths: a price exactly at the bound is within it.
_ROUNDING = 1e-6


def is_acceptable(current: int, quoted: int, accept: Accept, tolerance: float) -> bool:
    """Check whether a bet on a quoted price may be taken at the current one.

    What `exact` accepts, `better` accepts, and what `better` accepts, `any` accepts.

    Args:
        current: the price on offer, in thousandths.
        quoted: the price that was shown, in thousandths.
        accept: which changes the bettor accepts.
        tolerance: which share of the quoted odds the current ones may be shorter; for `exact` also longer.
    """
    if accept == "any":
        return True
    shorter_by, allowed = quoted - current, quoted * tolerance + _ROUNDING
    return shorter_by <= allowed if accept == "better" else abs(shorter_by) <= allowed


def shown_as(current: int, quoted: int, text: float | str, odds_format: str) -> int:
    """Return the price that was quoted: the current one if it is shown in just that way, as of American odds several are.

    Args:
        current: the price on offer, in thousandths.
        quoted: the price that the text was parsed to.
        text: what was shown.
        odds_format: its format.
    """
    return current if current != quoted and format_odds(current, odds_format) == text else quoted


def result_of(
    status: MarketStatus, current: int | None, quoted: int, accept: Accept, tolerance: float, *, is_stale: bool, has_expired: bool
) -> QuoteAnswer:
    """Return whether a bet may be taken on a selection that is known.

    Args:
        status: that of its market.
        current: its price on offer, in thousandths; None if it has none.
        quoted: the price that was shown.
        accept: which changes the bettor accepts.
        tolerance: as for `is_acceptable`.
        is_stale: whether the price may have changed without the gateway knowing it.
        has_expired: whether the quote was signed and is over its time.
    """
    if is_stale:
        return "stale"
    if status == "closed":
        return "closed"
    if status != "open" or current is None:
        return "suspended"
    if has_expired:
        return "expired"
    return "ok" if is_acceptable(current, quoted, accept, tolerance) else "price_changed"
