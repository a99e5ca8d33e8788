"""The archive against a real Redis and a real PostgreSQL: whatever was published is in the database, once."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from oddsengine.commands.command import Command
from oddsengine.history.rows.note_rows import NOTES
from oddsengine.history.rows.tables import RecordKind, key_of
from oddsengine.history.verification.verifier import Verifier
from oddsengine.streams.chain.links import digest_of
from oddsengine.streams.chain.sealing import commitment
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.keys import command_keys, notes_key
from oddsengine.streams.notes.log import Note, NoteLog
from tests.support.builders import a_command
from tests.support.history.archiving import NAMESPACE, archiving, fetch, market_at, until_archived
from tests.support.history.synthetic import EPOCH, replace_entries
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.history.database import Database
    from oddsengine.streams.embedded import EmbeddedRedis

#: what was archived of notes, in order
BODIES = "SELECT body FROM records WHERE kind = $1 ORDER BY number"


def shown(record: MarketRecord | None) -> object:
    """Return what a subscriber sees of a market."""
    if record is None:
        return None
    prices = {key: (each.status, each.prices) for key, each in record.selections.items()}
    return record.v, record.state, prices


async def entries_of(database: Database) -> list[tuple[int, int, bytes, bytes]]:
    """Return what the database has of the entries: position, bytes and digest."""
    rows = await fetch(
        database,
        """SELECT epoch, seq, head || coalesce(
               (SELECT string_agg(change, ''::bytea ORDER BY ordinal) FROM changes c
                WHERE (c.shard, c.epoch, c.seq) = (e.shard, e.epoch, e.seq)), ''::bytea) || tail, digest
           FROM entries e ORDER BY epoch, seq""",
    )
    return [(row[0], row[1], row[2], row[3]) for row in rows]


async def test_an_archiver_that_was_away_goes_on_where_the_stream_is_always_full(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    """Its oldest entry is trimmed before anybody who loads the snapshot first has read it."""
    owner = await Owner(redis).claimed()
    async with archiving(database, redis_server.url):
        await until_archived(database, owner.offer.epoch, 0)
    ended = asyncio.Event()

    async def publish() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            await owner.offers(2000 + number % 101 * 20, f"e{number % 300}/match_odds")
            await redis.xtrim(KEYS.changes, maxlen=200, approximate=False)

    publishing = asyncio.create_task(publish())
    while owner.offer.seq < 600:
        await asyncio.sleep(0.01)
    async with archiving(database, redis_server.url):
        seq = owner.offer.seq + 200
        await until_archived(database, owner.offer.epoch, seq)
        ended.set()
        await publishing
        await until_archived(database, owner.offer.epoch, owner.offer.seq)
    verified = await Verifier(database, {}).run()
    assert [] == verified.problems
    assert 0 < len(verified.gaps) < 10


async def test_every_entry_is_archived_byte_by_byte_over_epochs_and_archivers(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    seen: dict[tuple[int, int, str], object] = {}
    owner = await Owner(redis).claimed()

    def note() -> None:
        for market in ("e1/match_odds", "e2/match_odds"):
            record = owner.offer.markets.get(market)  # type: ignore[call-overload]
            seen[owner.offer.epoch, owner.offer.seq, market] = shown(record)

    published: list[tuple[int, int, bytes, bytes]] = []

    async def note_entries() -> None:
        entries: Any = await redis.xrange(KEYS.changes)
        for stream_id, fields in entries:
            epoch, seq = map(int, stream_id.split(b"-"))
            row = (epoch, seq, fields[b"b"], fields[b"d"])
            if row not in published:
                published.append(row)

    async with archiving(database, redis_server.url):
        for price in range(2000, 2080, 2):
            await owner.offers(price)
            note()
        await owner.offers(3000, "e2/match_odds")
        note()
        await until_archived(database, owner.offer.epoch, owner.offer.seq)
    await note_entries()
    # Nobody archives for a while, in which a new epoch begins with what was staged before.
    owner.offer.suspend("e2/match_odds", "trader")  # type: ignore[arg-type]
    batch = owner.offer.commit(0)
    assert batch is not None
    await owner.publisher.claim(2_000_000, [batch])
    note()
    await owner.offers(4000)
    note()
    async with archiving(database, redis_server.url):
        for price in range(2000, 2040, 2):
            await owner.offers(price)
            note()
        owner.offer.remove_event("e2")  # type: ignore[arg-type]
        await owner.flush()
        note()
        await until_archived(database, owner.offer.epoch, owner.offer.seq)
    await note_entries()
    assert published == await entries_of(database)
    assert [] == await fetch(database, "SELECT * FROM gaps")
    for (epoch, seq, market), expected in seen.items():
        assert expected == shown(await market_at(database, market, epoch, seq)), (epoch, seq, market)


async def test_what_was_trimmed_is_a_gap_after_which_everything_is_known_again(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    await owner.offers(2000, "e3/match_odds")
    async with archiving(database, redis_server.url):
        await until_archived(database, owner.offer.epoch, 2)
    await owner.offers(2100)
    owner.offer.remove_event("e3")  # type: ignore[arg-type]
    await owner.flush()
    await owner.offers(2200, "e2/match_odds")
    await owner.offers(2300)
    await redis.xtrim(KEYS.changes, minid=f"{owner.offer.epoch}-5", approximate=False)
    async with archiving(database, redis_server.url):
        await until_archived(database, owner.offer.epoch, 6)
        await owner.offers(2400)
        await until_archived(database, owner.offer.epoch, 7)
    gaps = await fetch(database, "SELECT after_seq, until_seq, reason, known_ms FROM gaps")
    assert [(2, 5, "trimmed", 0)] == gaps
    epoch = owner.offer.epoch
    for market in ("e1/match_odds", "e2/match_odds", "e3/match_odds"):
        record = owner.offer.markets.get(market)  # type: ignore[call-overload]
        assert shown(record) == shown(await market_at(database, market, epoch, 7))
    assert [0, 1, 2, 5, 6, 7] == [row[1] for row in await entries_of(database)]
    # The entries after the gap are chained, the first one to what is not there.
    rows = await entries_of(database)
    assert digest_of(rows[3][3], rows[4][2]) == rows[4][3]
    assert hashlib.sha256(rows[2][3] + rows[3][2]).digest() != rows[3][3]


async def test_each_step_of_a_command_is_archived_chained_and_sealed(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    log = CommandLog(redis, NAMESPACE)
    made = a_command("note", all=True)
    await log.write(made)
    async with archiving(database, redis_server.url):
        lifted = msgspec.structs.replace(made, lifted_by="bob", lifted_ms=made.created_ms + 5)
        await log.write(lifted, made)
        await log.restore(2, [])
        await until_archived(database, 0, 3, stream="commands")
    rows = await fetch(database, "SELECT id, author, lifted_by, salt, digest, sealed FROM commands ORDER BY seq")
    assert [(made.id, "ann", None), (made.id, "ann", "bob"), (None, None, None)] == [row[:3] for row in rows]
    digest = b""
    for row in rows:
        digest = digest_of(digest, row[5])
        assert digest == row[4]
        assert b"ann" not in row[5]
    sealed = msgspec.msgpack.decode(rows[1][5], type=Command)
    assert commitment("bob", rows[1][3]) == sealed.lifted_by
    assert sealed.author != msgspec.msgpack.decode(rows[0][5], type=Command).author


@pytest.mark.parametrize("kept", [0, 2])
async def test_commands_are_archived_after_redis_has_lost_some(
    database: Database, redis_server: EmbeddedRedis, redis: Redis, kept: int
) -> None:
    """Each once and after a gap that is named, whether the numbers of the log begin again or others have them."""
    keys = command_keys(NAMESPACE)
    async with archiving(database, redis_server.url):
        for number in range(3):
            await CommandLog(redis, NAMESPACE).write(a_command("note", key=f"before{number}", all=True))
        await until_archived(database, 0, 3, stream="commands")
        # An earlier state of the server comes back: without the end of the log.
        await set_back(redis, keys.log, f"{kept}-0")
        await redis.hset(keys.table, "seq", kept)
        if not kept:
            await redis.delete(keys.log, keys.table)
        for number in range(3):
            await CommandLog(redis, NAMESPACE).write(a_command("note", key=f"after{number}", all=True))
        await until_archived(database, 4 - kept, 7, stream="commands")
    rows = await fetch(database, "SELECT seq, id FROM commands ORDER BY seq")
    assert [*((n + 1, f"before{n}") for n in range(3)), *((n + 5, f"after{n}") for n in range(3))] == rows
    assert [(3, 5, "lost")] == await fetch(database, "SELECT after_seq, until_seq, reason FROM gaps")
    # Another process goes on where this one ended.
    await CommandLog(redis, NAMESPACE).write(a_command("note", key="later", all=True))
    async with archiving(database, redis_server.url):
        await until_archived(database, 4 - kept, 8, stream="commands")
    assert [(8, "later")] == await fetch(database, "SELECT seq, id FROM commands WHERE seq > 7")
    assert [] == (await Verifier(database, {}).run()).problems


async def test_notes_are_records_in_a_chain_of_their_own(database: Database, redis_server: EmbeddedRedis, redis: Redis) -> None:
    log = NoteLog(redis, NAMESPACE)
    await log.write([Note("explanation", "e1/match_odds", 5000, b"{}"), Note("feed", "sim", 6000, b'{"state":"live"}')])
    async with archiving(database, redis_server.url):
        await until_archived(database, *(await log.last()), stream=str(NOTES))
    rows = await fetch(database, "SELECT kind, key, at_ms, body FROM records ORDER BY number")
    explanation = (RecordKind.EXPLANATION, key_of("e1/match_odds"), 5000, b"{}")
    assert [explanation, (RecordKind.FEED, key_of("sim"), 6000, b'{"state":"live"}')] == rows
    assert [] == (await Verifier(database, {}).run()).problems


async def set_back(redis: Redis, stream: str, last: str) -> None:
    """Make a stream what it was earlier: it ends with an entry, and the next one has the number after that."""
    entries: Any = await redis.xrange(stream, min=f"({last}")
    await redis.xdel(stream, *(entry[0] for entry in entries))
    await redis.eval("redis.call('XSETID', KEYS[1], ARGV[1])", 1, stream, last)


async def test_notes_are_archived_once_each_after_redis_has_lost_some(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    """Whether others have their numbers now, the stream begins again, or ends before them; what was trimmed is a gap too."""
    key, log = notes_key(NAMESPACE), NoteLog(redis, NAMESPACE)
    expected: list[bytes] = []

    async def write(*bodies: bytes) -> None:
        await log.write([Note("feed", "sim", 5000 + len(expected) + number, body) for number, body in enumerate(bodies)])
        expected.extend(bodies)

    async def until_archived_all() -> None:
        async with asyncio.timeout(30):
            while [*expected] != [row[0] for row in await fetch(database, BODIES, RecordKind.FEED)]:
                await asyncio.sleep(0.02)

    async with archiving(database, redis_server.url):
        await write(b"1", b"2", b"3")
        await until_archived_all()
        entries: Any = await redis.xrange(key, count=1)
        first = entries[0][0].decode()
        await set_back(redis, key, first)
        await write(b"other 2", b"other 3", b"other 4")
        await until_archived_all()
        await set_back(redis, key, first)
        await write(b"another 2")
        await until_archived_all()
        await redis.delete(key)
        await write(b"begun again")
        await until_archived_all()
    await write(b"a", b"b")
    await redis.xtrim(key, maxlen=1, approximate=False)
    expected.remove(b"a")
    async with archiving(database, redis_server.url):
        await until_archived_all()
    verified = await Verifier(database, {}).run()
    assert [] == verified.problems
    assert [*["lost"] * 3, "trimmed"] == [gap.reason for gap in verified.gaps]


async def test_entries_that_others_have_replaced_at_the_same_positions_are_behind_a_gap(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    owner = await Owner(redis).claimed(EPOCH)
    async with archiving(database, redis_server.url):
        for price in (2000, 2100, 2200):
            await owner.offers(price)
        await until_archived(database, EPOCH, 3)
    await replace_entries(redis, 6)
    async with archiving(database, redis_server.url):
        await until_archived(database, EPOCH, 6)
    assert [(3, 4, "replaced")] == await fetch(database, "SELECT after_seq, until_seq, reason FROM gaps")
    assert [] == (await Verifier(database, {}).run()).problems
    await database.execute("DELETE FROM gaps")
    assert [] != (await Verifier(database, {}).run()).problems


async def test_an_epoch_that_begins_with_nothing_is_known_at_once(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    owner = await Owner(redis).claimed()
    await owner.offers(2000)
    async with archiving(database, redis_server.url):
        await until_archived(database, owner.offer.epoch, 1)
        await redis.delete(KEYS.changes, KEYS.snapshot)
        owner = await Owner(redis).claimed(2_000_000)
        await owner.offers(2500, "e2/match_odds")
        await until_archived(database, owner.offer.epoch, 1)
    known = "SELECT epoch, seq FROM records WHERE kind = $1 AND epoch = 2000000"
    assert [(2_000_000, 0)] == await fetch(database, known, RecordKind.PROFILES)
    assert [("lost",)] == await fetch(database, "SELECT reason FROM gaps")
    assert await market_at(database, "e1/match_odds", 2_000_000, 0) is None
    assert shown(owner.offer.markets.get("e2/match_odds")) == shown(  # type: ignore[call-overload]
        await market_at(database, "e2/match_odds", 2_000_000, 1)
    )
