"""Translates a feed's events and markets to the event they were placed with: its id, with its home and away sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from oddsengine.domain.events import read_score
from oddsengine.domain.ids import MarketId, SelectionKey, line_text
from oddsengine.domain.market_types import HEAD_STARTS, MARKET_TYPES, ROLES
from oddsengine.domain.taxonomy import DECIDED_BY_SETS

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.feed_updates import MarketDefinition
    from oddsengine.domain.taxonomy import MarketType
    from oddsengine.sourcing.matching.identities import Placement

_SWAPPED: Final = {"home": "away", "away": "home"}
#: Periods that are all of a match. What a line of a set counts is what sets consist of.
_WHOLE: Final = frozenset({None, "ft", "reg"})
#: Types without a line that count, too.
_ODD_OR_EVEN: Final = frozenset({"odd_even", "home_odd_even", "away_odd_even"})


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


def translate_market(definition: MarketDefinition, placement: Placement, sport: str = "") -> MarketDefinition:
    """Return a market under the event of its placement, where the same type, period and line is the same market.

    A market whose selections have the provider's own ids keeps its own event, which is not published: its selections can't be
    assigned to those of another provider. A line that does not say whether it counts sets or points is another market than that
    of the event's first feed: its unit is `of_<feed>`.

    Args:
        definition: the market under its feed's own event.
        placement: where that event is placed.
        sport: the event's sport.
    """
    own = definition.event
    if placement.event == own or not all(selection.key in ROLES for selection in definition.selections):
        return definition
    if sport in DECIDED_BY_SETS and _has_unsaid_unit(definition):
        definition = _with_unit(definition, f"of_{own.partition('.')[0]}")
    suffix = definition.id.removeprefix(own)
    if not placement.swapped:
        return msgspec.structs.replace(definition, id=MarketId(placement.event + suffix), event=placement.event)
    kind, line = _swapped_type(definition.type), definition.line
    suffix = suffix.replace(f"/{definition.type}", f"/{kind}", 1)
    if line is not None and kind in HEAD_STARTS:
        suffix = suffix.removesuffix(line_text(line)) + line_text(-line)
        line = -line or 0.0
    roles = MARKET_TYPES[kind].roles.split()
    selections = [
        msgspec.structs.replace(selection, key=SelectionKey(_swapped_role(selection.key, roles)))
        for selection in definition.selections
    ]
    # In the order of the keys before, so that home is first again.
    by_key = {selection.key: selection for selection in selections}
    swapped = [by_key.get(before.key, after) for before, after in zip(definition.selections, selections, strict=True)]
    if len({selection.key for selection in swapped}) != len(swapped):
        swapped = selections
    return msgspec.structs.replace(
        definition,
        id=MarketId(placement.event + suffix),
        event=placement.event,
        type=kind,
        line=line,
        selections=tuple(swapped),
    )


def _has_unsaid_unit(definition: MarketDefinition) -> bool:
    is_count = definition.line is not None or definition.type in _ODD_OR_EVEN
    return is_count and definition.unit is None and definition.period in _WHOLE


def _with_unit(definition: MarketDefinition, unit: str) -> MarketDefinition:
    kind = f"{definition.event}/{definition.type}"
    suffix = definition.id.removeprefix(kind)
    return msgspec.structs.replace(definition, id=MarketId(f"{kind}_{unit}{suffix}"), unit=unit)


def _swapped_type(kind: MarketType) -> MarketType:
    """Return the type of a market once its sides are swapped: the home side's total becomes the away side's."""
    side, divider, rest = kind.partition("_")
    other = f"{_SWAPPED.get(side, side)}{divider}{rest}"
    return next((each for each in MARKET_TYPES if each == other), kind)


def _swapped_role(role: str, roles: list[str]) -> str:
    """Return the role with its sides swapped: home or draw becomes draw or away, as the type writes it."""
    parts = [_SWAPPED.get(part, part) for part in role.split("_")]
    swapped = "_".join(parts)
    return swapped if swapped in roles or len(parts) == 1 else "_".join(reversed(parts))
