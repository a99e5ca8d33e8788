"""Merges consecutive batches into one diff: the same as `Offer.changes_since`, but from the batches alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.changes import Changes, EventChange, MarketChange, SelectionChange
from oddsengine.domain.ids import EventId, MarketId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.changes import Batch, Removal


def merge_batches(batches: Sequence[Batch]) -> Changes:
    """Merge the batches of consecutive positions: the latest value of everything, suspensions first.

    Args:
        batches: in order, at least one.
    """
    if len(batches) == 1:
        (batch,) = batches
        return Changes(batch.events, batch.markets, batch.removals, batch.urgent)
    events: dict[EventId, EventChange] = {}
    markets: dict[MarketId, MarketChange] = {}
    removals: dict[tuple[str, str], Removal] = {}
    for batch in batches:
        for removal in batch.removals:
            # A removal cancels earlier changes. If the market or event comes back, the batch carries it whole.
            removals[removal.what, removal.id] = removal
            if removal.what == "market":
                markets.pop(MarketId(removal.id), None)
            else:
                events.pop(EventId(removal.id), None)
        for event in batch.events:
            if event.description is not None:
                removals.pop(("event", event.id), None)
            earlier_event = events.get(event.id)
            events[event.id] = event if earlier_event is None else _merge_event(earlier_event, event)
        for market in batch.markets:
            earlier_market = None
            if market.identity is not None:
                removals.pop(("market", market.id), None)
            else:
                earlier_market = markets.get(market.id)
            markets[market.id] = market if earlier_market is None else _merge_market(earlier_market, market)
    urgent = [market for market in markets.values() if market.is_urgent]
    others = [market for market in markets.values() if not market.is_urgent] if urgent else list(markets.values())
    return Changes(list(events.values()), urgent + others, list(removals.values()), len(urgent))


def _merge_event(earlier: EventChange, later: EventChange) -> EventChange:
    return EventChange(later.id, later.description or earlier.description, later.progress or earlier.progress)


def _merge_market(earlier: MarketChange, later: MarketChange) -> MarketChange:
    selections = dict(earlier.selections)
    for key, selection in later.selections.items():
        before = selections.get(key)
        if before is not None and not (before.name is None and before.status is None and before.result is None):
            selection = SelectionChange(  # noqa: PLW2901 - the same selection with what only the earlier one says
                selection.name if selection.name is not None else before.name,
                selection.status if selection.status is not None else before.status,
                selection.prices,
                selection.result if selection.result is not None else before.result,
                selection.order if selection.name is not None else before.order,
                selection.fair,
            )
        selections[key] = selection
    return MarketChange(later.id, later.v, earlier.identity, later.state or earlier.state, selections)
