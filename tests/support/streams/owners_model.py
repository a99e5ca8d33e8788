"""A model of owners, leases and epochs on a network that delays, loses and repeats messages.

The processes decide by the real `LeaseState`; the table and the streams follow the rules of the Lua scripts. Everything between
them is a message, which the scheduler delivers when it likes, also after its sender has given up, crashed or lost its lease.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from oddsengine.streams.leases.state import LeaseState, Local
from oddsengine.streams.positions import ORIGIN, Position
from tests.support.streams.lease_table import MemoryTable

if TYPE_CHECKING:
    from oddsengine.streams.leases.values import Operation, Table

LEASE_S = 2.0
ITEMS = ("0", "1")


class Entry(NamedTuple):
    """An entry of a stream: where it is, and who wrote it."""

    position: Position
    author: str


class Stream:
    """The stream of one shard: the rules of `publish.lua` and `claim.lua`.

    Args:
        is_fenced: whether writes are checked against the stream's last entry, as they must be.
    """

    def __init__(self, *, is_fenced: bool = True) -> None:
        self.entries: list[Entry] = []
        self._is_fenced = is_fenced

    @property
    def top(self) -> Position:
        """The position of the last entry."""
        return self.entries[-1].position if self.entries else ORIGIN

    def publish(self, position: Position, author: str) -> Position | None:
        """Append an entry. Return None, or the position of the last entry if this one does not follow it."""
        if self.top == position:
            return None
        if self._is_fenced and self.top != Position(position.epoch, position.seq - 1):
            return self.top
        self.entries.append(Entry(position, author))
        return None

    def claim(self, epoch: int, expected: Position, author: str) -> Position | None:
        """Open an epoch on top of an expected entry. Return None, or the position of the last entry."""
        opening = Position(epoch, 0)
        if self.entries and self.entries[-1] == Entry(opening, author):
            return None
        if self._is_fenced and (self.top.epoch >= epoch or self.top != expected):
            return self.top
        self.entries.append(Entry(opening, author))
        return None


class Message(NamedTuple):
    """A request on its way to Redis, and what is done with the answer if its sender still waits for it."""

    sender: str
    apply: Callable[[], Callable[[], None]]


class Writer:
    """The work of a process on one shard that it owns."""

    def __init__(self) -> None:
        self.epoch = 0
        self.seq = 0
        self.is_owner = False


class Process:
    """One engine.

    Args:
        name: its name, which no process had before.
        world: where it lives.
        patience_s: how long it waits until it takes another one for dead.
    """

    def __init__(self, name: str, world: World, patience_s: float = LEASE_S) -> None:
        self.name = name
        self._world = world
        self.state = LeaseState(name, ITEMS, patience_s)
        self._extension_s = LEASE_S - patience_s
        self.writers: dict[str, Writer] = {}
        self._prepared: set[str] = set()
        self._finished: set[str] = set()
        self._operations: list[Operation] = []
        self.is_leaving = False
        #: it has just started, and does not know what its sources say
        self.is_cold = True
        #: an answer that is on its way to it
        self.answer: Callable[[], None] | None = None

    def beat(self) -> Message:
        """Return the next renewal of the lease, with what was decided. It no longer waits for the last answer."""
        self.answer = None
        sent_s = self._world.now_s
        value = self.state.value(sent_s, 0 if self.is_cold else 1, is_leaving=self.is_leaving)
        operations, self._operations = self._operations, []

        def apply() -> Callable[[], None]:
            table = self._world.table.write(self.name, value, operations)
            return lambda: self._answered(sent_s, value, table)

        return Message(self.name, apply)

    def _answered(self, sent_s: float, value: bytes, table: Table) -> None:
        self.answer = None
        self.state.observe(sent_s, self._world.now_s, value, table)
        self._finished = {item for item in self._finished if self.state.owner_of(item) == self.name}
        local = Local(self.writers.keys(), self._prepared, self._finished, is_cold=self.is_cold)
        decision = self.state.decide(self._world.now_s, local)
        for item in decision.take if self.is_cold else ():
            assert item in self._prepared, f"{self.name} takes {item} without knowing what its sources say"
        for item in decision.drop:
            del self.writers[item]
        for item in decision.take:
            self.writers[item] = Writer()
            self._finished.discard(item)
        self._prepared = set(decision.prepare) | {item for item in self._prepared if self.state.is_heir(item)}
        for item in decision.finish:
            if self.writers[item].is_owner:
                del self.writers[item]
                self._finished.add(item)
        self._operations = decision.operations

    @property
    def may_write(self) -> bool:
        """Whether it may write, by its own clock."""
        return self.state.is_held(self._world.now_s - self._extension_s)

    def write(self, item: str) -> Message | None:
        """Return the next write of a shard; None if it may not write it."""
        writer = self.writers.get(item)
        if writer is None or not self.may_write:
            return None
        stream = self._world.streams[item]
        if not writer.is_owner:
            expected = stream.top
            epoch = expected.epoch + 1

            def claim() -> Callable[[], None]:
                refused = stream.claim(epoch, expected, self.name)
                return lambda: self._claimed(item, writer, epoch, refused)

            return Message(self.name, claim)
        position = Position(writer.epoch, writer.seq + 1)

        def publish() -> Callable[[], None]:
            refused = stream.publish(position, self.name)
            return lambda: self._published(item, writer, position, refused)

        return Message(self.name, publish)

    def _claimed(self, item: str, writer: Writer, epoch: int, refused: Position | None) -> None:
        if refused is None and self.writers.get(item) is writer:
            writer.epoch, writer.seq, writer.is_owner = epoch, 0, True

    def _published(self, item: str, writer: Writer, position: Position, refused: Position | None) -> None:
        if self.writers.get(item) is not writer or not writer.is_owner:
            return
        if refused is None:
            writer.seq = max(writer.seq, position.seq)
        elif refused.epoch > writer.epoch:
            del self.writers[item]  # fenced


class World:
    """All processes, Redis, and the messages between them.

    Args:
        is_fenced: see `Stream`.
    """

    def __init__(self, *, is_fenced: bool = True) -> None:
        self.now_s = 0.0
        self.table = MemoryTable()
        self.streams = {item: Stream(is_fenced=is_fenced) for item in ITEMS}
        self.processes: dict[str, Process] = {}
        self.messages: list[Message] = []
        self._started = 0
        #: the share of a lease after which a process takes another one for dead; 1 is right
        self.patience = 1.0
        #: whether Redis has lost leases: then two processes may believe for a moment that they own a shard
        self.has_lost = False

    def start(self) -> Process:
        """Start a process."""
        self._started += 1
        process = Process(f"p{self._started}", self, LEASE_S * self.patience)
        self.processes[process.name] = process
        return process

    def deliver(self, message: Message, *, is_answered: bool = True) -> None:
        """Deliver a message, and its answer, unless that is lost or the sender is gone."""
        answer = message.apply()
        if is_answered and message.sender in self.processes:
            answer()

    def deliver_and_answer_later(self, message: Message) -> None:
        """Deliver a message. Its answer is on its way."""
        self.processes[message.sender].answer = message.apply()

    def run(self, seconds: float, step_s: float = 0.1) -> None:
        """Run everything without faults for a while."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += step_s
            for process in list(self.processes.values()):
                self.deliver(process.beat())
                for item in ITEMS:
                    message = process.write(item)
                    if message is not None:
                        self.deliver(message)

    def check(self) -> None:
        """Check what must hold at every moment."""
        for item, stream in self.streams.items():
            positions = [entry.position for entry in stream.entries]
            for before, after in pairwise(positions):
                is_next = after == Position(before.epoch, before.seq + 1) or (after.epoch > before.epoch and not after.seq)
                assert is_next, f"shard {item}: {after} follows {before}"
            authors: dict[int, str] = {}
            for entry in stream.entries:
                assert entry.author == authors.setdefault(entry.position.epoch, entry.author), "an epoch has one author"
            if not self.has_lost:
                owners = [each.name for each in self.processes.values() if each.may_write and item in each.writers]
                assert len(owners) <= 1, f"shard {item} is owned by {owners}"
