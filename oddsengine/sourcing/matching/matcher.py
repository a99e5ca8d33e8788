"""Decides which events of different feeds are the same: by the config's table first, then by sport, start, names, competition.

Matched events share the id of the first one seen. A pair that is likely but not certain is not merged but listed for review, and
is settled in the config's table. Every change of what a decision rests on opens it again: a new event, one that its feed lists no
longer, other names, another start. Only the events that may be the same as those concerned are looked at again.

To decide and to take decisions over are two steps, `propose` and `apply`. A matcher that defers takes over only what it is given.
So all engines place events alike, in whatever order they learn of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from oddsengine.domain.events import Event
from oddsengine.sourcing.matching.assignment import Assignment, Node
from oddsengine.sourcing.matching.identities import (
    Basis,
    Decisions,
    Identity,
    Move,
    Placement,
    PossibleMatch,
    matches_alike,
    without_progress,
)
from oddsengine.sourcing.matching.known_events import KnownEvents
from oddsengine.sourcing.matching.pair_table import feed_of
from oddsengine.sourcing.matching.settings import MatchingSettings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.matching.known_events import KnownEvent

__all__ = ["Matcher", "MatchingSettings", "Move", "Placement", "ReviewCandidate", "feed_of"]


class ReviewCandidate(NamedTuple):
    """Two events that may be the same, and why they were not merged."""

    event: Event
    candidate: Event
    score: float
    reason: str


class Matcher:
    """Places events as they are described, and again when what is known of them changes.

    Args:
        settings: the config's `[matching]` section.
        defers: whether decisions take effect only once they are applied; otherwise at once.
    """

    def __init__(self, settings: MatchingSettings, *, defers: bool = False) -> None:
        self.defers = defers
        self._settings = settings
        self._known = KnownEvents(settings)
        self._events = self._known.by_id
        #: first events -> the events placed under their ids, themselves included
        self._members: dict[EventId, list[EventId]] = {}
        self._possible: dict[EventId, PossibleMatch] = {}
        #: the events to decide of, in the order in which that was asked for
        self._pending: dict[EventId, None] = {}
        self._next_order = 0

    @property
    def review_candidates(self) -> list[ReviewCandidate]:
        """The pairs to review, highest score first."""
        found = [
            ReviewCandidate(self._events[key].profile.event, self._events[each.candidate].profile.event, each.score, each.reason)
            for key, each in self._possible.items()
            if key in self._events and each.candidate in self._events
        ]
        return sorted(found, key=lambda pair: -pair.score)

    @property
    def has_pending(self) -> bool:
        """Whether there are events to decide of."""
        return bool(self._pending)

    @property
    def decided(self) -> dict[EventId, Identity]:
        """The decision about each event."""
        return {key: known.identity for key, known in self._events.items() if known.identity is not None}

    @property
    def possible(self) -> Mapping[EventId, PossibleMatch]:
        """The pairs in doubt, by the later event of each."""
        return self._possible

    @property
    def undecided(self) -> int:
        """The number of events that wait for a decision."""
        return sum(known.identity is None for known in self._events.values())

    def placement(self, event: EventId) -> Placement | None:
        """Return the placement of an event, None before that was decided."""
        known = self._events.get(event)
        return None if known is None else known.placement

    def placement_of(self, event: EventId) -> Placement:
        """Return the placement of an event that has been described: its own id before that."""
        return self.placement(event) or Placement(event)

    def is_uncertain(self, event: EventId) -> bool:
        """Check whether an event has other participants than those it was decided by: its sides may be the wrong way round."""
        known = self._events.get(event)
        return known is not None and known.is_renamed

    def event(self, event: EventId) -> Event | None:
        """Return an event as its feed described it last."""
        known = self._events.get(event)
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
        known = self._events.get(event.id)
        if known is not None and matches_alike(known.profile.event, event):
            known.profile = known.profile._replace(event=event)
            known.is_described = True
            return []
        concerned = {event.id}
        if known is None:
            known = self._known.learn(event)
        else:
            concerned |= known.edges.keys() | set(self.members(known.placement.event) if known.placement else ())
            self._known.redescribe(known, event)
        known.is_described = True
        self._check_names(known)
        return self._reconsider(concerned)

    def set_listed(self, event: EventId, *, listed: bool) -> list[Move]:
        """Note whether a feed still lists an event, and return the events that are now placed elsewhere.

        An event that is not listed keeps its place, and leaves room for another of its feed.
        """
        known = self._events.get(event)
        if known is None or known.listed == listed:
            return []
        known.listed = listed
        return self._reconsider({event})

    def delist_missing(self, live_feeds: Collection[str]) -> list[Move]:
        """Note that feeds that are live do not list the events that they have not described here."""
        missing = {
            key for key, known in self._events.items() if known.listed and not known.is_described and known.feed in live_feeds
        }
        for key in missing:
            self._events[key].listed = False
        return self._reconsider(missing)

    def settle(self, matches: Sequence[tuple[str, str]], non_matches: Sequence[tuple[str, str]]) -> list[Move]:
        """Take what people have settled, instead of what they had before, and return the events that are now placed elsewhere.

        Their word holds against the config's.

        Args:
            matches: the pairs of events that are the same.
            non_matches: the pairs that are not.
        """
        return self._compare_again(self._known.pairs.settle(matches, non_matches))

    def use(self, settings: MatchingSettings) -> list[Move]:
        """Decide by other settings from now on, and return the events that are now placed elsewhere.

        Other pairs of the table concern their events only; any other key, every event.
        """
        before, self._settings = self._settings, settings
        moves = self._compare_again(self._known.pairs.use(settings.matches, settings.non_matches))
        tables = {"matches": settings.matches, "non_matches": settings.non_matches}
        if msgspec.structs.replace(before, **tables) == settings:
            return moves
        self._known.use(settings)
        return moves + self._reconsider(self._events)

    def is_renamed(self, event: Event) -> bool:
        """Check whether a description turns an event round or gives it other participants than before."""
        known = self._events.get(event.id)
        return known is not None and known.is_described and self._known.turns(known.profile, event)

    def forget(self, event: EventId) -> None:
        """Remove an event, given its first id, and all events placed with it. What was decided of them is kept if we defer."""
        if self.defers:
            for own in self.members(event):
                known = self._events[own]
                known.is_described = known.is_renamed = known.listed = False
                self._pending[own] = None
            return
        for own in list(self.members(event)):
            self._remove(own)

    def reconsider_all(self) -> None:
        """Decide of every event again, with the next proposals."""
        self._pending = dict.fromkeys(sorted(self._events, key=lambda key: self._events[key].order))

    def ended(self, unheard: Collection[str], before_ms: int) -> Decisions:
        """Return the removal of what was decided of events that are over: no feed has them any more.

        Args:
            unheard: the feeds of which that is not known, since they are not live.
            before_ms: the start of such an event, and the decision, were before this time. Unix milliseconds.
        """
        over: dict[EventId, Identity | None] = {}
        for members in self._members.values():
            if all(self._is_over(self._events[own], unheard, before_ms) for own in members):
                over.update(dict.fromkeys(members))
        return Decisions(over, {key: None for key, each in self._possible.items() if key in over or each.candidate in over})

    def propose(self, now_ms: int = 0, limit: int | None = None) -> Decisions:
        """Decide of events that were asked for, and of those that may be the same, directly or by others. Changes no placement.

        Args:
            now_ms: the time of the decision, Unix milliseconds.
            limit: how many of the events that were asked for; None: all.

        Returns:
            What differs from what was decided before.
        """
        waiting = [event for event in list(self._pending)[:limit] if event in self._events]
        for event in list(self._pending)[:limit]:
            del self._pending[event]
        reached = set(waiting)
        while waiting:
            for other in self._events[waiting.pop()].edges:
                if other not in reached:
                    reached.add(other)
                    waiting.append(other)
        for event in reached & self._pending.keys():
            del self._pending[event]
        return self._decide(sorted(reached), now_ms)

    def learn(self, event: Event) -> bool:
        """Compare an event that decisions are about with the others, before they are applied. Return whether it was not known."""
        if event.id in self._events:
            return False
        self._known.learn(event)
        return True

    def apply(self, decisions: Decisions) -> list[Move]:
        """Take decisions over, and return the events that are now placed elsewhere."""
        moves: list[Move] = []
        touched: set[EventId] = set()
        for event, identity in decisions.identities.items():
            if identity is not None:
                moves += self._place(event, identity, touched)
            elif event in self._events and not self._events[event].is_described:
                self._remove(event)
        for first in touched & self._members.keys():
            self._members[first].sort(key=self._rank)
        for event, possible in decisions.possible.items():
            if possible is None:
                self._possible.pop(event, None)
            else:
                self._possible[event] = possible
        return sorted(moves, key=lambda move: self._rank(move.event))

    def _place(self, event: EventId, identity: Identity, touched: set[EventId]) -> Iterable[Move]:
        known = self._events.get(event)
        if known is None:
            known = self._known.learn(identity.event)
        elif not known.is_described and not matches_alike(known.profile.event, identity.event):
            self._known.redescribe(known, identity.event)
        before, was_renamed = known.placement, known.is_renamed
        known.identity, known.order = identity, identity.order
        self._next_order = max(self._next_order, identity.order + 1)
        self._check_names(known)
        first = identity.placement.event
        touched.add(first)
        if before is None or before.event != first:
            self._leave_group(event, before)
            self._members.setdefault(first, []).append(event)
        return self._moved(event, before, identity.placement, is_renamed=was_renamed != known.is_renamed)

    def _leave_group(self, event: EventId, placement: Placement | None) -> None:
        if placement is None:
            return
        members = self._members[placement.event]
        members.remove(event)
        if not members:
            del self._members[placement.event]

    def _rank(self, event: EventId) -> tuple[int, EventId]:
        return self._events[event].order, event

    def _moved(self, event: EventId, before: Placement | None, now: Placement, *, is_renamed: bool) -> list[Move]:
        if before is None:
            return [Move(event, event)] if self.defers or now.event != event or now.swapped else []
        return [Move(event, before.event)] if is_renamed or (before.event, before.swapped) != (now.event, now.swapped) else []

    def _reconsider(self, concerned: Iterable[EventId]) -> list[Move]:
        self._pending.update(dict.fromkeys(concerned))
        return [] if self.defers or not self._pending else self.apply(self.propose())

    def _compare_again(self, changed: set[EventId]) -> list[Move]:
        known = sorted(changed & self._events.keys())
        concerned = {*known, *(other for event in known for other in self._events[event].edges)}
        for event in known:
            placement = self._events[event].placement
            concerned.update(() if placement is None else self.members(placement.event))
            self._known.disconnect(event)
        for event in known:
            self._known.compare(self._events[event])
        return self._reconsider(concerned)

    def _remove(self, event: EventId) -> None:
        known = self._known.remove(event)
        self._leave_group(event, known.placement)
        self._possible = {key: each for key, each in self._possible.items() if event not in (key, each.candidate)}

    def _is_over(self, known: KnownEvent, unheard: Collection[str], before_ms: int) -> bool:
        identity = known.identity
        if identity is None or known.is_described or known.feed in unheard:
            return False
        return max(identity.event.start_ms or 0, identity.decided_ms) < before_ms

    def _check_names(self, known: KnownEvent) -> None:
        identity = known.identity
        known.is_renamed = (
            self.defers and known.is_described and identity is not None and self._known.is_turned(identity.event, known)
        )

    def _decide(self, reached: Sequence[EventId], now_ms: int) -> Decisions:
        """Return what is decided of some events anew, and what was decided of them before and holds no longer."""
        orders = {event: self._events[event].order for event in reached}
        following = self._next_order
        for event in sorted((each for each in reached if self._events[each].identity is None), key=self._rank):
            orders[event], following = following, following + 1
        nodes = {event: self._node(event, orders[event]) for event in reached}
        edges = {event: self._events[event].edges for event in nodes}
        groups, unsettled = Assignment(
            nodes, edges, self._known.pairs.is_match, self._known.may_join, self._settings.min_lead
        ).solve()
        identities: dict[EventId, Identity | None] = {}
        for group in groups:
            for event, (swapped, score, basis) in group.members.items():
                placement = Placement(group.first, swapped, score, cast("Basis", basis))
                known = self._events[event]
                before, described = known.identity, known.profile.event
                if before is None or before.placement != placement or not matches_alike(before.event, described):
                    identities[event] = Identity(without_progress(described), placement, orders[event], now_ms)
        in_doubt = {pair.event: PossibleMatch(pair.candidate, pair.score, pair.reason) for pair in unsettled}
        possible = {event: in_doubt.get(event) for event in nodes if in_doubt.get(event) != self._possible.get(event)}
        return Decisions(identities, possible)

    def _node(self, event: EventId, order: int) -> Node:
        known = self._events[event]
        placed = None if known.placement is None else known.placement.event
        return Node(event, known.feed, order, known.listed, known.profile.event.start_ms, placed)
