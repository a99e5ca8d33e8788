"""Several batches in a row as one change: what `changes_since` says of them, from the batches alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.changes import Changes, EventChange, MarketChange, SelectionChange
from oddsengine.domain.ids import EventId, MarketId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oddsengine.domain.changes import Batch, Removal


def merged(batches: Sequence[Batch]) -> Changes:
    """Put batches of following positions together: the last word on everything, suspensions first.

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
            # What was said of it before is void; what comes after says everything anew.
            removals[removal.what, removal.id] = removal
            if removal.what == "market":
                markets.pop(MarketId(removal.id), None)
            else:
                events.pop(EventId(removal.id), None)
        for event in batch.events:
            if event.description is not None:
                removals.pop(("event", event.id), None)
            earlier_event = events.get(event.id)
            events[event.id] = event if earlier_event is None else _event(earlier_event, event)
        for market in batch.markets:
            earlier_market = None
            if market.identity is not None:
                removals.pop(("market", market.id), None)
            else:
                earlier_market = markets.get(market.id)
            markets[market.id] = market if earlier_market is None else _market(earlier_market, market)
    urgent = [market for market in markets.values() if market.is_urgent]
    calm = [market for market in markets.values() if not market.is_urgent] if urgent else list(markets.values())
    return Changes(list(events.values()), urgent + calm, list(removals.values()), len(urgent))


def _event(earlier: EventChange, later: EventChange) -> EventChange:
    return EventChange(later.id, later.description or earlier.description, later.progress or earlier.progress)


def _market(earlier: MarketChange, later: MarketChange) -> MarketChange:
    selections = dict(earlier.selections)
    for key, selection in later.selections.items():
        before = selections.get(key)
        if before is not None and (before.name is not None or before.status is not None):
            selection = SelectionChange(  # noqa: PLW2901 - the same selection, told more of
                selection.name if selection.name is not None else before.name,
                selection.status if selection.status is not None else before.status,
                selection.prices,
            )
        selections[key] = selection
    return MarketChange(later.id, later.v, earlier.identity, later.state or earlier.state, selections)
