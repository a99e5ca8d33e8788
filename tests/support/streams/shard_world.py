"""Engines that publish a shard, and gateways that follow it, over a Redis that is slow, replaced and robbed of its data.

Engines run the real writer and publisher, gateways the real follower. Leases do not help: any engine may take itself for owner.
Requests are lost, answered or not, held and carried out late, on a server that may not be the primary any more. Wall clocks
differ by hours. Time passes when the scheduler says so.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from oddsengine.common.tasks import end_tasks
from oddsengine.engine.ownership.shard_writer import ShardWriter
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.errors import Fenced
from oddsengine.streams.follower import Follower
from oddsengine.streams.keys import shard_keys
from oddsengine.streams.positions import Position
from oddsengine.streams.publisher import Publisher
from tests.support.builders import an_event, an_offer_of
from tests.support.streams.memory_redis import Authorship, MemoryRedis
from tests.support.streams.virtual_time import VirtualClockLoop

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from oddsengine.offer.entries.entry import Entry

KEYS: Final = shard_keys("model", 0)
MARKETS: Final = ("e1/a", "e1/b", "e2/c")
_START_MS: Final = 1_795_000_000_000
_READ_S: Final = 0.02
_CALM_S: Final = 15

#: What becomes of a request: it does not arrive; it arrives, and its answer does not; it is carried out after its sender has
#: given it up; it takes long.
Fate: TypeAlias = Literal["lost", "unanswered", "late", "held"]
#: By market: its version, its status and its price.
State: TypeAlias = dict[str, tuple[int, str, Any]]


def state_of(offer: OwnedOffer | ReplicaOffer) -> State:
    """Return what an offer says."""
    records = [getattr(market, "record", market) for market in offer.markets.values()]
    return {each.id: (each.v, each.state.status, each.selections["home"].prices) for each in records}


class MemoryClient:
    """The client of one process.

    Args:
        world: where it lives.
        author: returns who it is, and what it would publish now.
    """

    def __init__(self, world: ShardWorld, author: Callable[[], Authorship] = lambda: ("", None)) -> None:
        self._world = world
        self._author = author
        self.server = world.primary
        self.fates: deque[Fate] = deque()

    def register_script(self, source: str) -> Callable[..., Any]:
        """Return a script."""

        async def call(keys: list[str], args: tuple[Any, ...] = ()) -> Any:
            author = self._author()
            return await self.send(lambda server: server.execute(source, keys, list(args), author))

        return call

    async def send(self, action: Callable[[MemoryRedis], Any]) -> Any:
        """Execute a request."""
        fate, server = self.fates.popleft() if self.fates else None, self.server
        await asyncio.sleep(0)
        if fate == "held":
            await self._world.hold()
        if fate == "lost" or server.run in self._world.dead:
            raise RedisConnectionError
        if fate == "late":
            self._world.late.append(partial(action, server))
            raise RedisTimeoutError
        answer = action(server)
        if fate == "unanswered":
            raise RedisConnectionError
        return answer

    async def get(self, key: str) -> Any:
        return await self.send(lambda server: server.values.get(key))

    async def set(self, key: str, value: int, **_options: int) -> None:
        await self.send(lambda server: server.values.update({key: str(value).encode()}))

    async def hdel(self, key: str, field: str) -> None:
        await self.send(lambda server: server.hashes.get(key, {}).pop(field.encode(), None))

    async def xrevrange(self, key: str, **_options: int) -> Any:
        return await self.send(lambda server: [entry.reply() for entry in server.streams.get(key, ())[-1:]])

    async def xrange(self, key: str, after: str, until: str, count: int) -> Any:
        last = None if until == "+" else Position(*map(int, until.split("-")))
        return await self.send(lambda server: [entry.reply() for entry in server.between(key, after, last)[:count]])

    async def hscan_iter(self, key: str, **_options: int) -> AsyncIterator[tuple[bytes, bytes]]:
        for pair in await self.send(lambda server: list(server.hashes.get(key, {}).items())):
            yield pair

    # -- what a follower reads with ---------------------------------------------------------------------------------

    @property
    def redis(self) -> Any:
        """The client itself."""
        return self

    async def read(self, stream: str, after: str) -> Any:
        """Return the next entries of a stream, none if there are none for a moment."""
        entries = await self.send(lambda server: server.between(stream, f"({after}"))
        if not entries:
            await asyncio.sleep(_READ_S)
        return [entry.reply() for entry in entries]

    @property
    def connects(self) -> int:
        """How often it has connected: it does not count."""
        return 0

    async def reconnect_if_silent(self) -> None:
        """Ignore the call."""


class _Lease:
    """A lease that is held when the scheduler says so."""

    def __init__(self) -> None:
        self._held = asyncio.Event()
        self._held.set()

    def switch(self, *, is_held: bool) -> None:
        if is_held:
            self._held.set()
        else:
            self._held.clear()

    def is_held(self) -> bool:
        return self._held.is_set()

    async def until_held(self) -> None:
        await self._held.wait()


class _Pipeline:
    """What a writer needs of a pipeline: it stages the prices of the world."""

    def __init__(self, prices: dict[str, int]) -> None:
        self._prices = prices
        self.offers = [OwnedOffer(("default",))]
        self.profiles = self.offers[0].profiles
        self.commands = self
        self.obeyed = 0

    def flush(self, _shard: int, _now_ms: int, _time_slice: Any) -> bool:
        offer = self.offers[0]
        for market, price in self._prices.items():
            offer.stage_event(an_event(market.partition("/")[0]))
            offer.stage_market(an_offer_of(market, {"home": price}))
        return True

    def retire(self, *_arguments: Any) -> None:
        """Ignore the call."""

    def tick(self, _now_ms: int) -> None:
        """Ignore the call."""


class ModelEngine:
    """One engine.

    Args:
        name: its name.
        world: where it lives.
        skew_ms: how far its wall clock is ahead.
    """

    def __init__(self, name: str, world: ShardWorld, skew_ms: int) -> None:
        self.client = MemoryClient(world, lambda: (name, state_of(publisher.offer)))
        self._pipeline = pipeline = _Pipeline(world.prices)
        redis: Any = self.client
        publisher = Publisher(redis, 0, KEYS, pipeline.offers[0], refresh_s=0.0, jump=world.jump)
        self.lease = _Lease()
        priced: Any = pipeline
        self.writer = ShardWriter(priced, 0, publisher, lambda: world.now_ms() + skew_ms, 1e9, lease=self.lease)
        self._loop = world.loop
        self.task: asyncio.Task[None] | None = None

    def take(self) -> None:
        """Begin to own the shard, unless that is so."""
        if self.task is None or self.task.done():
            self.task = self._loop.create_task(self._own())

    async def _own(self) -> None:
        try:
            await self.writer.take_over()
            await self.writer.run()
        except Fenced:
            pass  # another one owns it

    def crash(self) -> None:
        """End at once."""
        if self.task is not None:
            self._loop.run(end_tasks([self.task]))


class ModelGateway:
    """One gateway, which checks what it would show."""

    def __init__(self, world: ShardWorld) -> None:
        self.client = MemoryClient(world)
        self.offer = ReplicaOffer(())
        self._world = world
        self._shown = Position(0, 0)
        self._versions: dict[str, int] = {}
        reader: Any = self.client
        self.follower = Follower(reader, 0, KEYS, self.offer, self, world.loop.time)
        self.task = world.loop.create_task(self.follower.run())

    def replaced(self, _shard: int) -> None:
        self._check()

    def changed(self, _shard: int, _entries: list[Entry]) -> None:
        self._check()

    def epoch_opened(self, _shard: int, _age_s: float) -> None:
        """Ignore the call."""

    def went_stale(self, _shard: int) -> None:
        """Ignore the call."""

    def went_live(self, _shard: int) -> None:
        self._check()

    def _check(self) -> None:
        """Check that what is shown is what one owner had, and no older than what was shown before."""
        at = Position(self.offer.epoch, self.offer.seq)
        if at < self._shown:
            self._world.violations.append(f"a gateway went back from {self._shown} to {at}")
        if at.epoch != self._shown.epoch and self._world.has_lost:
            self._versions.clear()
        self._shown = at
        # A stored record may be newer than the snapshot that it is part of.
        allowed = [state for position, (_, state) in self._world.written.items() if at.epoch == position.epoch and position >= at]
        for market, shown in state_of(self.offer).items():
            if shown[0] < self._versions.get(market, 0):
                self._world.violations.append(f"{market} went back to version {shown[0]}")
            self._versions[market] = shown[0]
            if not any(shown == state.get(market) for state in allowed):
                self._world.violations.append(f"at {at} {market} is {shown}, which its owner has never published")


class ShardWorld:
    """All processes, all servers, and the requests that are on their way.

    Args:
        jumps: whether new epochs are advanced at random, as they must be.
    """

    def __init__(self, *, jumps: bool = True) -> None:
        self.loop = VirtualClockLoop()
        asyncio.set_event_loop(self.loop)
        self.jump: Callable[[], int] = partial(random.Random(7).randrange, 65_536) if jumps else int
        self.violations: list[str] = []
        self.written: dict[Position, Authorship] = {}
        self.prices = dict.fromkeys(MARKETS, 2000)
        #: how far the clock of Redis is off
        self.redis_skew_ms = 0
        self.primary = MemoryRedis(lambda: self.now_ms() + self.redis_skew_ms, self._wrote)
        self.replica = self.primary.copy(1)
        #: whether Redis has lost anything: then versions may be lower in the next epoch
        self.has_lost = False
        #: the servers that are gone
        self.dead: set[bytes] = set()
        self._servers = 2
        self.late: list[Callable[[], Any]] = []
        self.held: list[asyncio.Future[None]] = []
        self.engines: list[ModelEngine] = []
        self.gateways: list[ModelGateway] = []
        self._started = 0

    def now_ms(self) -> int:
        """Return the time, Unix milliseconds."""
        return _START_MS + round(self.loop.time() * 1000)

    def _wrote(self, position: Position, author: Authorship) -> None:
        if self.written.setdefault(position, author) != author:
            self.violations.append(f"{position} was written by {self.written[position]}, and by {author}")

    def clients(self) -> Iterator[MemoryClient]:
        """Yield the clients of all processes."""
        yield from (engine.client for engine in self.engines)
        yield from (gateway.client for gateway in self.gateways)

    def start_engine(self, skew_ms: int) -> ModelEngine:
        """Start an engine."""
        self._started += 1
        engine = ModelEngine(f"e{self._started}", self, skew_ms)
        self.engines.append(engine)
        return engine

    def start_gateway(self) -> ModelGateway:
        """Start a gateway."""
        gateway = ModelGateway(self)
        self.gateways.append(gateway)
        return gateway

    async def hold(self) -> None:
        """Wait until the scheduler goes on with a request."""
        held: asyncio.Future[None] = self.loop.create_future()
        self.held.append(held)
        await held

    def release(self, index: int) -> None:
        """Resume a request that is held."""
        held = self.held.pop(index % len(self.held))
        if not held.done():
            held.set_result(None)

    def replicate(self) -> None:
        """Bring the replica up to the primary."""
        self._servers += 1
        self.replica = self.primary.copy(self._servers)

    def fail_over(self, *, dies: bool) -> None:
        """Make the replica the primary. The former one dies, or goes on to serve those who do not know."""
        if dies:
            self.dead.add(self.primary.run)
        self.primary, self.has_lost = self.replica, True
        self.replicate()

    def check(self) -> None:
        """Check that nothing was violated, and that no process has failed."""
        for task in [*[engine.task for engine in self.engines], *[gateway.task for gateway in self.gateways]]:
            if task is not None and task.done() and not task.cancelled():
                task.result()
        assert not self.violations, self.violations[0]

    def calm(self) -> None:
        """End all faults, leave one engine, and check that all gateways show what it has to say."""
        self.late.clear()
        while self.held:
            self.release(0)
        for engine in self.engines[1:]:
            engine.crash()
        self.engines = self.engines[:1] or [self.start_engine(0)]
        self.start_gateway()
        for client in self.clients():
            client.server = self.primary
            client.fates.clear()
        self.engines[0].lease.switch(is_held=True)
        for _ in range(_CALM_S):
            # It may find only now that another one has owned the shard meanwhile.
            self.engines[0].take()
            self.loop.pass_time(1.0)
        self.check()
        for gateway in self.gateways:
            shown = {market: price for market, (_, status, (price,)) in state_of(gateway.offer).items() if status == "open"}
            assert not gateway.follower.stale, "a gateway is stale for ever"
            assert shown == self.prices, f"a gateway shows {shown}, not {self.prices}"

    def close(self) -> None:
        """End everything."""
        tasks = [engine.task for engine in self.engines if engine.task is not None]
        self.loop.run(end_tasks([*tasks, *[gateway.task for gateway in self.gateways]]))
        self.loop.close()
        asyncio.set_event_loop(None)
