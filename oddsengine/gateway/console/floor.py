"""The content of the console's channels: commands, feeds and trouble, as far as this gateway knows. No clock, no I/O.

Items are replaced, never changed: what was sent of one is current while it is the same object.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog

from oddsengine.domain.ids import EventId
from oddsengine.gateway.commands.answers import command_answer
from oddsengine.gateway.commands.permissions import shown
from oddsengine.gateway.console.messages import UNKNOWN, DoubtfulPair, LateCommands, PairSide, SilentEngine, StaleShard
from oddsengine.streams.floor.board import ENGINE, decode_field, feed_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from oddsengine.commands.command import Command, State
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.console.messages import Trouble
    from oddsengine.gateway.protocol.command_messages import CommandAnswer
    from oddsengine.gateway.state.replica import Replica
    from oddsengine.streams.commands.log import LogEntry, StoredCommands

#: How many commands that have ended are shown.
MAX_ENDED: Final = 1000
#: How long an owner may take to obey a command.
LATE_AFTER_MS: Final = 2000
#: How long nobody may report a feed, or the engine, which they do every 2 s.
SILENT_AFTER_S: Final = 6.0
_ENDED: Final[frozenset[State]] = frozenset({"expired", "lifted"})
_log = structlog.get_logger(__name__)


def feeds_of(fields: Iterable[str], current: Callable[[str], dict[str, Any] | None]) -> dict[str, dict[str, Any]]:
    """Return the status of every feed by name.

    Args:
        fields: the names of all fields of the board.
        current: returns a field, None if nobody reports it any more.
    """
    followed = {str(each["feed"]): each for each in (current(ENGINE) or {}).get("followed", ())}
    names = {field.partition(":")[2] for field in fields if field.startswith(feed_field(""))} | followed.keys()
    return {name: _feed(name, current(feed_field(name)), followed.get(name)) for name in sorted(names)}


def _feed(name: str, own: dict[str, Any] | None, followed: dict[str, Any] | None) -> dict[str, Any]:
    if own is not None:
        return own["status"] if followed is None else {**own["status"], "followed": followed.get("followed")}
    if followed is not None:
        return followed
    return {"feed": name, "sources": [], "state": UNKNOWN, "reason": "no process reports it"}


class CommandItem:
    """A command with its state."""

    __slots__ = ("_own", "answer", "command", "state")

    def __init__(self, command: Command, state: State) -> None:
        self.command = command
        self.state = state
        self.answer: CommandAnswer = command_answer(command, state)
        #: as tokens of one profile show it, by profile; where that is something else
        self._own: dict[str, CommandItem] = {}

    def for_access(self, access: Access) -> CommandItem:
        """Return the item as a token shows it, the same object each time."""
        command = shown(access, self.command)
        if command is self.command or access.profile is None:
            return self
        if access.profile not in self._own:
            self._own[access.profile] = CommandItem(command, self.state)
        return self._own[access.profile]


class Floor:
    """Commands, feeds and trouble, as far as this gateway knows.

    Args:
        replica: what is published.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        #: whether the commands have been read
        self.has_commands = False
        #: whether the reported state has been read
        self.has_reports = False
        #: by id
        self.commands: dict[str, CommandItem] = {}
        #: by name
        self.feeds: dict[str, dict[str, Any]] = {}
        #: by id
        self.trouble: dict[str, Trouble] = {}
        #: commands whose end has not been seen
        self._open: dict[str, None] = {}
        #: the log's entries that are not obeyed everywhere, in order: number, command, when it was read (Unix milliseconds)
        self._unobeyed: list[tuple[int, str, int]] = []
        #: field -> what was reported, and when that was new, monotonic seconds
        self._reported: dict[str, tuple[bytes, float]] = {}
        self._pairs: dict[str, DoubtfulPair] = {}
        self._silent_since_ms: int | None = None

    def pause(self) -> None:
        """Note that nothing is followed any more: what is known must be read again before it is shown."""
        self.has_commands = self.has_reports = False

    # -- commands

    def load_commands(self, stored: StoredCommands, now_ms: int, world_ms: int) -> None:
        """Replace all commands.

        Args:
            stored: the table.
            now_ms: Unix milliseconds.
            world_ms: Unix milliseconds by the world's clock, by which commands expire.
        """
        before, self.commands = self.commands, {}
        self._open.clear()
        ended: list[CommandItem] = []
        for command in stored.commands.values():
            item = self._item(command, world_ms, before.get(command.id))
            if item.state in _ENDED:
                ended.append(item)
            else:
                self._keep(item)
        for item in sorted(ended, key=lambda each: (each.command.created_ms, each.command.id))[-MAX_ENDED:]:
            self._keep(item)
        self._unobeyed = [(stored.seq, "", now_ms)] if stored.seq else []
        self.has_commands = True

    def note_command(self, entry: LogEntry, now_ms: int, world_ms: int) -> None:
        """Note an entry of the log that has a command. The times are those of `load_commands`."""
        command = entry.command
        assert command is not None  # noqa: S101 - the table is read instead
        self._keep(self._item(command, world_ms, None))
        self._unobeyed.append((entry.seq, command.id, now_ms))

    def _keep(self, item: CommandItem) -> None:
        key = item.command.id
        self.commands[key] = item
        if item.state in _ENDED:
            self._open.pop(key, None)
        else:
            self._open[key] = None

    def _item(self, command: Command, world_ms: int, before: CommandItem | None) -> CommandItem:
        state = command.state(world_ms, in_play=self._is_in_play(command))
        if before is not None and before.state == state and before.command == command:
            return before
        return CommandItem(command, state)

    def _is_in_play(self, command: Command) -> bool:
        event = command.scope.event_id if command.until_kick_off else None
        entry = None if event is None else self._replica.offers[self._replica.shard_of(event)].events.get(EventId(event))
        return entry is not None and entry.record.progress.in_play

    # -- what is reported

    def note_reports(self, fields: Mapping[str, bytes], now_s: float, now_ms: int) -> None:
        """Note what the board holds.

        Args:
            fields: all of its fields.
            now_s: monotonic seconds.
            now_ms: Unix milliseconds.
        """
        self._reported = {
            field: known if (known := self._reported.get(field)) is not None and known[0] == value else (value, now_s)
            for field, value in fields.items()
        }
        engine = self._current(ENGINE, now_s)
        if engine is not None:
            self._silent_since_ms = None
            self._note_pairs(engine.get("pairs", ()))
        elif self._silent_since_ms is None:
            self._silent_since_ms = now_ms
            self._pairs = {}
        feeds = feeds_of(fields, lambda field: self._current(field, now_s))
        self.feeds = {name: before if (before := self.feeds.get(name)) == status else status for name, status in feeds.items()}
        self.has_reports = True

    def _current(self, field: str, now_s: float) -> dict[str, Any] | None:
        """Return a field that is reported still."""
        value, new_s = self._reported.get(field, (b"", 0.0))
        return decode_field(field, value) if value and now_s - new_s < SILENT_AFTER_S else None

    def _note_pairs(self, pairs: Iterable[dict[str, Any]]) -> None:
        found: dict[str, DoubtfulPair] = {}
        for pair in pairs:
            try:
                sides = msgspec.convert(pair["events"], list[PairSide])
            except msgspec.ValidationError as error:
                _log.error("reported pair unreadable", error=str(error))
                continue
            key = f"pair:{' '.join(each.id for each in sides)}"
            made = DoubtfulPair(key, sides, pair["score"], pair["reason"])
            before = self._pairs.get(key)
            found[key] = before if before == made else made
        self._pairs = found

    # -- what passes with time

    def tick(self, now_ms: int, world_ms: int) -> None:
        """Note what has expired, is late or stale.

        Args:
            now_ms: Unix milliseconds.
            world_ms: Unix milliseconds by the world's clock, by which commands expire.
        """
        for key in list(self._open):
            before = self.commands[key]
            item = self._item(before.command, world_ms, before)
            if item is not before:
                self._keep(item)
        known = self.trouble
        found = {each.id: each for each in self._find_trouble(now_ms)}
        self.trouble = {key: old if (old := known.get(key)) == each else each for key, each in found.items()}

    def _find_trouble(self, now_ms: int) -> Iterator[Trouble]:
        if self.has_reports and self._silent_since_ms is not None:
            yield SilentEngine("silent_engine", self._silent_since_ms)
        yield from (StaleShard(f"stale_shard:{shard}", shard, since) for shard, since in self._replica.stale_since.items())
        offers = self._replica.offers
        obeyed = min(offer.commands for offer in offers)
        self._unobeyed = [each for each in self._unobeyed if each[0] > obeyed]
        for shard, offer in enumerate(offers):
            late = [each for each in self._unobeyed if each[0] > offer.commands and now_ms - each[2] > LATE_AFTER_MS]
            if late:
                yield LateCommands(f"late_commands:{shard}", shard, late[0][2], [key for _, key, _ in late if key])
        yield from self._pairs.values()
