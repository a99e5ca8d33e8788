"""Index of events by sport, start and the beginnings of the words in their names, so that few pairs are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.sourcing.matching.names.normaliser import sound
from oddsengine.sourcing.matching.names.vocabulary import GENERIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.matching.compare import EventProfile
    from oddsengine.sourcing.matching.names.normaliser import Name

_HOUR_MS: Final = 3_600_000
_LETTERS: Final = 3
_NONE: Final[frozenset[EventId]] = frozenset()


Sides = tuple[frozenset[str], ...]


class CandidateIndex:
    """Finds the events that may be the same as another: two events whose names share no beginning of a word are not compared.

    Events are given with the keys of their names (`keys_of`).
    """

    def __init__(self) -> None:
        #: (sport, key of a name) -> hour of the start, None if it is unknown -> events
        self._events: dict[tuple[str, str], dict[int | None, set[EventId]]] = {}

    def add(self, event: Event, sides: Sides) -> None:
        """Add an event."""
        hour = _hour(event.start_ms)
        for key in frozenset().union(*sides):
            self._events.setdefault((event.sport, key), {}).setdefault(hour, set()).add(event.id)

    def remove(self, event: Event, sides: Sides) -> None:
        """Remove an event, as it was added."""
        hour = _hour(event.start_ms)
        for key in frozenset().union(*sides):
            hours = self._events[event.sport, key]
            hours[hour].discard(event.id)
            if not hours[hour]:
                del hours[hour]
                if not hours:
                    del self._events[event.sport, key]

    def find(self, event: Event, sides: Sides, window_ms: float) -> set[EventId]:
        """Return the events that may start within a window of another, itself included."""
        found: set[EventId] = set()
        for key in frozenset().union(*sides):
            hours = self._events.get((event.sport, key))
            if hours:
                for hour in _hours(event.start_ms, window_ms, hours):
                    found |= hours.get(hour, _NONE)
        return found


def keys_of(profile: EventProfile) -> Sides:
    """Return the keys of an event's names, by side."""
    return tuple(frozenset(_name_keys(name)) for name in profile.names)


def may_be_alike(one: EventProfile, sides: Sides, other: EventProfile, other_sides: Sides) -> bool:
    """Check whether comparing two events is worth its cost: each side shares a key, or one of them is the same."""
    if len(sides) != len(other_sides):
        return False
    for names, keys in ((other.names, other_sides), (other.names[::-1], other_sides[::-1])):
        if not any(left.isdisjoint(right) for left, right in zip(sides, keys, strict=True)):
            return True
        if any(left.words == right.words for left, right in zip(one.names, names, strict=True)):
            return True
    return False


def _hour(start_ms: int | None) -> int | None:
    return None if start_ms is None else start_ms // _HOUR_MS


def _hours(start_ms: int | None, window_ms: float, known: Iterable[int | None]) -> Iterable[int | None]:
    if start_ms is None:
        return list(known)
    return (None, *range(int((start_ms - window_ms) // _HOUR_MS), int((start_ms + window_ms) // _HOUR_MS) + 1))


def _name_keys(name: Name) -> Iterator[str]:
    words = name.words
    for word in [each for each in words if each not in GENERIC and len(each) > 1] or words:
        begin, contracted, end = word.partition("~")
        if contracted:
            yield f"~{end[-_LETTERS:]}"
            continue
        yield begin[:_LETTERS]
        yield f"~{begin[-_LETTERS:]}"
        sounded = sound(word)
        if len(sounded) >= _LETTERS:
            yield f"={sounded[:_LETTERS]}"
    if len(words) > 1:
        yield "".join(word[0] for word in words)[:_LETTERS]
        if len(words[0]) < _LETTERS:
            yield "".join(words)[:_LETTERS]
    if name.foreign or len(words) > 1:
        yield f"={sound(''.join(words))[:_LETTERS]}"
