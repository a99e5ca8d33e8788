"""Which events of different providers are one: an explicit table first, then sport, start and names.

An event keeps its first id. A pair that is likely but not certain is not merged, only listed for a person, who settles it in
the config's table. Decisions stand: an event that was placed stays where it is until it is gone or the table says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta

from oddsengine.domain.events import Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.names import NameNormaliser
from oddsengine.sourcing.matching.score import event_score

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.sourcing.matching.names import Name

#: Starts this near are the same; further ones cost up to `_FAR_COST` at the edge of the window.
_NEAR_MS: Final = 15 * 60_000
_FAR_COST: Final = 0.25
_UNKNOWN_START_COST: Final = 0.1
_HOUR_MS: Final = 3_600_000

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class MatchingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When events of different feeds are taken for one.

    `window_min`: how far apart their starts may be. A score of at least `accept`, and better than the next by `margin`, merges;
    from `doubt` on a person is asked. `same` and `apart` settle pairs by their ids; `aliases` gives names their other names.
    """

    window_min: Annotated[float, Meta(ge=0, le=1440)] = 180.0
    accept: Share = 0.86
    doubt: Share = 0.6
    margin: Share = 0.08
    same: tuple[tuple[str, str], ...] = ()
    apart: tuple[tuple[str, str], ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        if self.doubt > self.accept:
            raise ValueError(f"doubt ({self.doubt:g}) may not be above accept ({self.accept:g})")


class Placement(NamedTuple):
    """Where an event was placed: under which id, with home and away turned or not, and on what ground."""

    event: EventId
    swapped: bool = False
    score: float = 1.0
    basis: Literal["first", "table", "names"] = "first"


class ReviewCandidate(NamedTuple):
    """Two events that may be one."""

    event: Event
    candidate: Event
    score: float
    reason: str


class _Known:
    """An event under its first id, and which feeds speak of it."""

    __slots__ = ("event", "feeds", "names", "partners")

    def __init__(self, event: Event, names: tuple[Name, ...]) -> None:
        self.event = event
        self.names = names
        self.feeds = {feed_of(event.id)}
        self.partners: list[EventId] = []


def feed_of(event: str) -> str:
    """Name the feed that an event's id comes from."""
    return event.partition(".")[0]


class Matcher:
    """Decides, event by event, in the order in which they come.

    Args:
        settings: the config's `matching` section.
    """

    def __init__(self, settings: MatchingSettings) -> None:
        self._settings = settings
        self._names = NameNormaliser(settings.aliases)
        self._same = {frozenset(pair) for pair in settings.same}
        self._apart = {frozenset(pair) for pair in settings.apart}
        self._groups = _groups(settings.same)
        self._placed: dict[EventId, Placement] = {}
        self._known: dict[EventId, _Known] = {}
        #: (sport, hour of the start, None where it is not known) -> events under their first ids
        self._hours: dict[tuple[str, int | None], set[EventId]] = {}
        self._doubts: dict[EventId, ReviewCandidate] = {}

    @property
    def doubts(self) -> list[ReviewCandidate]:
        """The pairs that a person should look at, likeliest first."""
        return sorted(self._doubts.values(), key=lambda doubt: -doubt.score)

    def placement(self, event: EventId) -> Placement | None:
        """Tell where an event was placed; None if it has not been described yet."""
        return self._placed.get(event)

    def partners(self, event: EventId) -> list[EventId]:
        """List the events, under their feeds' own ids, that were placed with one that was there first."""
        known = self._known.get(event)
        return [] if known is None else known.partners

    def place(self, event: Event) -> Placement:
        """Place an event as its feed now describes it; where it was placed with another one it stays."""
        before = self._placed.get(event.id)
        if before is not None and before.event != event.id:
            return before
        if before is not None:
            known = self._known[event.id]
            if len(known.feeds) > 1 or _is_like(known.event, event):
                self._redescribe(known, event)
                return before
            self._unlist(known)
        placement = self._decide(event)
        self._placed[event.id] = placement
        if placement.event == event.id:
            self._list(_Known(event, self._read(event)))
        else:
            known = self._known[placement.event]
            known.feeds.add(feed_of(event.id))
            known.partners.append(event.id)
        return placement

    def forget(self, event: EventId) -> None:
        """Forget an event that is gone, under its first id, and all that were placed with it."""
        known = self._known.pop(event, None)
        if known is not None:
            self._hours_of(known.event).discard(event)
            for own in (event, *known.partners):
                self._placed.pop(own, None)
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if event not in {doubt.event.id, doubt.candidate.id}}

    def _decide(self, event: Event) -> Placement:
        self._doubts.pop(event.id, None)
        group = self._groups.get(event.id)
        if group is not None:
            placed = next((self._placed[other] for other in group if other in self._placed and other != event.id), None)
            if placed is not None:
                turned = event_score(self._read(event), self._known[placed.event].names).swapped
                return Placement(placed.event, swapped=turned, basis="table")
            return Placement(event.id)
        candidates = sorted(
            ((*self._score(event, known), known) for known in self._candidates(event)),
            key=lambda each: (-each[0], each[2].event.id),
        )
        if not candidates or candidates[0][0] < self._settings.doubt:
            return Placement(event.id)
        score, swapped, best = candidates[0]
        second = candidates[1][0] if len(candidates) > 1 else 0.0
        if score >= self._settings.accept and score - second >= self._settings.margin:
            return Placement(best.event.id, swapped, score, "names")
        reason = "the next is as likely" if score >= self._settings.accept else "the names or starts differ"
        self._doubts[event.id] = ReviewCandidate(event, best.event, score, reason)
        return Placement(event.id)

    def _candidates(self, event: Event) -> list[_Known]:
        """List the events of other feeds that start about then; a feed does not list one event twice."""
        window_ms = self._settings.window_min * 60_000
        sport, start_ms, feed = event.sport, event.start_ms, feed_of(event.id)
        if start_ms is None:
            keys = [key for key in self._hours if key[0] == sport]
        else:
            first, last = int((start_ms - window_ms) // _HOUR_MS), int((start_ms + window_ms) // _HOUR_MS)
            keys = [(sport, None), *((sport, hour) for hour in range(first, last + 1))]
        return [
            known
            for key in keys
            for candidate in self._hours.get(key, ())
            if feed not in (known := self._known[candidate]).feeds
            and frozenset((event.id, candidate)) not in self._apart
            and all(feed != feed_of(other) for other in self._groups.get(candidate, ()))
            and (start_ms is None or known.event.start_ms is None or abs(known.event.start_ms - start_ms) <= window_ms)
        ]

    def _score(self, event: Event, known: _Known) -> tuple[float, bool]:
        score, swapped = event_score(self._read(event), known.names)
        if event.start_ms is None or known.event.start_ms is None:
            return score - _UNKNOWN_START_COST, swapped
        apart_ms = abs(event.start_ms - known.event.start_ms)
        window_ms = self._settings.window_min * 60_000
        beyond = max(0.0, apart_ms - _NEAR_MS) / max(window_ms - _NEAR_MS, 1.0)
        return score - _FAR_COST * beyond, swapped

    def _read(self, event: Event) -> tuple[Name, ...]:
        return tuple(self._names.read(name) for name in event.participants or (event.name,))

    def _hours_of(self, event: Event) -> set[EventId]:
        hour = None if event.start_ms is None else event.start_ms // _HOUR_MS
        return self._hours.setdefault((event.sport, hour), set())

    def _list(self, known: _Known) -> None:
        self._known[known.event.id] = known
        self._hours_of(known.event).add(known.event.id)

    def _unlist(self, known: _Known) -> None:
        del self._known[known.event.id]
        self._hours_of(known.event).discard(known.event.id)

    def _redescribe(self, known: _Known, event: Event) -> None:
        self._hours_of(known.event).discard(event.id)
        known.event, known.names = event, self._read(event)
        self._hours_of(event).add(event.id)


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[EventId, tuple[EventId, ...]]:
    """Put pairs together that share an event; gives for each event all that are one with it, itself too."""
    groups: dict[EventId, tuple[EventId, ...]] = {}
    for pair in pairs:
        one, other = map(EventId, pair)
        group = tuple(dict.fromkeys((*groups.get(one, (one,)), *groups.get(other, (other,)))))
        groups.update(dict.fromkeys(group, group))
    return groups


def _is_like(one: Event, other: Event) -> bool:
    """Tell whether nothing changed that a match goes by."""
    return (one.sport, one.start_ms, one.participants, one.name) == (other.sport, other.start_ms, other.participants, other.name)
