"""The pairs of events that are settled: the same, or never. By the config, and by people, whose word holds against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oddsengine.domain.ids import EventId

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from oddsengine.sourcing.matching.settings import MatchingSettings

    Pairs = Sequence[tuple[str, str]]


def feed_of(event: str) -> str:
    """Return the feed of an event or source: what is before the first dot."""
    return event.partition(".")[0]


class PairTable:
    """The settled pairs.

    Args:
        settings: the config's `[matching]` section.
    """

    def __init__(self, settings: MatchingSettings) -> None:
        self._table: tuple[Pairs, Pairs] = settings.matches, settings.non_matches
        #: what people have settled: the same, and not
        self._settled: tuple[Pairs, Pairs] = ((), ())
        self._groups = _groups(settings.matches)
        self._non_matches = {frozenset(pair) for pair in settings.non_matches}

    def use(self, matches: Pairs, non_matches: Pairs) -> set[EventId]:
        """Take other pairs of the config. Return the events that they, or those before, are about."""
        self._table = matches, non_matches
        return self.settle(*self._settled)

    def settle(self, matches: Pairs, non_matches: Pairs) -> set[EventId]:
        """Take what people have settled, instead of what they had before. Return the events for which that is a change."""
        self._settled = matches, non_matches
        by_config, never = self._table
        same, apart = {frozenset(pair) for pair in matches}, {frozenset(pair) for pair in non_matches}
        groups = _groups([*(pair for pair in by_config if frozenset(pair) not in apart), *matches])
        non_pairs = ({frozenset(pair) for pair in never} | apart) - same
        changed = {event for event in self._groups.keys() | groups.keys() if self._groups.get(event) != groups.get(event)}
        changed |= {EventId(event) for pair in self._non_matches ^ non_pairs for event in pair}
        self._groups, self._non_matches = groups, non_pairs
        return changed

    def group(self, event: EventId) -> tuple[EventId, ...]:
        """Return the events that are settled to be the same as one, itself included; none if nothing is settled of it."""
        return self._groups.get(event, ())

    def is_match(self, one: EventId, other: EventId) -> bool:
        """Check whether two events are settled to be the same."""
        return other in self._groups.get(one, ())

    def may_match(self, one: EventId, other: EventId) -> bool:
        """Check whether it is not ruled out that two events are the same."""
        if frozenset((one, other)) in self._non_matches:
            return False
        for event, feed in ((one, feed_of(other)), (other, feed_of(one))):
            if any(feed_of(listed) == feed for listed in self._groups.get(event, ()) if listed != event):
                # Its match at that feed is settled.
                return self.is_match(one, other)
        return True


def _groups(pairs: Iterable[tuple[str, str]]) -> dict[EventId, tuple[EventId, ...]]:
    """Return for each event of the pairs all events that are the same, itself included; pairs that share an event are joined."""
    groups: dict[EventId, tuple[EventId, ...]] = {}
    for pair in pairs:
        one, other = map(EventId, pair)
        group = tuple(dict.fromkeys((*groups.get(one, (one,)), *groups.get(other, (other,)))))
        groups.update(dict.fromkeys(group, group))
    return groups
