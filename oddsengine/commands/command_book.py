"""The commands that hold now, indexed by scope, and what they say of each market."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.commands.ruling import Ruling, fold, matched
from oddsengine.domain.changes import EventDescription
from oddsengine.domain.feed_updates import MarketDefinition
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.taxonomy import MarketType

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.commands.command import Command, Scope

#: The actions that name no selection.
_NAMES_NO_SELECTION: Final = frozenset({"suspend", "book_sum", "limit", "bet_delay_s", "note"})
#: The index of all commands that are not of a sport, a competition or an event.
_ALL: Final = ("all", "")


class _CachedRuling(NamedTuple):
    """The last ruling of a market. Keyed by the identity of `definition`, `description` and `members`, and by `in_play`.

    `until_ms` (Unix milliseconds) is when the first of its commands expires.
    """

    definition: MarketDefinition
    description: EventDescription | None
    in_play: bool
    members: Sequence[EventId]
    ruling: Ruling | None
    until_ms: float


class SettledPairs(NamedTuple):
    """Pairs of events that are the same, and pairs that are not."""

    matches: tuple[tuple[str, str], ...]
    non_matches: tuple[tuple[str, str], ...]


class MarketName(NamedTuple):
    """The names of a market in scopes; `members` are the feeds' own events that are placed under `event`."""

    id: MarketId
    event: EventId
    type: MarketType
    members: Sequence[EventId] = ()


class CommandBook:
    """All commands that may hold, and what they say of each market.

    Args:
        profiles: names of the published profiles, in the order of every `prices`.
    """

    def __init__(self, profiles: Sequence[str]) -> None:
        self._profiles = tuple(profiles)
        self.commands: dict[str, Command] = {}
        #: (kind, key) -> those of a sport, a competition, an event with its markets and selections, or of all
        self._by_scope: dict[tuple[str, str], dict[str, Command]] = {}
        self._cached: dict[MarketId, _CachedRuling] = {}
        #: the ids of commands -> what they say together
        self._folded: dict[tuple[str, ...], Ruling | None] = {}
        self._next_expiry_ms: float = inf
        #: a command that ends with the kick-off -> the events and markets that it has ended for
        self._ended_for: dict[str, set[str]] = {}

    def put(self, command: Command) -> Command | None:
        """Take over the present state of a command. Return its state before, None if it did not hold."""
        before = self._remove(command.id)
        if command.lifted_ms is None and (not command.is_proposal or command.confirmed_by is not None):
            self.commands[command.id] = command
            self._by_scope.setdefault(_place(command), {})[command.id] = command
            if command.expires_ms is not None:
                self._next_expiry_ms = min(self._next_expiry_ms, command.expires_ms)
            if command.until_kick_off:
                self._ended_for.setdefault(command.id, set())
        else:
            self._ended_for.pop(command.id, None)
        self._drop_cached()
        return before

    def _drop_cached(self) -> None:
        self._cached.clear()
        self._folded.clear()

    def _remove(self, key: str) -> Command | None:
        command = self.commands.pop(key, None)
        if command is not None:
            place = _place(command)
            del self._by_scope[place][key]
            if not self._by_scope[place]:
                del self._by_scope[place]
        return command

    def expire(self, now_ms: int) -> list[Command]:
        """Remove the commands that have expired by a time of the world's clock, and return them."""
        if now_ms < self._next_expiry_ms:
            return []
        expired = [each for each in self.commands.values() if each.expires_ms is not None and each.expires_ms <= now_ms]
        for command in expired:
            self._remove(command.id)
            self._ended_for.pop(command.id, None)
        self._next_expiry_ms = min((each.expires_ms for each in self.commands.values() if each.expires_ms), default=inf)
        self._drop_cached()
        return expired

    def note_in_play(self, event: EventId) -> None:
        """Note that an event is in play: what ends with the kick-off has ended for it, also if its source takes that back."""
        for ended_for in self._ended_for.values():
            ended_for.add(event)

    def kicked_off(self) -> list[Command]:
        """Return the commands that have ended with the kick-off of the only event of their scope."""
        return [
            self.commands[key]
            for key, ended_for in self._ended_for.items()
            if ended_for and (event := self.commands[key].scope.event_id) is not None and event in ended_for
        ]

    def _has_ended(self, command: Command, market: MarketName, *, in_play: bool) -> bool:
        """Check whether a command has ended with the kick-off of a market, and note it if that is now."""
        ended_for = self._ended_for.get(command.id)
        if ended_for is None:
            return False
        if in_play:
            ended_for.add(market.id)
        return market.id in ended_for or market.event in ended_for

    def use_profiles(self, profiles: Sequence[str]) -> None:
        """Rule on other profiles from now on."""
        self._profiles = tuple(profiles)
        self._drop_cached()

    def ruling(
        self,
        definition: MarketDefinition,
        description: EventDescription | None,
        now_ms: int,
        *,
        in_play: bool,
        members: Sequence[EventId] = (),
    ) -> Ruling | None:
        """Return what is commanded of a market, None if nothing is; the same object while nothing changes.

        Args:
            definition: the market, as the source has it that prices it.
            description: its event as it is published, None if it is not.
            now_ms: Unix milliseconds, by the world's clock.
            in_play: whether the market or its event is.
            members: the feeds' own events that are placed under that of the market; another object once they are others.
        """
        cached = self._cached.get(definition.id)
        if (
            cached is not None
            and cached.definition is definition
            and cached.description is description
            and cached.in_play is in_play
            and cached.members is members
            and now_ms < cached.until_ms
        ):
            return cached.ruling
        named = MarketName(definition.id, definition.event, definition.type, members)
        holding = list(self.holding(named, description, now_ms, in_play=in_play))
        ruling = self._fold(holding) if holding else None
        until_ms = min((command.expires_ms for command in holding if command.expires_ms is not None), default=inf)
        self._cached[definition.id] = _CachedRuling(definition, description, in_play, members, ruling, until_ms)
        return ruling

    def _fold(self, commands: list[Command]) -> Ruling | None:
        """Return what commands say together; the same object for the same commands, as a suspension of all holds for many."""
        key = tuple([command.id for command in commands])
        if key not in self._folded:
            self._folded[key] = fold([matched(command, self._profiles) for command in commands], len(self._profiles))
        return self._folded[key]

    def holding(
        self, market: MarketName, description: EventDescription | None, now_ms: int, *, in_play: bool
    ) -> Iterator[Command]:
        """Yield the commands that hold for a market; the arguments are those of `ruling`."""
        for command in self._named(market, description):
            scope = command.scope
            if (
                not self._has_ended(command, market, in_play=in_play)
                and (not scope.types or market.type in scope.types)
                and (scope.in_play is None or scope.in_play == in_play)
                and command.state(now_ms, in_play=in_play) == "active"
            ):
                yield command

    def _named(self, market: MarketName, description: EventDescription | None) -> Iterator[Command]:
        """Yield the commands whose scope names a market, or something that it is part of."""
        by_scope = self._by_scope
        places = [_ALL, ("event", str(market.event))]
        if description is not None:
            places += [("sport", description.sport), ("competition", description.competition.id)]
        for place in places:
            for command in by_scope.get(place, {}).values():
                if command.scope.market_id in {None, market.id}:
                    yield command
        for own in market.members:
            if own == market.event:
                continue
            for command in by_scope.get(("event", own), {}).values():
                # At another feed the event may be turned round: what names selections does not hold.
                if command.action in _NAMES_NO_SELECTION and includes_moved(command.scope, market.id, own):
                    yield command

    def settled_pairs(self) -> SettledPairs:
        """Return which events are the same or not by the commands that hold; of those on one pair, the newest."""
        pairs: dict[frozenset[str], tuple[str, tuple[str, str]]] = {}
        settling = [each for each in self.commands.values() if each.action in {"match", "unmatch"}]
        for command in sorted(settling, key=lambda each: each.rank):
            one, other = command.scope.key, str(command.values)
            pairs[frozenset((one, other))] = command.action, (one, other)
        return SettledPairs(
            tuple(pair for action, pair in pairs.values() if action == "match"),
            tuple(pair for action, pair in pairs.values() if action == "unmatch"),
        )

    def forget(self, market: MarketId) -> None:
        """Drop what is cached of a market that is gone."""
        self._cached.pop(market, None)


def _place(command: Command) -> tuple[str, str]:
    """Return where a command is indexed: those of an event's markets and selections with those of the event."""
    event = command.scope.event_id
    return ("event", event) if event is not None else (command.scope.kind, command.scope.key)


def includes_moved(scope: Scope, market: MarketId, event: str) -> bool:
    """Check whether a scope that names an event, or a market of it, includes a market that is placed under another event."""
    named = scope.market_id
    return scope.selection is None and (named is None or named.removeprefix(event) == f"/{market.partition('/')[2]}")
