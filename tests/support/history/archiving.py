"""An archive that runs beside a test, and questions that a test asks of the database."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from oddsengine.common.tasks import end_tasks
from oddsengine.domain.changes import MarketRecord
from oddsengine.history.archive.archive import Archive, Counters
from oddsengine.history.archive.upkeep import Upkeep
from oddsengine.history.errors import Displaced
from oddsengine.history.rows.cutting import record_in
from oddsengine.history.rows.tables import RecordKind, key_of
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.connection import open_client
from oddsengine.streams.keys import shard_keys

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from oddsengine.history.database import Database

NAMESPACE = "test"


def wall_ms() -> int:
    return round(time.time() * 1000)


@asynccontextmanager
async def archiving(
    database: Database, redis_url: str, shards: int = 1, key: Ed25519PrivateKey | None = None
) -> AsyncIterator[Counters]:
    """Archive until the context is left. Yield what is counted."""
    counters = Counters()
    client = open_client(redis_url)
    reader = SharedReader(client, [shard_keys(NAMESPACE, shard).changes for shard in range(shards)], time.monotonic)
    upkeep = Upkeep(100_000, key, 0.2, wall_ms)

    async def archive() -> None:
        """Archive, and begin again where that is behind what the database has, as an archiver does."""
        while True:
            with suppress(Displaced):
                await Archive(database, reader, NAMESPACE, shards, counters, upkeep, wall_ms).run()

    tasks = [asyncio.create_task(archive()), asyncio.create_task(reader.run())]
    try:
        yield counters
    finally:
        await end_tasks(tasks)
        await client.aclose()


async def fetch(database: Database, query: str, *args: Any) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    connection = await database.connect()
    try:
        return [tuple(row) for row in await connection.fetch(query, *args)]
    finally:
        await connection.close()


async def until_archived(database: Database, epoch: int, seq: int, stream: str = "0") -> None:
    """Wait until the history reaches a position."""
    connection = await database.connect()
    try:
        async with asyncio.timeout(60):
            while True:
                row = await connection.fetchrow("SELECT epoch, seq FROM positions WHERE stream = $1", stream)
                if row is not None and tuple(row) >= (epoch, seq):
                    return
                await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def market_at(database: Database, market: str, epoch: int, seq: int) -> MarketRecord | None:
    """Return a market after a position, from its last record and the changes since; None if it was not on offer."""
    key = key_of(market)
    rows = await fetch(
        database,
        "SELECT epoch, seq, kind, body FROM records WHERE key = $1 AND (epoch, seq) <= ($2, $3) ORDER BY number DESC LIMIT 1",
        key,
        epoch,
        seq,
    )
    if not rows or rows[0][2] == RecordKind.MARKET_LEFT:
        return None
    record = msgspec.msgpack.decode(rows[0][3], type=MarketRecord)
    changes = await fetch(
        database,
        """SELECT change FROM changes
           WHERE key = $1 AND (epoch, seq) > ($2, $3) AND (epoch, seq) <= ($4, $5) ORDER BY epoch, seq""",
        key,
        *rows[0][:2],
        epoch,
        seq,
    )
    return record_in(changes[-1][0]) if changes else record
