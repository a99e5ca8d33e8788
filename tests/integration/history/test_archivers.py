"""Several archivers of an installation: one archives, and where it is killed another goes on after what it has written."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oddsengine.cli.support import read_settings
from oddsengine.history.verification.verifier import Verifier
from oddsengine.runtime.archiving.running import run_archiver
from oddsengine.streams.keys import shard_keys
from tests.support.history.archiving import NAMESPACE, fetch, until_archived
from tests.support.processes.command import command
from tests.support.service import wait_until

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from oddsengine.history.database import Database
    from oddsengine.streams.embedded import EmbeddedRedis

CONFIG = f"""
[redis]
url = "{{redis}}"
namespace = "{NAMESPACE}"
[engine]
lease_s = 0.5
[gateway]
port = 0
[history]
url = "{{history}}"
[profiles.default]
[feeds.sim]
adapter = "simulator"
matches = 2
"""


async def published(redis: Redis, shard: int) -> list[tuple[int, int]]:
    """Return the positions of the entries of a shard."""
    entries: Any = await redis.xrange(shard_keys(NAMESPACE, shard).changes)
    return [(int(epoch), int(seq)) for epoch, _, seq in (stream_id.decode().partition("-") for stream_id, _ in entries)]


async def test_where_an_archiver_is_killed_another_goes_on(
    database: Database, redis_server: EmbeddedRedis, redis: Redis, tmp_path: Path
) -> None:
    """That of `oddsengine run --history` is killed, while two wait for its work: one ends, and nothing is lost or there twice."""
    config = tmp_path / "odds.toml"
    config.write_text(CONFIG.format(redis=redis_server.url, history=database.url))
    settings = read_settings(config)
    shards = range(settings.engine.shards)
    async with command("run", "--history", "--config", config, cwd=tmp_path) as publisher:
        await publisher.logged("archiving")
        async with (
            run_archiver(settings, redis_server.url, database) as one,
            run_archiver(settings, redis_server.url, database) as other,
        ):
            before = [await published(redis, shard) for shard in shards]
            await until_all_archived(database, before)
            assert not one.is_active
            assert not other.is_active
            (archiver,) = map(int, Path(f"/proc/{publisher.pid}/task/{publisher.pid}/children").read_text().split())
            os.kill(archiver, signal.SIGKILL)
            await wait_until(lambda: one.is_active or other.is_active, "another archiver takes over")
            stopped, last = sorted((one, other), key=lambda each: not each.is_active)
            await until_all_archived(database, [await published(redis, shard) for shard in shards])
            await stopped.stop()
            await wait_until(lambda: last.is_active, "the last one takes over")
            await publisher.stop()
            entries = [await published(redis, shard) for shard in shards]
            await until_all_archived(database, entries)
    rows = await fetch(database, "SELECT shard, epoch, seq FROM entries ORDER BY shard, epoch, seq")
    assert [(shard, *position) for shard in shards for position in entries[shard]] == rows
    assert sum(map(len, before)) < len(rows)
    verified = await Verifier(database, {}).run()
    assert ([], []) == (verified.problems, verified.gaps)


async def until_all_archived(database: Database, entries: list[list[tuple[int, int]]]) -> None:
    """Wait until the last of these entries of each shard is archived."""
    for shard, positions in enumerate(entries):
        await until_archived(database, *positions[-1], stream=str(shard))
