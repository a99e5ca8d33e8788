"""Assigns events of several feeds to each other, given how each pair compares.

A pair is merged if its events are the same by themselves, and if no other event of either feed is as likely. The result depends
on the events that are listed now, not on their order of arrival, except that a match is kept where a feed lists it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.compare import NEAR_MS, Comparison

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: A start that is this much nearer than the next candidate's decides between two matches of one pair.
_CLEARLY_NEARER_MS: Final = 20 * 60_000
#: Two events of one feed that start within this time are one match that is listed twice.
_TWICE_MS: Final = 60_000
_EQUAL: Final = 0.999


class Node(NamedTuple):
    """An event as it takes part: its feed, its place in the order of arrival, whether its feed still lists it, and its start."""

    event: EventId
    feed: str
    order: int
    listed: bool
    start_ms: int | None
    #: the first event of its current group
    placed: EventId | None = None


class Group(NamedTuple):
    """Events that are one: the first of them, and of each whether its sides are swapped, its best score and its basis."""

    first: EventId
    members: dict[EventId, tuple[bool, float, str]]


class Unsettled(NamedTuple):
    """Two events that may be the same, the later one first."""

    event: EventId
    candidate: EventId
    score: float
    reason: str


class Assignment:
    """Groups the events of one neighbourhood.

    Args:
        nodes: the events.
        edges: how they compare, by both events; only pairs that may be the same.
        forced: pairs that the config says are the same.
        may_join: whether two events may be in one group, where they were not compared as a pair.
        min_lead: how far ahead of the next candidate a pair must be.
    """

    def __init__(
        self,
        nodes: Mapping[EventId, Node],
        edges: Mapping[EventId, Mapping[EventId, Comparison]],
        forced: Callable[[EventId, EventId], bool],
        may_join: Callable[[EventId, EventId], bool],
        min_lead: float,
    ) -> None:
        self._nodes = nodes
        self._edges = edges
        self._forced = forced
        self._may_join = may_join
        self._min_lead = min_lead
        self._group: dict[EventId, list[EventId]] = {event: [event] for event in nodes}
        self._accepted: dict[EventId, dict[EventId, Comparison]] = {event: {} for event in nodes}

    def solve(self) -> tuple[list[Group], list[Unsettled]]:
        """Return the groups, and the pairs that are not certain."""
        pairs = sorted(
            (
                (one, other, comparison)
                for one, others in self._edges.items()
                for other, comparison in others.items()
                if self._nodes[one].order < self._nodes[other].order
            ),
            key=lambda pair: (not self._forced(pair[0], pair[1]), -pair[2].score, pair[2].gap_ms or 0, pair[0], pair[1]),
        )
        merged = True
        while merged:
            merged = False
            for one, other, comparison in pairs:
                if self._group[one] is not self._group[other] and self._merges(one, other, comparison):
                    self._join(one, other, comparison)
                    merged = True
        groups = {id(group): group for group in self._group.values()}
        return [self._described(group) for group in groups.values()], self._unsettled(pairs)

    def _merges(self, one: EventId, other: EventId, comparison: Comparison) -> bool:
        if self._forced(one, other):
            return True
        if comparison.decision != "match" or not self._is_clear(one, other, comparison):
            return False
        if not self._is_clear(other, one, comparison) or self._is_taken(one, other):
            return False
        return all(self._may_join(left, right) for left in self._group[one] for right in self._group[other])

    def _is_clear(self, event: EventId, candidate: EventId, comparison: Comparison) -> bool:
        """Check whether no other event of the candidate's feed is as likely."""
        nodes = self._nodes
        for rival, other in self._edges[event].items():
            if rival == candidate or nodes[rival].feed != nodes[candidate].feed or not nodes[rival].listed:
                continue
            if self._has_feed(rival, nodes[event].feed):
                continue
            if comparison.score - other.score >= self._min_lead or other.score < _EQUAL <= comparison.score:
                continue
            gap, other_gap = comparison.gap_ms, other.gap_ms
            if gap is not None and other_gap is not None and gap <= NEAR_MS and other_gap - gap >= _CLEARLY_NEARER_MS:
                continue
            if self._is_kept(event, candidate, rival):
                continue
            return False
        return True

    def _is_kept(self, event: EventId, candidate: EventId, rival: EventId) -> bool:
        """Check whether a pair is matched already and the rival only lists the candidate a second time."""
        own, other, third = self._nodes[event], self._nodes[candidate], self._nodes[rival]
        if own.placed is None or own.placed != other.placed or third.placed == own.placed or not other.listed:
            return False
        return other.start_ms == third.start_ms or (
            other.start_ms is not None and third.start_ms is not None and abs(other.start_ms - third.start_ms) <= _TWICE_MS
        )

    def _has_feed(self, event: EventId, feed: str) -> bool:
        """Check whether an event is grouped with one that a feed lists."""
        return any(
            self._nodes[other].feed == feed and self._nodes[other].listed for other in self._group[event] if other != event
        )

    def _is_taken(self, one: EventId, other: EventId) -> bool:
        """Check whether a feed would have two events in the group: it lists a match once."""
        lefts = {self._nodes[event].feed for event in self._group[one] if self._nodes[event].listed}
        rights = {self._nodes[event].feed for event in self._group[other] if self._nodes[event].listed}
        return bool(lefts & rights)

    def _join(self, one: EventId, other: EventId, comparison: Comparison) -> None:
        group = [*self._group[one], *self._group[other]]
        for event in group:
            self._group[event] = group
        self._accepted[one][other] = self._accepted[other][one] = comparison

    def _described(self, group: list[EventId]) -> Group:
        first = min(group, key=lambda event: (self._nodes[event].order, event))
        members: dict[EventId, tuple[bool, float, str]] = {first: (False, 1.0, "first")}
        reached = [first]
        while reached:
            event = reached.pop()
            for other, comparison in self._accepted[event].items():
                if other not in members:
                    basis = "table" if self._forced(event, other) else "names"
                    score = 1.0 if basis == "table" else comparison.score
                    members[other] = (members[event][0] != comparison.swapped, score, basis)
                    reached.append(other)
        return Group(first, members)

    def _unsettled(self, pairs: list[tuple[EventId, EventId, Comparison]]) -> list[Unsettled]:
        unsettled: dict[EventId, Unsettled] = {}
        nodes = self._nodes
        for one, other, comparison in pairs:
            if self._group[one] is self._group[other] or not (nodes[one].listed and nodes[other].listed):
                continue
            if self._has_feed(one, nodes[other].feed) or self._has_feed(other, nodes[one].feed):
                continue
            reason = "the next is as likely" if comparison.decision == "match" else "; ".join(comparison.why)
            if other not in unsettled or unsettled[other].score < comparison.score:
                unsettled[other] = Unsettled(other, one, comparison.score, reason)
        return list(unsettled.values())
