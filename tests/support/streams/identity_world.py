"""Engines that decide and follow the identities of events over a Redis that delays, loses and repeats requests, and loses data.

The engines run the real keeper, progress and matcher; the log follows the rules of `write_identities.lua`. Each request is held
until the scheduler carries it out, answers it, or neither.
"""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from redis.exceptions import ConnectionError as RedisConnectionError

from oddsengine.domain.events import Competition, Event
from oddsengine.domain.feed_updates import EventUpdate
from oddsengine.domain.ids import EventId
from oddsengine.engine.identity.keeper import IdentityKeeper
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.matching.identities import Decisions, Identity, PossibleMatch
from oddsengine.streams.identities.progress import LogEntry, StoredIdentities
from oddsengine.streams.positions import ORIGIN, Position
from tests.support.builders import a_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from oddsengine.streams.identities.progress import Write

SIDES = {
    "1": ("Leeds", "Fulham"),
    "2": ("Burnley", "Norwich"),
    "3": ("River Plate", "Nacional"),
}
FEEDS = ("b", "p", "o")
_HOUR_MS = 3_600_000
EVENTS = tuple(f"{feed}.{number}" for feed in FEEDS for number in SIDES)


def described(key: str, start_ms: int = 1_795_532_400_000) -> Event:
    """Return an event as its feed describes it; those with one number are one match."""
    sides = SIDES[key.partition(".")[2]]
    return Event(
        id=EventId(key),
        sport="football",
        competition=Competition("c", "League"),
        name=" v ".join(sides),
        participants=sides,
        start_ms=start_ms,
    )


class MemoryIdentities(NamedTuple):
    """The identities in Redis."""

    entries: list[LogEntry]
    at: list[Position]
    identities: dict[EventId, Identity]
    possible: dict[EventId, PossibleMatch]
    obeyed: list[int]

    @classmethod
    def empty(cls) -> MemoryIdentities:
        """Return an empty one."""
        return cls([], [], {}, {}, [])

    def copy(self) -> MemoryIdentities:
        """Return what a replica or a file has of it."""
        return MemoryIdentities(list(self.entries), list(self.at), dict(self.identities), dict(self.possible), list(self.obeyed))

    @property
    def last(self) -> Position:
        """The position of the table."""
        return self.at[0] if self.at else ORIGIN

    @property
    def last_of_log(self) -> Position:
        """The position of the log."""
        return self.entries[-1].at if self.entries else ORIGIN

    def stored(self) -> StoredIdentities:
        """Return the table."""
        return StoredIdentities(self.last, Decisions({**self.identities}, {**self.possible}, max(self.obeyed, default=0)))

    def write(self, write: Write, *, is_fenced: bool = True) -> bool:
        """Write an entry if it follows what its writer has read."""
        if is_fenced and (self.last != write.expected or self.last_of_log >= write.at):
            return False
        self.entries.append(LogEntry(write.at, None if write.reloads else write.decisions, write.base))
        self.at[:] = [write.at]
        self.obeyed.append(write.decisions.obeyed)
        changes: list[tuple[dict[EventId, Any], Any]] = [
            (self.identities, write.decisions.identities),
            (self.possible, write.decisions.possible),
        ]
        for held, changed in changes:
            for key, value in changed.items():
                if value is None:
                    held.pop(key, None)
                else:
                    held[key] = value
        return True


class Request:
    """A request to Redis, which its sender waits for."""

    def __init__(self, carry_out: Callable[[], Any]) -> None:
        self.carry_out = carry_out

    def __await__(self) -> Generator[Request, Any, Any]:
        """Wait until the scheduler answers."""
        return (yield self)


class HeldLog:
    """The log as an engine sees it: every request is held."""

    def __init__(self, world: IdentityWorld) -> None:
        self._world = world

    async def load(self) -> Any:
        return await Request(self._world.redis.stored)

    async def last(self) -> Any:
        return await Request(lambda: self._world.redis.last)

    async def last_of_log(self) -> Any:
        return await Request(lambda: self._world.redis.last_of_log)

    async def read(self, after: Position, _block_ms: int | None = None) -> Any:
        return await Request(lambda: [entry for entry in self._world.redis.entries if entry.at > after])

    async def write(self, write: Write) -> Any:
        return await Request(lambda: self._world.redis.write(write, is_fenced=self._world.is_fenced))


class EngineProcess:
    """One engine."""

    def __init__(self, name: str, world: IdentityWorld) -> None:
        self.name = name
        self.decides = False
        self._world = world
        # The order of feeds in the config differs between engines.
        feeds = FEEDS if len(name) % 2 else FEEDS[::-1]
        self.pipeline = Pipeline(Pricer({"default": Profile()}), feeds, defers_matching=True)
        assert self.pipeline.matcher is not None
        self.matcher = self.pipeline.matcher
        log: Any = HeldLog(world)
        self.keeper = IdentityKeeper(
            log,
            lambda: self.pipeline.matched,
            self.pipeline.books,
            decides=lambda: self.decides,
            changed=lambda: None,
            # Clocks of engines are hours apart.
            wall_ms=lambda: world.tick() + (len(name) % 3 - 1) * _HOUR_MS,
            clock=lambda: world.now_ms / 1000,
            jump=world.jump,
        )
        self.progress = self.keeper._progress
        self._step: Any = None
        self._request: Request | None = None
        self._is_idle = False

    def describe(self, key: str) -> None:
        """Receive the description of an event."""
        feed = key.partition(".")[0]
        self.pipeline.receive(a_batch(EventUpdate(described(key)), source=feed), self._world.now_ms)

    def go_on(self, *, is_carried_out: bool = True, is_answered: bool = True) -> Request | None:
        """Send the next request, or have the one that is held carried out and answered. Return one that was not carried out."""
        if self._step is None:
            # One that decides, and has nothing to decide, looks now and then whether Redis has lost anything.
            self._step = self.keeper.check() if self._is_idle else self.keeper.step()
            self._advance(lambda step: step.send(None))
            return None
        assert self._request is not None
        request, answer = self._request, None
        if is_carried_out:
            answer = request.carry_out()
        if is_answered and is_carried_out:
            self._advance(lambda step: step.send(answer))
        else:
            self._advance(lambda step: step.throw(RedisConnectionError("lost")))
        return None if is_carried_out else request

    def settle(self, steps: int = 60) -> None:
        """Run all pending steps, without faults."""
        for _ in range(steps):
            self.go_on()

    def _advance(self, send: Callable[[Any], Request]) -> None:
        try:
            self._request = send(self._step)
        except RedisConnectionError:
            self._step = self._request = None
        except StopIteration as done:
            self._step = self._request = None
            self._is_idle = done.value is False and self.progress.is_open

    @property
    def placed(self) -> dict[EventId, tuple[EventId, bool]]:
        """The placement of events, for this engine."""
        return {key: each.placement[:2] for key, each in self.matcher.decided.items()}


class IdentityWorld:
    """All engines, Redis, and the requests that are late.

    Args:
        is_fenced: whether writes are checked against the last entry, as they must be.
        jumps: whether new epochs are advanced at random, as they must be.
    """

    def __init__(self, *, is_fenced: bool = True, jumps: bool = True) -> None:
        self.is_fenced = is_fenced
        self.jump: Callable[[], int] = partial(random.Random(7).randrange, 65_536) if jumps else int
        self.now_ms = 1_795_000_000_000
        self.redis = MemoryIdentities.empty()
        self.engines: dict[str, EngineProcess] = {}
        self.late: list[Request] = []
        self._agreed: dict[Position, dict[EventId, tuple[EventId, bool]]] = {}

    def tick(self) -> int:
        """Return the time, Unix milliseconds, which goes on meanwhile."""
        self.now_ms += 1
        return self.now_ms

    def start(self) -> EngineProcess:
        """Start an engine."""
        engine = EngineProcess("e" * (1 + max(map(len, self.engines), default=0)), self)
        self.engines[engine.name] = engine
        return engine

    def check(self) -> None:
        """Check that engines that have read as much have the same ids, and that nothing is described without one."""
        for engine in self.engines.values():
            if engine.progress.must_load:
                continue
            at, placed = engine.progress.at, engine.placed
            assert placed == self._agreed.setdefault(at, placed), f"{engine.name} differs from another engine at {at}"
            for book in engine.pipeline.books.values():
                assert book.events.keys() <= {first for first, _ in placed.values()}, "an event has an id that nobody decided"
