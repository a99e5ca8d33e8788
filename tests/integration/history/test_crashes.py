"""Whatever dies, and whenever: everything that was published is in the history, once, and its chain is whole."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from oddsengine.common.tasks import end_tasks
from oddsengine.history.archive.restoring import restore_shard
from oddsengine.history.database import UNREACHABLE, Database
from oddsengine.history.embedded.server import EmbeddedPostgres, running_url
from oddsengine.history.schema.migrations import migrate
from oddsengine.history.verification.verifier import Verifier
from tests.support.history.archiving import archiving, fetch, until_archived
from tests.support.streams.ends import KEYS, Owner

if TYPE_CHECKING:
    from collections.abc import Iterator

    from redis.asyncio import Redis

    from oddsengine.streams.embedded import EmbeddedRedis


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that every account may enter, unlike those of pytest: as root, the server runs as another one."""
    with tempfile.TemporaryDirectory() as found:
        Path(found).chmod(0o755)
        yield Path(found)


DISK_FULL = """CREATE OR REPLACE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$"""


async def execute(database: Database, *statements: str) -> None:
    """Execute statements, as soon as the server takes them."""
    while True:
        try:
            for statement in statements:
                await database.execute(statement)
        except UNREACHABLE:
            await asyncio.sleep(0.05)
        else:
            return


async def until_failed(database: Database) -> None:
    """Wait until transactions fail."""
    query = "SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()"
    before = await fetch(database, query)
    async with asyncio.timeout(60):
        while await fetch(database, query) == before:
            await asyncio.sleep(0.1)


async def publish(owner: Owner) -> None:
    """Publish without end."""
    for number in range(1_000_000):
        await owner.offers(2000 + number % 50 * 20, f"e{number % 7}/match_odds")
        if number % 300 == 299:
            await owner.publisher.claim(1_000_000 + number)
        await asyncio.sleep(0.002)


async def test_nothing_is_lost_or_doubled_whatever_is_killed_cut_or_full(
    redis_server: EmbeddedRedis, redis: Redis, directory: Path
) -> None:
    choose = random.Random(4)
    owner = await Owner(redis).claimed()
    async with EmbeddedPostgres(directory / "history") as server:
        keeping = asyncio.create_task(server.keep_running())
        database = Database(server.url)
        await migrate(database.connect)
        assert server.url == running_url(directory / "history")
        # Not before: where the server takes long to start, streams are trimmed that nobody has read.
        publishing = asyncio.create_task(publish(owner))
        # The archiver is stopped in the middle of whatever it does, and another one goes on.
        for _ in range(4):
            async with archiving(database, redis_server.url):
                await asyncio.sleep(choose.uniform(0.05, 0.7))
        async with archiving(database, redis_server.url):
            # The server is killed, with all its connections.
            await until_archived(database, owner.offer.epoch, 0)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            await asyncio.sleep(0.5)
            # The connection is cut.
            await execute(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            # The disk is full for a while.
            trigger = "CREATE OR REPLACE TRIGGER full_disk BEFORE UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION fail()"
            await execute(database, DISK_FULL, trigger)
            await until_failed(database)
            await execute(database, "DROP TRIGGER IF EXISTS full_disk ON positions")
            await end_tasks([publishing])
            await owner.publisher.claim(9_000_000)
            await until_archived(database, 9_000_000, 0)
        assert [] == await fetch(database, "SELECT * FROM gaps")
        verified = await Verifier(database, {}).run()
        assert [] == verified.problems
        rows = await fetch(database, "SELECT epoch, seq FROM entries")
        assert len(rows) == len(set(rows)) == verified.entries
        # What Redis still has of it is there, and the state that is restored from it is what was published.
        entries: Any = await redis.xrange(KEYS.changes)
        assert {tuple(map(int, each[0].split(b"-"))) for each in entries} <= set(rows)
        connection = await database.connect()
        restored = await restore_shard(connection, 0)
        await connection.close()
        for key, expected in owner.offer.markets.items():
            market = restored.offer.market(key)
            assert market is not None
            assert (expected.v, expected.state) == (market.v, market.state)
        await end_tasks([keeping])
    # The directory has it all, for the next process.
    async with EmbeddedPostgres(directory / "history") as server:
        assert [(len(rows),)] == await fetch(Database(server.url), "SELECT count(*) FROM entries")
