"""Events: what is played, by whom, when, and how it stands."""

from __future__ import annotations

import msgspec

from oddsengine.domain.ids import EventId


class Competition(msgspec.Struct, frozen=True, gc=False):
    """A league, cup, tour or meeting."""

    id: str
    name: str


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """All that is published of an event; `start_ms` is Unix time in milliseconds, score and clock are for display."""

    id: EventId
    sport: str
    competition: Competition
    name: str
    participants: tuple[str, ...] = ()
    start_ms: int | None = None
    in_play: bool = False
    score: str | None = None
    clock: str | None = None
