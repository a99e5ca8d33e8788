"""What a provider says of its own event, said of the event it was matched to: under the first id, home and away as there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.domain.ids import MarketId, SelectionKey, line_text

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.sourcing.matching.matcher import Placement

#: Selections that mean the same whoever names them; others carry a provider's own ids.
ROLES: Final = frozenset({"home", "draw", "away", "over", "under", "yes", "no"})
_TURNED: Final = {"home": "away", "away": "home"}
#: Types whose line is the home side's.
_SIDED_LINES: Final = frozenset({"handicap", "asian_handicap"})


def translated_event(event: Event, placement: Placement) -> Event:
    """Say an event under the id it was placed under."""
    if placement.event == event.id:
        return event
    if not placement.swapped:
        return msgspec.structs.replace(event, id=placement.event)
    sides = tuple(reversed(event.participants))
    return msgspec.structs.replace(event, id=placement.event, participants=sides, name=" v ".join(sides) or event.name)


def translated_market(definition: MarketDefinition, placement: Placement) -> MarketDefinition:
    """Say a market of the event it was placed with: the same type, period and line is the same market.

    A market whose selections carry the provider's own ids stays under its own event, which is not published: nobody could tell
    which of another provider's selections they are.
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
        msgspec.structs.replace(selection, key=SelectionKey(_TURNED.get(selection.key, selection.key)))
        for selection in definition.selections
    ]
    order = {selection.key: selection for selection in selections}
    turned = [order[definition.selections[place].key] for place in range(len(selections))]
    return msgspec.structs.replace(
        definition, id=MarketId(placement.event + suffix), event=placement.event, line=line, selections=tuple(turned)
    )
