"""Translates a feed's events and markets to the event they were placed with: its id, with its home and away sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.domain.events import read_score
from oddsengine.domain.ids import MarketId, SelectionKey, line_text

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.sourcing.matching.matcher import Placement

#: Selection keys with the same meaning at every source; other selections have a provider's own ids.
ROLES: Final = frozenset({"home", "draw", "away", "over", "under", "yes", "no"})
_SWAPPED: Final = {"home": "away", "away": "home"}
#: Market types whose line is the home side's.
_SIDED_LINES: Final = frozenset({"handicap", "asian_handicap"})


def translate_event(event: Event, placement: Placement) -> Event:
    """Return an event under the id of its placement."""
    if placement.event == event.id:
        return event
    if not placement.swapped:
        return msgspec.structs.replace(event, id=placement.event)
    sides = tuple(reversed(event.participants))
    score = read_score(event.score)
    return msgspec.structs.replace(
        event,
        id=placement.event,
        participants=sides,
        name=" v ".join(sides) or event.name,
        # One that can't be turned round would be the other side's.
        score=None if score is None else f"{score.away}-{score.home}",
    )


def translate_market(definition: MarketDefinition, placement: Placement) -> MarketDefinition:
    """Return a market under the event of its placement, where the same type, period and line is the same market.

    A market whose selections have the provider's own ids keeps its own event, which is not published: its selections can't be
    assigned to those of another provider.
    """
    own = definition.event
    if placement.event == own or not all(selection.key in ROLES for selection in definition.selections):
        return definition
    suffix = definition.id.removeprefix(own)
    if not placement.swapped:
        return msgspec.structs.replace(definition, id=MarketId(placement.event + suffix), event=placement.event)
    line = definition.line
    if line is not None and definition.type in _SIDED_LINES:
        suffix = suffix.removesuffix(line_text(line)) + line_text(-line)
        line = -line or 0.0
    selections = [
        msgspec.structs.replace(selection, key=SelectionKey(_SWAPPED.get(selection.key, selection.key)))
        for selection in definition.selections
    ]
    # In the order of the keys before, so that home is first again.
    by_key = {selection.key: selection for selection in selections}
    swapped = [by_key[selection.key] for selection in definition.selections]
    return msgspec.structs.replace(
        definition, id=MarketId(placement.event + suffix), event=placement.event, line=line, selections=tuple(swapped)
    )
