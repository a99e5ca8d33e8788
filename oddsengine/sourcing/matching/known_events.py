"""The events that feeds have described, or that are known from what was decided, and which of them may be the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.sourcing.matching.candidates import CandidateIndex, keys_of, may_be_alike
from oddsengine.sourcing.matching.compare import compare, participants_of, profile
from oddsengine.sourcing.matching.names.normaliser import NameNormaliser
from oddsengine.sourcing.matching.pair_table import PairTable, feed_of

if TYPE_CHECKING:
    from oddsengine.domain.events import Event
    from oddsengine.domain.ids import EventId
    from oddsengine.sourcing.matching.compare import Comparison, EventProfile
    from oddsengine.sourcing.matching.identities import Identity, Placement
    from oddsengine.sourcing.matching.settings import MatchingSettings

#: The order of events that nothing was decided of, after all others.
_UNDECIDED: Final = 1 << 52


class KnownEvent:
    """An event of a feed: what is known of it here, and what was decided."""

    __slots__ = ("edges", "feed", "identity", "is_described", "is_renamed", "keys", "listed", "order", "profile")

    def __init__(self, profile: EventProfile, order: int) -> None:
        self.profile = profile
        self.keys = keys_of(profile)
        self.feed = feed_of(profile.event.id)
        self.order = order
        self.listed = True
        #: whether its feed has described it here; otherwise it is known only from what was decided
        self.is_described = False
        #: whether it has other participants here than when it was decided, or the other way round
        self.is_renamed = False
        self.identity: Identity | None = None
        #: the events that may be the same
        self.edges: dict[EventId, Comparison] = {}

    @property
    def placement(self) -> Placement | None:
        """The placement, None before that was decided."""
        return None if self.identity is None else self.identity.placement


class KnownEvents:
    """All of them, compared with each other.

    Args:
        settings: the config's `[matching]` section.
    """

    def __init__(self, settings: MatchingSettings) -> None:
        self._settings = settings
        self._window_ms = settings.window_min * 60_000
        self._names = NameNormaliser(settings.aliases)
        self._index = CandidateIndex()
        self._arrivals = 0
        self.pairs = PairTable(settings)
        self.by_id: dict[EventId, KnownEvent] = {}

    def use(self, settings: MatchingSettings) -> None:
        """Compare all events by other settings from now on."""
        self._settings = settings
        self._window_ms = settings.window_min * 60_000
        self._names = NameNormaliser(settings.aliases)
        self._index = CandidateIndex()
        for known in self.by_id.values():
            known.edges = {}
            known.profile = profile(known.profile.event, self._names)
            known.keys = keys_of(known.profile)
        for known in self.by_id.values():
            self.compare(known)
            self._index.add(known.profile.event, known.keys)

    def learn(self, event: Event) -> KnownEvent:
        """Add an event, and compare it with the others."""
        known = self.by_id[event.id] = KnownEvent(profile(event, self._names), _UNDECIDED + self._arrivals)
        self._arrivals += 1
        self.compare(known)
        self._index.add(event, known.keys)
        return known

    def redescribe(self, known: KnownEvent, event: Event) -> None:
        """Replace the description of an event, and compare it again."""
        self.disconnect(event.id)
        self._index.remove(known.profile.event, known.keys)
        known.profile = profile(event, self._names)
        known.keys = keys_of(known.profile)
        self.compare(known)
        self._index.add(event, known.keys)

    def remove(self, event: EventId) -> KnownEvent:
        """Remove an event."""
        self.disconnect(event)
        known = self.by_id.pop(event)
        self._index.remove(known.profile.event, known.keys)
        return known

    def is_turned(self, decided: Event, known: KnownEvent) -> bool:
        """Check whether an event is turned round, or has other participants, compared with an earlier description."""
        return participants_of(decided) != participants_of(known.profile.event) and self.turns(
            profile(decided, self._names), known.profile.event
        )

    def turns(self, before: EventProfile, event: Event) -> bool:
        """Check whether a description turns an event round or gives it other participants than before."""
        if participants_of(before.event) == participants_of(event):
            return False
        now = profile(event, self._names)
        if not all(name.words for name in before.names):
            return False
        same_time = before._replace(event=event)
        comparison = compare(same_time, now._replace(kind=before.kind), self._settings)
        return comparison.decision != "match" or comparison.swapped

    def compare(self, known: KnownEvent) -> None:
        """Compare an event with those that may be the same."""
        own, pairs = known.profile.event.id, self.pairs
        for candidate in self._index.find(known.profile.event, known.keys, self._window_ms) | {*pairs.group(own)}:
            other = self.by_id.get(candidate)
            if other is None or candidate == own:
                continue
            forced = pairs.is_match(own, candidate)
            if not forced and (
                other.feed == known.feed
                or not may_be_alike(known.profile, known.keys, other.profile, other.keys)
                or not pairs.may_match(own, candidate)
            ):
                continue
            comparison = compare(known.profile, other.profile, self._settings)
            if forced or comparison.decision != "non_match":
                known.edges[candidate] = other.edges[own] = comparison

    def disconnect(self, event: EventId) -> None:
        """Drop all comparisons with an event."""
        known = self.by_id[event]
        for other in known.edges:
            del self.by_id[other].edges[event]
        known.edges = {}

    def may_join(self, one: EventId, other: EventId) -> bool:
        """Check whether neither what is settled nor the names rule out that two events are the same."""
        if not self.pairs.may_match(one, other):
            return False
        left, right = self.by_id[one], self.by_id[other]
        if self.pairs.group(one) or self.pairs.group(other) or other in left.edges or left.feed == right.feed:
            return True
        return not compare(left.profile, right.profile, self._settings).vetoed
