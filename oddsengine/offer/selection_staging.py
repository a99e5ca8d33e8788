"""Stages the selections of a market: each notes at which position which part of it has last changed.

A selection that is not active, or whose market is not open, has no price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.changes import SelectionRecord
from oddsengine.domain.offered_market import has_moved
from oddsengine.domain.results import TAKEN_BACK

if TYPE_CHECKING:
    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.offered_market import OfferedMarket


def stage_selections(record: MarketRecord, offered: OfferedMarket, pending: int, no_prices: tuple[None, ...]) -> bool:
    """Stage the selections of a market as they are offered. Return whether any has changed.

    One that is not offered any more is kept with status `removed`.

    Args:
        record: the market.
        offered: its present state.
        pending: the position at which it changes.
        no_prices: what a selection has for prices where there is nothing to bet on.
    """
    is_open = offered.state.status == "open"
    current = record.selections
    changed = False
    for key, (name, status, offered_prices, result, order, offered_fair) in offered.selections.items():
        prices, fair = (offered_prices, offered_fair) if is_open and status == "active" else (no_prices, None)
        selection = current.get(key)
        if selection is None:
            current[key] = SelectionRecord(name, status, prices, pending, pending, pending, result, pending, order, fair)
            changed = True
            continue
        if result is None and selection.result is not None:
            result = TAKEN_BACK  # noqa: PLW2901 - no result where one was published
        if (
            selection.prices != prices
            or selection.status != status
            or selection.name != name
            or selection.result != result
            or selection.order != order
            or has_moved(selection.fair, fair)
        ):
            if selection.result != result:
                selection.result = result
                selection.result_at = pending
            if selection.status != status:
                selection.status = status
                selection.status_at = pending
            if selection.name != name or selection.order != order:
                selection.name, selection.order = name, order
                selection.name_at = pending
            selection.prices, selection.fair = prices, fair
            selection.at = pending
            changed = True
    if len(current) != len(offered.selections) and _withdraw_missing(record, offered, pending, no_prices):
        changed = True
    return changed


def _withdraw_missing(record: MarketRecord, offered: OfferedMarket, pending: int, no_prices: tuple[None, ...]) -> bool:
    """Stage the withdrawal of selections that a market no longer contains. Return whether any was there before."""
    changed = False
    for key, selection in record.selections.items():
        if key not in offered.selections and (selection.status != "removed" or selection.prices != no_prices):
            selection.status = "removed"
            selection.prices, selection.fair = no_prices, None
            selection.at = selection.status_at = pending
            if selection.result is not None:
                selection.result = TAKEN_BACK
                selection.result_at = pending
            changed = True
    return changed
