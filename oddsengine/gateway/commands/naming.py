"""The names of a command's scope, for people who see the command once it has left the offer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.market_types import default_name

if TYPE_CHECKING:
    from oddsengine.commands.command import Scope
    from oddsengine.gateway.state.replica import Replica


def described(scope: Scope, replica: Replica) -> str:
    """Return what a scope's event, market, selection or competition is called; empty if it names none that is on offer."""
    if scope.competition is not None:
        return _competition(scope.competition, replica)
    event = scope.event_id
    if event is None:
        return ""
    offer = replica.offers[replica.shard_of(event)]
    entry = offer.events.get(EventId(event))
    if entry is None:
        return ""
    names = [entry.record.description.name]
    record = offer.markets.get(MarketId(scope.market_id or ""))
    if record is not None:
        identity = record.identity
        names.append(identity.name or default_name(identity.type, identity.period, identity.line, identity.unit))
        selection = record.selections.get(scope.selection_key or "")
        if selection is not None:
            names.append(selection.name)
    return ": ".join(names)


def _competition(key: str, replica: Replica) -> str:
    named = (entry.record.description.competition for offer in replica.offers for entry in offer.events.values())
    return next((each.name for each in named if each.id == key), "")
