"""Whatever is written over a key of ours under another type, or deleted from the end of a stream, its users make good.

It is as if Redis had lost the key.
"""

from __future__ import annotations

import secrets
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

import pytest
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from oddsengine.bridge.positions import PositionStore
from oddsengine.domain.ids import EventId
from oddsengine.domain.results import WON
from oddsengine.gateway.access.session_limiter import SessionLimiter
from oddsengine.sourcing.matching.identities import Decisions
from oddsengine.streams.clients.repairing import types_of_keys
from oddsengine.streams.commands.log import CommandLog, Remembered
from oddsengine.streams.errors import DataLost
from oddsengine.streams.floor.board import FloorBoard
from oddsengine.streams.floor.questions import Asker, NotAnswered, Questions
from oddsengine.streams.identities.log import IdentityLog
from oddsengine.streams.identities.progress import Write
from oddsengine.streams.installation import Installation
from oddsengine.streams.keys import floor_key
from oddsengine.streams.leases.table import LeaseTable
from oddsengine.streams.notes.log import Note, NoteLog
from oddsengine.streams.positions import ORIGIN, Position
from oddsengine.streams.results import Results
from oddsengine.webhooks.events import OutboxEvent
from oddsengine.webhooks.outbox import Note as OutboxNote
from oddsengine.webhooks.outbox import Outbox
from tests.support.builders import a_command, an_event, an_offer_of
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from redis.asyncio import Redis

NAMESPACE: Final = "test"
MARKET: Final = "e1/match_odds"


async def shard(redis: Redis) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await redis.set(KEYS.lowest_epoch, 5, px=60_000)


async def results(redis: Redis) -> None:
    """Remove a market from the offer with its result."""
    owner = await Owner(redis).claimed()
    settled = an_offer_of(MARKET, status="closed")
    settled.selections["home"] = settled.selections["home"]._replace(status="winner", result=WON)  # type: ignore[index]
    owner.offer.stage_event(an_event())
    owner.offer.stage_market(settled)
    await owner.flush()
    owner.offer.remove_event(EventId("e1"), frozenset({"src"}))
    await owner.flush()
    assert await Results(redis, NAMESPACE, 1).find(MARKET) is not None


async def commands(redis: Redis) -> None:
    log = CommandLog(redis, NAMESPACE)
    await log.load()
    await log.last_seq()
    await log.read(0, 1)
    written = await log.write(a_command("suspend"), remembered=Remembered("again", "x"))
    assert written.outcome in {"ok", "repeated"}
    assert "ok" == (await log.write(a_command("suspend", key=secrets.token_hex(4)))).outcome


async def restored_commands(redis: Redis) -> None:
    assert await CommandLog(redis, NAMESPACE).restore(3, [a_command("suspend")])


async def questions(redis: Redis) -> None:
    asker = Asker(redis, NAMESPACE, within_s=0.05)
    log, asked = CommandLog(redis, NAMESPACE), Questions(redis, NAMESPACE)
    await log.read_beside(0, asked.stream, await asked.last_id(), 1)
    try:
        await asker.explain(MARKET, None)
    except NotAnswered:
        await log.read_beside(0, asked.stream, "0-0", 1)
    finally:
        await asker.close()


async def identities(redis: Redis) -> None:
    log = IdentityLog(redis, NAMESPACE)
    await log.read(ORIGIN)
    at = (await log.load()).at
    assert await log.last() == at
    after = max(at, await log.last_of_log())
    assert await log.write(Write(at, Position(after.epoch + 1, 0), Decisions()))


async def installation(redis: Redis) -> None:
    each = Installation(redis, NAMESPACE, 20)
    await each.declare()
    await each.check()


async def leases(redis: Redis) -> None:
    await LeaseTable(redis, NAMESPACE, "shards").write("me", b'{"beat":1}')
    await redis.hset(f"{{{NAMESPACE}:shards}}:leases", "0", "{}")


async def board(redis: Redis) -> None:
    each = FloorBoard(redis, NAMESPACE)
    await each.write({"feed:a": b"{}"})
    assert ["feed:a"] == list(await each.read())
    assert 0 < await redis.ttl(floor_key(NAMESPACE)), "what nobody reports any more is gone"


async def notes(redis: Redis) -> None:
    each = NoteLog(redis, NAMESPACE)
    await each.write([Note("feed", "a", 1, b"{}")])
    assert await each.read(ORIGIN)


async def outbox(redis: Redis) -> None:
    each = Outbox(redis, NAMESPACE)
    await each.noted()
    await each.write([OutboxNote("", "", OutboxEvent("msg", "feed", "feed.down", 1, b"{}"))])
    await each.read(await each.cursor("e"), 1)


async def bridge(redis: Redis) -> None:
    each = PositionStore(redis, NAMESPACE, "kafka")
    await each.load(0)
    await each.add(0, {"m:1"})
    await each.save(0, Position(1, 1), set())


async def sessions(redis: Redis) -> None:
    """Count sessions across gateways."""
    limiters = [SessionLimiter(redis, NAMESPACE) for _ in range(2)]
    assert await limiters[0].acquire("who", "one", 1)
    assert not await limiters[1].acquire("who", "two", 1)


USES: Final[tuple[Callable[[Redis], Awaitable[None]], ...]] = (
    shard,
    results,
    commands,
    restored_commands,
    questions,
    identities,
    installation,
    leases,
    board,
    notes,
    outbox,
    bridge,
    sessions,
)


async def types(redis: Any) -> dict[bytes, bytes]:
    return {key: await redis.type(key) async for key in redis.scan_iter()}


async def overwrite(redis: Redis, key: bytes, kind: bytes) -> None:
    await redis.delete(key)
    if kind == b"string":
        await redis.rpush(key, "rubbish")
    else:
        await redis.set(key, "rubbish")


@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
async def test_a_key_of_another_type_is_replaced_by_whoever_uses_it(
    use: Callable[[Redis], Awaitable[None]], redis: Redis
) -> None:
    await use(redis)
    known = await types(redis)
    assert known
    for key, kind in known.items():
        await overwrite(redis, key, kind)
    with capture_logs() as logs:
        try:
            await use(redis)
        except DataLost:
            await use(redis)
    assert known.items() >= (await types(redis)).items()
    deleted = {line["key"].encode() for line in logs if line["event"] == "redis key of another type deleted"}
    assert deleted <= known.keys()


async def test_the_keys_beside_one_of_another_type_are_kept(redis: Redis) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    fields = await redis.hlen(KEYS.snapshot)
    await overwrite(redis, KEYS.changes.encode(), b"stream")
    with pytest.raises(DataLost):
        await owner.offers(2100)
    assert fields == await redis.hlen(KEYS.snapshot)


@pytest.mark.parametrize("is_deleted", [False, True], ids=["there", "deleted"])
@pytest.mark.parametrize("stream_id", ["*", "4000000000000000-7"])
@pytest.mark.parametrize("use", USES, ids=lambda use: use.__name__)
async def test_a_foreign_entry_keeps_nobody_from_a_stream_nor_does_its_deletion(
    use: Callable[[Redis], Awaitable[None]], stream_id: str, redis: Redis, *, is_deleted: bool
) -> None:
    """A stream takes nothing that is not above what was deleted from it."""
    await use(redis)
    for stream in [key for key, kind in (await types(redis)).items() if kind == b"stream"]:
        entry: Any = await redis.xadd(stream, {"foreign": "1"}, id=stream_id)
        if is_deleted:
            await redis.xdel(stream, entry)
    try:
        await use(redis)
    except DataLost:
        await use(redis)


async def test_a_key_that_its_user_may_not_delete_is_the_error_that_it_was(redis: Redis) -> None:
    await redis.set(KEYS.changes, "rubbish")
    await redis.acl_setuser("default", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-eval"])
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await redis.xrevrange(KEYS.changes)


@pytest.mark.parametrize("folder", ["oddsengine.streams.lua", "oddsengine.streams.lua.logs", "oddsengine.gateway.access.lua"])
def test_every_script_names_the_types_of_its_keys(folder: str) -> None:
    package, _, rest = folder.partition(".lua")
    scripts = files(package).joinpath("lua", *rest.split(".")[1:]).iterdir()
    without = [each.name for each in scripts if each.name.endswith(".lua") and not types_of_keys(each.read_text())]
    assert {"delete_others.lua", "delete_cut_streams.lua"} >= set(without)
