"""Decisions about events: under which id each is published, and which pairs are in doubt."""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from oddsengine.domain.events import Event
from oddsengine.domain.ids import EventId

Basis = Literal["first", "table", "names"]


class Placement(NamedTuple):
    """The placement of an event: under which id, whether home and away are swapped, and on what basis."""

    event: EventId
    swapped: bool = False
    score: float = 1.0
    basis: Basis = "first"


class Move(NamedTuple):
    """An event whose placement has changed, and the id that it was placed under before."""

    event: EventId
    before: EventId


class Identity(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The decision about one event of a feed.

    `event` is its description at that time, without its progress. Of several events that are one, the one with the lowest `order`
    gives its id to all. `decided_ms` is Unix milliseconds.
    """

    event: Event
    placement: Placement
    order: int
    decided_ms: int = 0


class PossibleMatch(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another event that may be the same, and why the two were not merged."""

    candidate: EventId
    score: float
    reason: str


class Decisions(msgspec.Struct, frozen=True, array_like=True):
    """Decisions made together: identities, and pairs in doubt, by a feed's own event. None: there is none any more.

    `obeyed` is the number of the last command that they take into account, 0 if that is not said.
    """

    identities: dict[EventId, Identity | None] = {}
    possible: dict[EventId, PossibleMatch | None] = {}
    obeyed: int = 0

    def __bool__(self) -> bool:
        """Return whether anything is said."""
        return bool(self.identities or self.possible or self.obeyed)


def without_progress(event: Event) -> Event:
    """Return the description of an event, without its score and clock."""
    return msgspec.structs.replace(event, in_play=False, score=None, clock=None)


def matches_alike(one: Event, other: Event) -> bool:
    """Check whether two descriptions are equal in everything that matching uses."""
    return (one.sport, one.start_ms, one.participants, one.name, one.competition.name) == (
        other.sport,
        other.start_ms,
        other.participants,
        other.name,
        other.competition.name,
    )
