"""The messages of bridges. Pure.

Each has an id, the same whenever it is sent: where it stands in what its shard, or the log of commands, has published. Ids of one
shard grow in the order of their numbers, so a consumer that keeps the last one of a key drops duplicates and what is older.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import msgspec

from oddsengine.commands.command import Command
from oddsengine.streams.positions import ORIGIN, Position

Topic = Literal["changes", "events", "results", "commands", "status"]
Kind = Literal["change", "snapshot", "removed", "event", "result", "command", "status"]
#: A word of a routing key is cut to this many characters: a key has at most 255 bytes (AMQP 0-9-1, section 4.2.5.3).
_WORD_LENGTH: Final = 48
#: What separates words of a routing key, and what stands for some in a binding, as in a URL.
_ESCAPED: Final = str.maketrans({"%": "%25", ".": "%2E", "*": "%2A", "#": "%23", " ": "%20"})
_NONE: Final = "-"
encode: Final = msgspec.json.Encoder().encode


class Subject(NamedTuple):
    """The subject of a message, for its routing key; empty where it is about more than one, or where that is not known."""

    sport: str = ""
    competition: str = ""
    event: str = ""
    market_type: str = ""


class Message(NamedTuple):
    """A message.

    Attributes:
        topic: where it goes.
        kind: what it is.
        key: whose newest message replaces the earlier ones: of a market, an event, a command or a shard.
        id: its id.
        subject: what it is about.
        body: its JSON.
    """

    topic: Topic
    kind: Kind
    key: str
    id: str
    subject: Subject
    body: bytes

    @property
    def is_tombstone(self) -> bool:
        """Whether nothing remains of its key."""
        return self.kind == "removed"

    @property
    def routing_key(self) -> str:
        """The routing key: `<kind>.<sport>.<competition>.<event>.<market type>`, `-` for what is empty."""
        return ".".join([self.kind, *(_word(word) for word in self.subject)])


def _word(text: str) -> str:
    if not text:
        return _NONE
    escaped = text.translate(_ESCAPED)
    # In bytes: a letter may have four of them.
    return escaped.encode()[:_WORD_LENGTH].decode(errors="ignore") if len(escaped) > _WORD_LENGTH // 4 else escaped


class Gap(msgspec.Struct, frozen=True):
    """Entries that were not read: those after `after`, null for none, up to `up_to`, and why."""

    cause: str
    after: str | None
    up_to: str


class Body(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The content of a message of a shard; what it is not about is absent.

    Attributes:
        id: see `Message`.
        kind: likewise.
        shard: the shard.
        epoch: the position's; it grows with each owner of the shard.
        seq: the position's; it grows by 1.
        index: of the message at its position.
        ts: when it was published, Unix milliseconds.
        profile: whose prices it has.
        sport: the sport.
        competition: the id of the competition.
        event: the id of the event.
        market: the id of the market.
        change: what has changed of the market.
        state: the whole market or event. It includes the change, and may include later ones.
        selections: of a result: what became of each selection.
        gap: of a state that replaces entries which were not read.
    """

    id: str
    kind: Kind
    shard: int
    epoch: int
    seq: int
    index: int
    ts: int
    profile: str | None = None
    sport: str | None = None
    competition: str | None = None
    event: str | None = None
    market: str | None = None
    change: msgspec.Raw | None = None
    state: msgspec.Raw | None = None
    selections: msgspec.Raw | None = None
    gap: Gap | None = None


class Status(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The state of a shard: `live`, or `stale` where nobody says that its prices still hold. `at` is the last position sent."""

    id: str
    kind: Literal["status"]
    shard: int
    state: Literal["live", "stale"]
    at: str | None
    ts: int


class CommandBody(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A command in its new state; `seq` is the number of that state in the log of all commands."""

    id: str
    kind: Literal["command"]
    seq: int
    type: str
    command: Command
    gap: Gap | None = None


def gap_of(cause: str, after: Position, up_to: Position) -> Gap:
    """Return the name of a gap in a shard's stream."""
    return Gap(cause, None if after == ORIGIN else after.stream_id(), up_to.stream_id())


def status_message(shard: int, position: Position, ts_ms: int, *, is_live: bool) -> Message:
    """Build the message of a shard's state."""
    message_id = f"{shard}-status-{ts_ms}"
    at = None if position == ORIGIN else position.stream_id()
    body = Status(id=message_id, kind="status", shard=shard, state="live" if is_live else "stale", at=at, ts=ts_ms)
    return Message("status", "status", str(shard), message_id, Subject(), encode(body))


def command_message(command: Command, seq: int, gap: Gap | None = None) -> Message:
    """Build the message of a command's new state.

    Args:
        command: the command.
        seq: the number of its entry in the log; of a snapshot, of the log's last one.
        gap: what was missed of the log.
    """
    message_id = f"commands-{seq}-{command.id}" if gap is not None else f"commands-{seq}"
    name = f"command.{command.last_step}"
    body = CommandBody(id=message_id, kind="command", seq=seq, type=name, command=command, gap=gap)
    scope = command.scope
    types = scope.types
    market = scope.market_id
    market_type = types[0] if len(types) == 1 else _type_of(market) if market is not None else ""
    subject = Subject(scope.sport or "", scope.competition or "", scope.event_id or "", market_type)
    return Message("commands", "command", command.id, message_id, subject, encode(body))


def _type_of(market: str) -> str:
    return market.partition("/")[2].partition("/")[0]


def subject_of_gone(market: str, sport: str = "", competition: str = "") -> Subject:
    """Return the subject of a market of which only the id, and maybe its event, is known."""
    return Subject(sport, competition, market.partition("/")[0], _type_of(market))
