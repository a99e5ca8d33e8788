"""Events: who plays what, when, and the score."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from oddsengine.domain.ids import EventId

_SCORE: Final = re.compile(r"(\d{1,3})\s*[-:\N{EN DASH}]\s*(\d{1,3})", re.ASCII)


class Score(NamedTuple):
    """The score of the two sides."""

    home: int
    away: int


class Competition(msgspec.Struct, frozen=True, gc=False):
    """A league, cup, tour or meeting."""

    id: str
    name: str


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sporting event; `start_ms` is Unix milliseconds, `score` and `clock` are the source's own texts."""

    id: EventId
    sport: str
    competition: Competition
    name: str
    participants: tuple[str, ...] = ()
    start_ms: int | None = None
    in_play: bool = False
    score: str | None = None
    clock: str | None = None


def read_score(text: str | None) -> Score | None:
    """Return the score that an event shows; None if there is none, or it says more than what both sides have scored."""
    match = None if text is None else _SCORE.fullmatch(text.strip())
    return None if match is None else Score(int(match[1]), int(match[2]))


def has_level_score(event: Event) -> bool:
    """Check whether an event's score is known, and level."""
    score = read_score(event.score)
    return score is not None and score.home == score.away
