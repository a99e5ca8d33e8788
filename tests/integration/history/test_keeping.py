"""What is kept: days and held events, schemas of other releases, and people."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from oddsengine.history.archive.upkeep import Upkeep, drop_old_days
from oddsengine.history.database import claim_installation
from oddsengine.history.errors import HistoryError, OtherHistory, SchemaMismatch
from oddsengine.history.forgetting import forget_author
from oddsengine.history.schema.migrations import check_schema, find_revision, migrate, newest_revision
from oddsengine.history.schema.partitions import DAY_MS, find_days
from oddsengine.history.verification.checkpoints import fingerprint
from oddsengine.history.verification.verifier import Verifier
from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.publisher import prepare
from tests.support.builders import a_command, an_event, an_offer_of
from tests.support.history.archiving import NAMESPACE, archiving, fetch, market_at, until_archived, wall_ms
from tests.support.history.databases import shared_postgres
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.history.database import Database
    from oddsengine.streams.embedded import EmbeddedRedis


async def test_days_are_dropped_but_for_held_events_and_what_is_left_is_whole(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    owner = await Owner(redis).claimed(1)
    async with archiving(database, redis_server.url):
        for day in range(6):
            key = "e1" if day < 3 else "e2"
            owner.offer.stage_event(an_event(key))
            owner.offer.stage_market(an_offer_of(f"{key}/match_odds", {"home": 2000 + 100 * day}))
            if day == 2:
                owner.offer.remove_event("e1")  # type: ignore[arg-type]
                owner.offer.stage_event(an_event("e2"))
                owner.offer.stage_market(an_offer_of("e2/match_odds", {"home": 5000}))
            batch = owner.offer.commit(day * DAY_MS + 5000)
            assert batch is not None
            await owner.publisher.publish(prepare(owner.offer, batch))
        await until_archived(database, owner.offer.epoch, 6)
    assert [] == (await Verifier(database, {}).run()).problems
    connection = await database.connect()
    try:
        await connection.execute("INSERT INTO holds VALUES ('e1', 0, 'a dispute')")
        assert [3, 4] == await drop_old_days(connection, 5)
        assert {0, 1, 2, 5} <= await find_days(connection)
        # What can't be done is not in the way of what follows it.
        await connection.execute("CREATE VIEW mine AS SELECT * FROM entries_19700101; DELETE FROM holds")
        await Upkeep(3, None, 0, lambda: 5 * DAY_MS).run_due(connection)
        await connection.execute("DROP VIEW mine; INSERT INTO holds VALUES ('e1', 0, 'a dispute')")
        assert {0, 1, 2, 5} <= await find_days(connection)
        # Each day has all that was on offer when it began, so no question needs an earlier one.
        assert await market_at(database, "e2/match_odds", owner.offer.epoch, 6) is not None
        assert [] == (await Verifier(database, {}).run()).problems
        await connection.execute("DELETE FROM holds")
        # The clock is years ahead of all that is archived.
        await Upkeep(0, None, 0, wall_ms).run_due(connection)
    finally:
        await connection.close()
    verified = await Verifier(database, {}).run()
    assert [] == verified.problems
    assert (1, [0, 1, 2, 3, 4]) == (verified.entries, verified.dropped)
    # What is gone and was not dropped is still found.
    await database.execute("DELETE FROM dropped WHERE day = 4")
    assert [] != (await Verifier(database, {}).run()).problems


async def test_checkpoints_go_on_after_one_of_a_clock_that_was_ahead(database: Database) -> None:
    key = Ed25519PrivateKey.generate()
    connection = await database.connect()
    for at_ms, signed in ((50 * DAY_MS, 1), (2 * DAY_MS, 2), (2 * DAY_MS + 500, 2), (2 * DAY_MS + 1000, 3)):
        await Upkeep(1, key, 1.0, partial(int, at_ms)).run_due(connection)
        assert [(signed,)] == await fetch(database, "SELECT count(*) FROM checkpoints"), at_ms
    # They are in the way of nothing else, where the database refuses them.
    await connection.execute("ALTER TABLE checkpoints ADD CHECK (number < 4)")
    await Upkeep(1, key, 1.0, lambda: 3 * DAY_MS).run_due(connection)
    await connection.close()
    assert [] == (await Verifier(database, {fingerprint(key.public_key()): key.public_key()}).run()).problems


async def test_tables_are_migrated_forward_and_back_and_those_of_newer_releases_refused() -> None:
    database = await shared_postgres.new_database(is_empty=True)
    newest = newest_revision()
    with pytest.raises(SchemaMismatch, match="no history yet: run `oddsengine history migrate`"):
        await check_schema(database.connect)
    # Processes that start together do it one after the other.
    assert {("", newest), (newest, newest)} == set(await asyncio.gather(*(migrate(database.connect) for _ in range(3))))
    assert (newest, newest) == await migrate(database.connect)
    await check_schema(database.connect)
    connection = await database.connect()
    await claim_installation(connection, "odds", 2, 0)
    with pytest.raises(OtherHistory, match="namespace odds with 2 shards, not of namespace odds with 3 shards"):
        await claim_installation(connection, "odds", 3, 0)
    await connection.close()
    assert (newest, "") == await migrate(database.connect, "base")
    assert [] == await fetch(database, "SELECT relname FROM pg_class WHERE relname IN ('entries', 'changes', 'positions')")
    assert ("", newest) == await migrate(database.connect, newest)
    with pytest.raises(HistoryError, match="no revision '0999'"):
        await migrate(database.connect, "0999")
    await database.execute("UPDATE alembic_version SET version_num = '0999'")
    for refused in (check_schema(database.connect), migrate(database.connect)):
        with pytest.raises(SchemaMismatch, match=f"schema 0999, made by a newer release; this one knows .* {newest}"):
            await refused
    assert "0999" == await find_revision(database.connect)


async def test_who_is_forgotten_is_nobody_and_the_chain_is_whole(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    log = CommandLog(redis, NAMESPACE)
    made = a_command("note", all=True)
    await log.write(made)
    await log.write(msgspec.structs.replace(made, lifted_by="bob", lifted_ms=50), made)
    async with archiving(database, redis_server.url):
        await until_archived(database, 0, 2, stream="commands")
    pseudonym, entries = await forget_author(database, "bob")
    assert 1 == entries
    rows = await fetch(database, "SELECT author, lifted_by, length(salt) FROM commands ORDER BY seq")
    assert [("ann", None, 32), ("ann", pseudonym, 0)] == rows
    assert [] == await fetch(database, "SELECT seq FROM commands WHERE commands::text LIKE '%bob%'")
    assert [] == (await Verifier(database, {}).run()).problems
    assert (pseudonym, 0) != await forget_author(database, "bob")


async def published_on(owner: Owner, day: int, price: int) -> None:
    """Publish a price on a day since 1970."""
    owner.offer.stage_event(an_event())
    owner.offer.stage_market(an_offer_of(prices={"home": price}))
    batch = owner.offer.commit(day * DAY_MS + price)
    assert batch is not None
    await owner.publisher.publish(prepare(owner.offer, batch))


async def test_what_is_left_is_whole_where_a_gap_reaches_into_it(
    database: Database, redis_server: EmbeddedRedis, redis: Redis
) -> None:
    """That of the beginning, and one over a midnight: its record is of the day before."""
    owner = await Owner(redis).claimed(3 * DAY_MS)
    epoch = owner.offer.epoch
    for seq, day in enumerate((3, 3, 3, 4, 4, 4), 1):
        await published_on(owner, day, 2000 + 100 * seq)
        if seq in {3, 6}:
            await redis.xtrim(KEYS.changes, minid=f"{epoch}-{seq}", approximate=False)
            async with archiving(database, redis_server.url):
                await until_archived(database, epoch, seq)
    assert [("beginning",), ("trimmed",)] == await fetch(database, "SELECT reason FROM gaps ORDER BY number")
    connection = await database.connect()
    try:
        for first_kept, dropped in ((3, []), (4, [3])):
            assert dropped == await drop_old_days(connection, first_kept)
            verified = await Verifier(database, {}).run()
            assert ([], dropped) == (verified.problems, verified.dropped)
    finally:
        await connection.close()
