"""The scripts, in a real Redis, agree with their models in memory: what holds of the models is true of what runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from hypothesis import HealthCheck, Phase, example, given
from hypothesis import strategies as st

from oddsengine.domain.ids import EventId
from oddsengine.sourcing.matching.identities import Decisions, Identity, Placement, PossibleMatch
from oddsengine.streams.identities.log import IdentityLog
from oddsengine.streams.identities.progress import Write
from oddsengine.streams.keys import identity_keys, ingest_keys, lease_keys
from oddsengine.streams.leases.table import LeaseTable
from oddsengine.streams.leases.values import Entry, Member, Operation, encode
from oddsengine.streams.lua import load_script
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id
from tests.support.feeds import a_match
from tests.support.laws.examples import examples
from tests.support.streams.ends import KEYS
from tests.support.streams.identity_world import MemoryIdentities
from tests.support.streams.lease_table import MemoryTable
from tests.support.streams.memory_ingest import MemoryIngest
from tests.support.streams.memory_redis import MemoryRedis

if TYPE_CHECKING:
    from redis.asyncio import Redis

#: To shrink a story would take a real Redis minutes, and it is short.
_LAW: Final = examples(
    20,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
#: A time that is over, none, and one that is never over.
_LIMITS_MS: Final = st.sampled_from((0, 0, 0, 0, 2**45, 2**45, 1))
_BATCHES: Final = st.sampled_from((b"one", b"other"))
_FIELDS: Final = st.sets(st.sampled_from(("m:1", "m:2", "e:1")))
_DRAFT: Final = KEYS.draft("draft")


class Shard:
    """A shard in a real Redis and in the model. Every step is taken in both."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._model = MemoryRedis(lambda: 2**44, lambda _position, _author: None)
        self._saved: Any = None
        self._scripts = {
            name: redis.register_script(load_script(name)) for name in ("publish", "claim", "write_draft", "read_head")
        }
        #: the position that the snapshot says it is of
        self.stated = 0

    @property
    def top(self) -> Position:
        return self._model.top(KEYS.changes)

    async def call(self, script: str, keys: list[str], args: list[Any]) -> Any:
        """Call a script, and return its answer. Times differ."""
        model = _comparable(self._model.execute(load_script(script), keys, args, ("", None)))
        real = _comparable(await self._scripts[script](keys=keys, args=args))
        assert model == real, (script, args)
        return real

    async def claim(self, owner: str, epochs: int, expected: str, limit_ms: int, *, is_cut: bool) -> None:
        epoch = max(self.top.epoch + epochs, 1)
        await self.call("write_draft", [_DRAFT], ["1", 60_000, "meta", owner, "m:1", b"%d" % epoch])
        named = {"any": "", "top": self.top.stream_id(), "other": "1-7"}[expected]
        args = [epoch, b"opens", 3 if is_cut else 2, owner, named, b"digest", b"follows", limit_ms]
        if await self.call("claim", [*KEYS, _DRAFT], args) == b"OK" and self.top == Position(epoch, 0):
            self.stated = 0

    async def publish(self, step: tuple[int, int, bytes, int, bool, bool], changed: set[str], deleted: set[str]) -> None:
        epochs, seqs, batch, limit_ms, knows, refreshes = step
        epoch, seq = self.top.epoch + epochs, max(self.top.seq + seqs, 1)
        before = self.stated + (not knows)
        after = seq if refreshes else before
        fields = [part for field in sorted(changed) for part in (field, b"new")]
        args = [epoch, seq, batch, "0-0", b"digest", limit_ms, before, after, len(changed), *fields, *sorted(deleted - changed)]
        was = self.top
        await self.call("publish", list(KEYS), args)
        if self.top != was:
            self.stated = after

    async def lose(self, what: str) -> None:
        """Lose something, as a file that is too old has, or a server that evicts."""
        if what == "stream":
            await self._redis.delete(KEYS.changes)
            self._model.streams.pop(KEYS.changes, None)
        elif what == "snapshot":
            await self._redis.delete(KEYS.snapshot)
            self._model.hashes.pop(KEYS.snapshot, None)
        elif what == "save":
            dumps = {key: await self._redis.dump(key) for key in KEYS}
            self._saved = dumps, self._model.copy(0)
        elif what == "restore" and self._saved is not None:
            dumps, model = self._saved
            self._model = model.copy(0)
            for key, dump in dumps.items():
                await self._redis.delete(key)
                if dump is not None:
                    await self._redis.restore(key, 0, dump)
        elif what not in {"save", "restore"}:
            await self._redis.hdel(KEYS.snapshot, what)
            self._model.hashes.get(KEYS.snapshot, {}).pop(what.encode(), None)

    async def check(self) -> None:
        """Compare everything, and that only a draft expires."""
        await self.call("read_head", list(KEYS), [])
        pipe: Any
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.xrange(KEYS.changes).hgetall(KEYS.snapshot).ttl(KEYS.snapshot).ttl(_DRAFT)
            entries, snapshot, snapshot_ttl_s, draft_ttl_s = await pipe.execute()
        assert [entry.reply() for entry in self._model.streams.get(KEYS.changes, [])] == entries
        assert self._model.hashes.get(KEYS.snapshot, {}) == snapshot
        assert snapshot_ttl_s < 0, "a snapshot does not expire"
        assert draft_ttl_s != -1, "a draft does"


def _comparable(reply: Any) -> Any:
    """Return a reply without the server and its time."""
    if isinstance(reply, list):
        top, fields, whole, _, digest, _ = reply
        return top, fields, whole, digest
    return "in time" if type(reply) is int else reply


_PUBLISH: Final = st.tuples(
    st.just("publish"),
    st.tuples(
        st.sampled_from((0, 0, 0, 0, 0, 0, -1, 1)),
        st.sampled_from((1, 1, 1, 1, 0, 0, 2, -1)),
        _BATCHES,
        _LIMITS_MS,
        st.sampled_from((True, True, True, True, True, False)),
        st.booleans(),
    ),
    _FIELDS,
    _FIELDS,
)
_SHARD_STEPS: Final = st.lists(
    st.one_of(
        st.tuples(
            st.just("claim"),
            st.sampled_from("ab"),
            st.sampled_from((1, 1, 1, 0, -1)),
            st.sampled_from(("top", "top", "any", "other")),
            _LIMITS_MS,
            st.sampled_from((False, False, False, True)),
        ),
        *3 * [_PUBLISH],
        st.tuples(st.just("lose"), st.sampled_from(("stream", "snapshot", "m:1", "whole", "save", "restore"))),
    ),
    min_size=10,
    max_size=20,
)


@_LAW
@given(steps=_SHARD_STEPS)
async def test_a_shard_agrees_with_its_model(redis: Redis, steps: list[tuple[Any, ...]]) -> None:
    await redis.flushall()
    shard = Shard(redis)
    await shard.claim("a", 1, "top", 0, is_cut=False)
    for step in steps:
        match step:
            case ("claim", owner, epoch, expected, limit_ms, is_cut):
                await shard.claim(owner, epoch, expected, limit_ms, is_cut=is_cut)
            case ("publish", how, changed, deleted):
                await shard.publish(how, changed, deleted)
            case ("lose", what):
                await shard.lose(what)
        await shard.check()


_INGEST_STEP: Final = st.tuples(
    st.sampled_from((0, 0, 0, 0, 1, 1, -1)), st.sampled_from((1, 1, 1, 0, 2, None)), _BATCHES, _LIMITS_MS
)


@_LAW
@given(steps=st.lists(_INGEST_STEP, min_size=10, max_size=20))
async def test_an_ingest_stream_agrees_with_its_model(redis: Redis, steps: list[tuple[int, int | None, bytes, int]]) -> None:
    """Terms and positions in them before, at and after the last one; None opens a term."""
    await redis.flushall()
    keys, model = ingest_keys("law", "feed"), MemoryIngest()
    script = redis.register_script(load_script("ingest"))
    for terms, seqs, entry, limit_ms in steps:
        at = Position(max(model.top.epoch + terms, 1), 0 if seqs is None or terms == 1 else max(model.top.seq + seqs, 0))
        answer, wanted, _ = await script(keys=list(keys), args=[*at, entry, "0-0", limit_ms])
        expected = model.append(at, entry, is_late=limit_ms == 1)
        assert (expected if isinstance(expected, str) else expected.stream_id()) == answer.decode()
        assert b"0" == wanted
        entries: Any = await redis.xrange(keys.stream)
        assert model.entries == [(parse_stream_id(key), fields[b"b"]) for key, fields in entries]


_MEMBER_VALUES: Final = [b"", *(encode(Member(beat)) for beat in (1, 2, 3)), b"?"]
_ENTRY_VALUES: Final = [b"", encode(Entry("a")), encode(Entry("b")), encode(Entry("a", "b"))]
_OPERATIONS: Final = st.lists(
    st.builds(
        Operation,
        st.sampled_from(("0", "1", "")),
        st.sampled_from(_ENTRY_VALUES),
        st.sampled_from(_ENTRY_VALUES),
        st.sampled_from(("", "a", "b")),
        st.sampled_from(_MEMBER_VALUES),
    ).filter(lambda each: each.item or each.guard),
    max_size=3,
)


@_LAW
@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(_MEMBER_VALUES), _OPERATIONS), max_size=15))
@example(steps=[("a", _MEMBER_VALUES[2], []), ("a", _MEMBER_VALUES[1], [Operation("0", b"", _ENTRY_VALUES[1])])])
async def test_the_table_of_leases_agrees_with_its_model(redis: Redis, steps: list[tuple[str, bytes, list[Operation]]]) -> None:
    """A renewal that comes late, operations that do not fit, one that leaves, a member that others remove."""
    await redis.delete(*lease_keys("law", "shards"))
    table, model = LeaseTable(redis, "law", "shards"), MemoryTable()
    for member, value, operations in steps:
        assert model.write(member, value, operations) == await table.write(member, value, operations)


_EVENTS: Final = [EventId("b.1"), EventId("p.9")]
_POSITIONS: Final = st.builds(Position, st.integers(1, 3), st.integers(0, 2))
_DECISIONS: Final = st.builds(
    Decisions,
    st.dictionaries(
        st.sampled_from(_EVENTS),
        st.sampled_from([None, *(Identity(a_match(key), Placement(_EVENTS[0]), order, 5) for order, key in enumerate(_EVENTS))]),
    ),
    st.dictionaries(st.sampled_from(_EVENTS), st.sampled_from([None, PossibleMatch(_EVENTS[0], 0.7, "starts 2 h apart")])),
)
_IDENTITY_STEPS: Final = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.sampled_from(("last", "last", "other")), _POSITIONS, _DECISIONS, st.booleans()),
        st.tuples(st.just("lose"), st.sampled_from(("table", "log"))),
    ),
    max_size=15,
)


@_LAW
@given(steps=_IDENTITY_STEPS)
async def test_identities_agree_with_their_model(redis: Redis, steps: list[tuple[Any, ...]]) -> None:
    await redis.flushall()
    log, model, keys = IdentityLog(redis, "law"), MemoryIdentities.empty(), identity_keys("law")
    for step in steps:
        match step:
            case ("write", expected, at, decisions, reloads):
                write = Write(model.last if expected == "last" else Position(3, 9), at, decisions, ORIGIN, reloads)
                assert model.write(write) == await log.write(write)
            case ("lose", "table"):
                await redis.delete(keys.table)
                model = MemoryIdentities(model.entries, [], {}, {}, [])
            case ("lose", "log"):
                await redis.delete(keys.log)
                model.entries.clear()
        assert (model.last, model.last_of_log) == (await log.last(), await log.last_of_log())
        assert model.stored() == await log.load()
        assert model.entries == await log.read(ORIGIN)
