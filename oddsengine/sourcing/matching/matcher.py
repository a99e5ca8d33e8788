"""Decides which events of different feeds are the same: by the config's table first, then by sport, start, names, competition.

Matched events share the id of the first one seen. A pair that is likely but not certain is not merged but listed for review, and
is settled in the config's table. Every change of what a decision rests on opens it again: a new event, one that its feed lists no
longer, other names, another start. Only the events that may be the same as those concerned are looked at again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple, cast

import msgspec

from oddsengine.domain.events import Event
from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.assignment import Assignment, Node
from oddsengine.sourcing.matching.candidates import CandidateIndex, keys_of, may_be_alike
from oddsengine.sourcing.matching.compare import Comparison, compare, participants_of, profile
from oddsengine.sourcing.matching.names.normaliser import NameNormaliser
from oddsengine.sourcing.matching.settings import MatchingSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.sourcing.matching.compare import EventProfile

__all__ = ["Matcher", "MatchingSettings", "Move", "Placement", "ReviewCandidate", "feed_of"]

Basis = Literal["first", "table", "names"]


class Placement(NamedTuple):
    """Where an event was placed: under which id, whether home and away are swapped, and on what basis."""

    event: EventId
    swapped: bool = False
    score: float = 1.0
    basis: Basis = "first"


class Move(NamedTuple):
    """An event whose placement has changed, and the id that it was placed under before."""

    event: EventId
    before: EventId


class ReviewCandidate(NamedTuple):
    """Two events that may be the same, and why they were not merged."""

    event: Event
    candidate: Event
    score: float
    reason: str


class _KnownEvent:
    """An event of a feed, the order of its arrival, and whether its feed still lists it."""

    __slots__ = ("edges", "feed", "keys", "listed", "order", "placement", "profile")

    def __init__(self, profile: EventProfile, order: int) -> None:
        self.profile = profile
        self.keys = keys_of(profile)
        self.feed = feed_of(profile.event.id)
        self.order = order
        self.listed = True
        self.placement: Placement | None = None
        #: the events that may be the same
        self.edges: dict[EventId, Comparison] = {}


def feed_of(event: str) -> str:
    """Return the feed of an event or source: what is before the first dot."""
    return event.partition(".")[0]


class Matcher:
    """Places events as they are described, and again when what is known of them changes.

    Args:
        settings: the config's `[matching]` section.
    """

    def __init__(self, settings: MatchingSettings) -> None:
        self._settings = settings
        self._window_ms = settings.window_min * 60_000
        self._names = NameNormaliser(settings.aliases)
        self._non_matches = {frozenset(pair) for pair in settings.non_matches}
        self._groups = _groups(settings.matches)
        self._known: dict[EventId, _KnownEvent] = {}
        self._index = CandidateIndex()
        #: first events -> the events placed under their ids, themselves included
        self._members: dict[EventId, list[EventId]] = {}
        self._review: dict[EventId, ReviewCandidate] = {}
        #: the pairs that people have settled: the same, and not
        self._settled: tuple[Sequence[tuple[str, str]], Sequence[tuple[str, str]]] = ((), ())
        self._arrivals = 0

    @property
    def review_candidates(self) -> list[ReviewCandidate]:
        """The pairs to review, highest score first."""
        return sorted(self._review.values(), key=lambda pair: -pair.score)

    def placement(self, event: EventId) -> Placement | None:
        """Return the placement of an event, None before its first description."""
        known = self._known.get(event)
        return None if known is None else known.placement

    def placement_of(self, event: EventId) -> Placement:
        """Return the placement of an event that has been described: its own id before that."""
        return self.placement(event) or Placement(event)

    def event(self, event: EventId) -> Event | None:
        """Return an event as its feed described it last."""
        known = self._known.get(event)
        return None if known is None else known.profile.event

    def members(self, first: EventId) -> list[EventId]:
        """Return the events placed under an id, under their feeds' own ids."""
        return self._members.get(first, [])

    def place(self, event: Event) -> Placement:
        """Place an event by its current description."""
        self.update(event)
        return self.placement_of(event.id)

    def update(self, event: Event) -> list[Move]:
        """Take the current description of an event, and return the events that are now placed elsewhere.

        A first placement under the event's own id is no move.
        """
        known = self._known.get(event.id)
        if known is not None and _matches_alike(known.profile.event, event):
            known.profile = known.profile._replace(event=event)
            return []
        described = profile(event, self._names)
        concerned = {event.id}
        if known is None:
            known = self._known[event.id] = _KnownEvent(described, self._arrivals)
            self._arrivals += 1
        else:
            concerned |= known.edges.keys() | set(self.members(known.placement.event) if known.placement else ())
            self._disconnect(event.id)
            self._index.remove(known.profile.event, known.keys)
            known.profile, known.keys = described, keys_of(described)
        self._connect(known)
        self._index.add(event, known.keys)
        return self._decide(concerned)

    def set_listed(self, event: EventId, *, listed: bool) -> list[Move]:
        """Note whether a feed still lists an event, and return the events that are now placed elsewhere.

        An event that is not listed keeps its place, and leaves room for another of its feed.
        """
        known = self._known.get(event)
        if known is None or known.listed == listed:
            return []
        known.listed = listed
        return self._decide({event})

    def settle(self, matches: Sequence[tuple[str, str]], non_matches: Sequence[tuple[str, str]]) -> list[Move]:
        """Take what people have settled, instead of what they had before, and return the events that are now placed elsewhere.

        Their word holds against the config's.

        Args:
            matches: the pairs of events that are the same.
            non_matches: the pairs that are not.
        """
        self._settled = matches, non_matches
        settings = self._settings
        same, apart = {frozenset(pair) for pair in matches}, {frozenset(pair) for pair in non_matches}
        groups = _groups([*(pair for pair in settings.matches if frozenset(pair) not in apart), *matches])
        non_pairs = ({frozenset(pair) for pair in settings.non_matches} | apart) - same
        changed = {event for event in self._groups.keys() | groups.keys() if self._groups.get(event) != groups.get(event)}
        changed |= {EventId(event) for pair in self._non_matches ^ non_pairs for event in pair}
        self._groups, self._non_matches = groups, non_pairs
        known = sorted(changed & self._known.keys())
        concerned = {*known, *(other for event in known for other in self._known[event].edges)}
        for event in known:
            placement = self._known[event].placement
            concerned.update(() if placement is None else self.members(placement.event))
            self._disconnect(event)
        for event in known:
            self._connect(self._known[event])
        return self._decide(concerned)

    def use(self, settings: MatchingSettings) -> list[Move]:
        """Decide by other settings from now on, and return the events that are now placed elsewhere.

        Other pairs of the table concern their events only; any other key, every event.
        """
        before, self._settings = self._settings, settings
        moves = self.settle(*self._settled)
        tables = {"matches": settings.matches, "non_matches": settings.non_matches}
        if msgspec.structs.replace(before, **tables) == settings:
            return moves
        self._window_ms = settings.window_min * 60_000
        self._names = NameNormaliser(settings.aliases)
        self._index = CandidateIndex()
        for known in self._known.values():
            known.edges = {}
            known.profile = profile(known.profile.event, self._names)
            known.keys = keys_of(known.profile)
        for known in self._known.values():
            self._connect(known)
            self._index.add(known.profile.event, known.keys)
        return moves + self._decide(set(self._known))

    def is_renamed(self, event: Event) -> bool:
        """Check whether a description turns an event round or gives it other participants than before."""
        known = self._known.get(event.id)
        if known is None or participants_of(known.profile.event) == participants_of(event):
            return False
        before, now = known.profile, profile(event, self._names)
        if not all(name.words for name in before.names):
            return False
        same_time = before._replace(event=event)
        comparison = compare(same_time, now._replace(kind=before.kind), self._settings)
        return comparison.decision != "match" or comparison.swapped

    def forget(self, event: EventId) -> None:
        """Remove an event, given its first id, and all events placed with it."""
        for own in self._members.pop(event, []):
            self._disconnect(own)
            known = self._known.pop(own)
            self._index.remove(known.profile.event, known.keys)
            self._review.pop(own, None)
        self._review = {
            key: pair for key, pair in self._review.items() if pair.event.id in self._known and pair.candidate.id in self._known
        }

    def _connect(self, known: _KnownEvent) -> None:
        """Compare an event with those that may be the same."""
        own = known.profile.event.id
        for candidate in self._index.find(known.profile.event, known.keys, self._window_ms) | {*self._groups.get(own, ())}:
            other = self._known.get(candidate)
            if other is None or candidate == own:
                continue
            forced = self._forced(own, candidate)
            if not forced and (
                other.feed == known.feed
                or not may_be_alike(known.profile, known.keys, other.profile, other.keys)
                or not self._may_pair(own, candidate)
            ):
                continue
            comparison = compare(known.profile, other.profile, self._settings)
            if forced or comparison.decision != "non_match":
                known.edges[candidate] = other.edges[own] = comparison

    def _disconnect(self, event: EventId) -> None:
        known = self._known[event]
        for other in known.edges:
            del self._known[other].edges[event]
        known.edges = {}

    def _forced(self, one: EventId, other: EventId) -> bool:
        return other in self._groups.get(one, ())

    def _may_pair(self, one: EventId, other: EventId) -> bool:
        """Check whether the config does not rule out that two events are the same."""
        if frozenset((one, other)) in self._non_matches:
            return False
        for event, feed in ((one, feed_of(other)), (other, feed_of(one))):
            if any(feed_of(listed) == feed for listed in self._groups.get(event, ()) if listed != event):
                # The config names its match at that feed.
                return self._forced(one, other)
        return True

    def _may_join(self, one: EventId, other: EventId) -> bool:
        """Check whether neither the config nor the names rule out that two events are the same."""
        if not self._may_pair(one, other):
            return False
        left, right = self._known[one], self._known[other]
        if one in self._groups or other in self._groups or other in left.edges or left.feed == right.feed:
            return True
        return not compare(left.profile, right.profile, self._settings).vetoed

    def _decide(self, concerned: set[EventId]) -> list[Move]:
        """Place the events again that may be the same as some, directly or by others."""
        reached = {event for event in concerned if event in self._known}
        waiting = list(reached)
        while waiting:
            for other in self._known[waiting.pop()].edges:
                if other not in reached:
                    reached.add(other)
                    waiting.append(other)
        nodes = {event: self._node(event) for event in sorted(reached)}
        edges = {event: self._known[event].edges for event in nodes}
        groups, unsettled = Assignment(nodes, edges, self._forced, self._may_join, self._settings.min_lead).solve()
        for event in nodes:
            self._review.pop(event, None)
        for pair in unsettled:
            later, earlier = self._known[pair.event], self._known[pair.candidate]
            self._review[pair.event] = ReviewCandidate(later.profile.event, earlier.profile.event, pair.score, pair.reason)
        for known in map(self._known.__getitem__, nodes):
            if known.placement is not None:
                self._members.pop(known.placement.event, None)
        moves: list[Move] = []
        for group in groups:
            self._members[group.first] = sorted(group.members, key=lambda event: self._known[event].order)
            for event, (swapped, score, basis) in group.members.items():
                moves += self._moved(event, Placement(group.first, swapped, score, cast("Basis", basis)))
        return sorted(moves, key=lambda move: self._known[move.event].order)

    def _moved(self, event: EventId, placement: Placement) -> list[Move]:
        known = self._known[event]
        before, known.placement = known.placement, placement
        if before is None:
            return [] if placement.event == event and not placement.swapped else [Move(event, event)]
        if (before.event, before.swapped) == (placement.event, placement.swapped):
            return []
        return [Move(event, before.event)]

    def _node(self, event: EventId) -> Node:
        known = self._known[event]
        placed = None if known.placement is None else known.placement.event
        return Node(event, known.feed, known.order, known.listed, known.profile.event.start_ms, placed)


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
    return (one.sport, one.start_ms, one.participants, one.name, one.competition.name) == (
        other.sport,
        other.start_ms,
        other.participants,
        other.name,
        other.competition.name,
    )
