"""The first state that a new owner publishes: what it has priced itself, on top of what the last owner published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.offered_market import OfferedMarket, OfferedSelection
from oddsengine.engine.described_events import in_first_competition
from oddsengine.engine.ended_events import RECOVERING, STOPPED
from oddsengine.offer.settled_events import event_of

if TYPE_CHECKING:
    from oddsengine.offer.owned_offer import OwnedOffer


def stage_known(offer: OwnedOffer, known: OwnedOffer) -> int:
    """Stage what this engine knows of a shard in the offer that the last owner published.

    What was open and is not known here is suspended (`recovering`), until its sources have confirmed it. Return how many markets
    that are.

    Args:
        offer: what the last owner published.
        known: what this engine has priced.
    """
    for key, entry in known.events.items():
        offer.stage_event(in_first_competition(event_of(entry.record), offer.events.get(key)))
        for market in entry.markets.values():
            selections = {
                key: OfferedSelection(each.name, each.status, each.prices, each.result, each.order, each.fair)
                for key, each in market.selections.items()
            }
            offer.stage_market(OfferedMarket(market.id, market.identity, market.state, selections))
    recovering = [
        record.id
        for record in offer.markets.values()
        if record.id not in known.markets
        and (record.state.status == "open" or (record.state.status == "suspended" and record.state.reason == STOPPED))
    ]
    for market_id in recovering:
        offer.suspend(market_id, RECOVERING)
    return len(recovering)
