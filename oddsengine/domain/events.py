"""Events: who plays what, when, and the score."""

from __future__ import annotations

import msgspec

from oddsengine.domain.ids import EventId


class Competition(msgspec.Struct, frozen=True, gc=False):
    """A league, cup, tour or meeting."""

    id: str
    name: str


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sporting event; `start_ms` is Unix milliseconds, `score` and `clock` are for display only."""

    id: EventId
    sport: str
    competition: Competition
    name: str
    participants: tuple[str, ...] = ()
    start_ms: int | None = None
    in_play: bool = False
    score: str | None = None
    clock: str | None = None
