"""Decides which events of different feeds are the same: by the config's table first, then by sport, start and names.

Matched events share the id of the first one seen. A pair that is likely but not certain is not merged but listed for review, and
is settled in the config's table. A match is final: an event keeps its placement until it is removed.
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

#: Starts within this time count as equal; larger differences cost up to `_FAR_COST` at the edge of the window.
_NEAR_MS: Final = 15 * 60_000
_FAR_COST: Final = 0.25
_UNKNOWN_START_COST: Final = 0.1
_HOUR_MS: Final = 3_600_000

Share = Annotated[float, Meta(ge=0.0, le=1.0)]


class MatchingSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When events of different feeds are the same.

    `window_min`: how far apart their starts may be. Two events are merged if their score is at least `merge_threshold` and ahead
    of the next candidate's by `min_lead`, and listed for review from `review_threshold` on. `matches` and `non_matches` are pairs
    of event ids that are the same event, or never; `aliases` maps a name to its other names.
    """

    window_min: Annotated[float, Meta(ge=0, le=1440)] = 180.0
    merge_threshold: Share = 0.86
    review_threshold: Share = 0.6
    min_lead: Share = 0.08
    matches: tuple[tuple[str, str], ...] = ()
    non_matches: tuple[tuple[str, str], ...] = ()
    aliases: dict[str, tuple[str, ...]] = {}

    def __post_init__(self) -> None:
        if self.review_threshold > self.merge_threshold:
            raise ValueError(
                f"review_threshold ({self.review_threshold:g}) must not be above merge_threshold ({self.merge_threshold:g})"
            )


class Placement(NamedTuple):
    """Where an event was placed: under which id, whether home and away are swapped, and on what basis."""

    event: EventId
    swapped: bool = False
    score: float = 1.0
    basis: Literal["first", "table", "names"] = "first"


class ReviewCandidate(NamedTuple):
    """Two events that may be the same, and why they were not merged."""

    event: Event
    candidate: Event
    score: float
    reason: str


class _MatchedEvent:
    """An event under its first id, the feeds that have it and the events placed with it."""

    __slots__ = ("event", "feeds", "names", "partners")

    def __init__(self, event: Event, names: tuple[Name, ...]) -> None:
        self.event = event
        self.names = names
        self.feeds = {feed_of(event.id)}
        self.partners: list[EventId] = []


def feed_of(event: str) -> str:
    """Return the feed of an event or source: what is before the first dot."""
    return event.partition(".")[0]


class Matcher:
    """Places events one by one, in order of arrival.

    Args:
        settings: the config's `[matching]` section.
    """

    def __init__(self, settings: MatchingSettings) -> None:
        self._settings = settings
        self._names = NameNormaliser(settings.aliases)
        self._non_matches = {frozenset(pair) for pair in settings.non_matches}
        self._groups = _groups(settings.matches)
        self._placed: dict[EventId, Placement] = {}
        self._known: dict[EventId, _MatchedEvent] = {}
        #: (sport, hour of the start, None if it is unknown) -> events under their first ids
        self._hours: dict[tuple[str, int | None], set[EventId]] = {}
        self._review: dict[EventId, ReviewCandidate] = {}

    @property
    def review_candidates(self) -> list[ReviewCandidate]:
        """The pairs to review, highest score first."""
        return sorted(self._review.values(), key=lambda pair: -pair.score)

    def placement(self, event: EventId) -> Placement | None:
        """Return the placement of an event, None before its first description."""
        return self._placed.get(event)

    def partners(self, event: EventId) -> list[EventId]:
        """Return the events placed with a first one, under their feeds' own ids."""
        known = self._known.get(event)
        return [] if known is None else known.partners

    def place(self, event: Event) -> Placement:
        """Place an event by its current description. An event already placed with another keeps its placement."""
        before = self._placed.get(event.id)
        if before is not None and before.event != event.id:
            return before
        if before is not None:
            known = self._known[event.id]
            if len(known.feeds) > 1 or _matches_alike(known.event, event):
                self._redescribe(known, event)
                return before
            self._unlist(known)
        placement = self._decide(event)
        self._placed[event.id] = placement
        if placement.event == event.id:
            self._list(_MatchedEvent(event, self._names_of(event)))
        else:
            known = self._known[placement.event]
            known.feeds.add(feed_of(event.id))
            known.partners.append(event.id)
        return placement

    def forget(self, event: EventId) -> None:
        """Remove an event, given its first id, and all events placed with it."""
        known = self._known.pop(event, None)
        if known is not None:
            self._hours_of(known.event).discard(event)
            for own in (event, *known.partners):
                self._placed.pop(own, None)
        self._review = {key: pair for key, pair in self._review.items() if event not in {pair.event.id, pair.candidate.id}}

    def _decide(self, event: Event) -> Placement:
        self._review.pop(event.id, None)
        group = self._groups.get(event.id)
        if group is not None:
            placed = next((self._placed[other] for other in group if other in self._placed and other != event.id), None)
            if placed is not None:
                swapped = event_score(self._names_of(event), self._known[placed.event].names).swapped
                return Placement(placed.event, swapped=swapped, basis="table")
            return Placement(event.id)
        candidates = sorted(
            ((*self._score(event, known), known) for known in self._candidates(event)),
            key=lambda each: (-each[0], each[2].event.id),
        )
        if not candidates or candidates[0][0] < self._settings.review_threshold:
            return Placement(event.id)
        score, swapped, best = candidates[0]
        second = candidates[1][0] if len(candidates) > 1 else 0.0
        if score >= self._settings.merge_threshold and score - second >= self._settings.min_lead:
            return Placement(best.event.id, swapped, score, "names")
        reason = "the next is as likely" if score >= self._settings.merge_threshold else "the names or starts differ"
        self._review[event.id] = ReviewCandidate(event, best.event, score, reason)
        return Placement(event.id)

    def _candidates(self, event: Event) -> list[_MatchedEvent]:
        """Return the events of other feeds that start within the window; a feed does not list an event twice."""
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
            and frozenset((event.id, candidate)) not in self._non_matches
            and all(feed != feed_of(other) for other in self._groups.get(candidate, ()))
            and (start_ms is None or known.event.start_ms is None or abs(known.event.start_ms - start_ms) <= window_ms)
        ]

    def _score(self, event: Event, known: _MatchedEvent) -> tuple[float, bool]:
        score, swapped = event_score(self._names_of(event), known.names)
        if event.start_ms is None or known.event.start_ms is None:
            return score - _UNKNOWN_START_COST, swapped
        difference_ms = abs(event.start_ms - known.event.start_ms)
        window_ms = self._settings.window_min * 60_000
        beyond = max(0.0, difference_ms - _NEAR_MS) / max(window_ms - _NEAR_MS, 1.0)
        return score - _FAR_COST * beyond, swapped

    def _names_of(self, event: Event) -> tuple[Name, ...]:
        return tuple(self._names.normalise(name) for name in event.participants or (event.name,))

    def _hours_of(self, event: Event) -> set[EventId]:
        hour = None if event.start_ms is None else event.start_ms // _HOUR_MS
        return self._hours.setdefault((event.sport, hour), set())

    def _list(self, known: _MatchedEvent) -> None:
        self._known[known.event.id] = known
        self._hours_of(known.event).add(known.event.id)

    def _unlist(self, known: _MatchedEvent) -> None:
        del self._known[known.event.id]
        self._hours_of(known.event).discard(known.event.id)

    def _redescribe(self, known: _MatchedEvent, event: Event) -> None:
        self._hours_of(known.event).discard(event.id)
        known.event, known.names = event, self._names_of(event)
        self._hours_of(event).add(event.id)


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[EventId, tuple[EventId, ...]]:
    """Return for each event of the pairs all events that are the same, itself included; pairs that share an event are joined."""
    groups: dict[EventId, tuple[EventId, ...]] = {}
    for pair in pairs:
        one, other = map(EventId, pair)
        group = tuple(dict.fromkeys((*groups.get(one, (one,)), *groups.get(other, (other,)))))
        groups.update(dict.fromkeys(group, group))
    return groups


def _matches_alike(one: Event, other: Event) -> bool:
    """Check whether two descriptions are equal in everything that matching uses."""
    return (one.sport, one.start_ms, one.participants, one.name) == (other.sport, other.start_ms, other.participants, other.name)
