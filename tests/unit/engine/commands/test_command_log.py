"""The log of commands: asked by many at once, and written by gateways whose clocks differ."""

from __future__ import annotations

import asyncio
import time

import msgspec
from redis.asyncio import ConnectionPool, Redis

from oddsengine.streams.commands.log import CommandLog
from oddsengine.streams.keys import command_keys
from tests.support.builders import a_command
from tests.support.service import shared_redis


async def test_many_commands_at_once_need_few_connections() -> None:
    """Whoever follows what is published needs one as well."""
    pool = ConnectionPool.from_url(shared_redis.url(), max_connections=6)
    async with Redis.from_pool(pool) as redis:
        log = CommandLog(redis, shared_redis.new_namespace())
        made = [a_command("note", key=f"c{number:02}", event="e1") for number in range(40)]
        written, *_ = await asyncio.gather(
            asyncio.gather(*[log.write(command) for command in made]),
            asyncio.gather(*[log.find("c01") for _ in made]),
            asyncio.gather(*[log.load() for _ in made]),
        )
        assert list(range(1, 41)) == sorted(each.seq for each in written)
        assert 40 == len((await log.load()).commands)


async def test_the_newest_is_the_last_of_the_log_whatever_the_clocks_of_gateways_say() -> None:
    namespace = shared_redis.new_namespace()
    async with Redis.from_url(shared_redis.url()) as redis:
        ahead, right = CommandLog(redis, namespace), CommandLog(redis, namespace)
        first = await ahead.write(a_command("limit", key="c1", event="e1", values=1000.0, at_ms=3_600_000))
        second = await right.write(a_command("limit", key="c2", event="e1", values=5.0, at_ms=10, is_proposal=True))
        third = await ahead.write(a_command("limit", key="c3", event="e1", values=7.0, at_ms=3_600_000))
        assert second.command is not None
        confirmed = msgspec.structs.replace(second.command, confirmed_by="bob", confirmed_ms=20)
        fourth = await right.write(confirmed, second.command)
        written = [each.command for each in (first, second, third, fourth) if each.command is not None]
        assert written == sorted(written, key=lambda each: each.rank)
        assert [3_600_000, 3_600_001, 3_600_002, 3_600_001] == [each.created_ms for each in written]
        assert 3_600_003 == written[-1].confirmed_ms
        assert {"c1": written[0], "c2": written[3], "c3": written[2]} == (await right.load()).commands
        assert 60_000 > abs(await right.now_ms() - time.time() * 1000)


async def test_commands_written_again_after_a_loss_keep_their_times_and_stay_older() -> None:
    namespace = shared_redis.new_namespace()
    keys = command_keys(namespace)
    async with Redis.from_url(shared_redis.url()) as redis:
        log = CommandLog(redis, namespace)
        kept = a_command("limit", key="c1", event="e1", values=1000.0, at_ms=3_600_000)
        await log.write(kept)
        await redis.delete(keys.log, keys.table)
        assert await log.restore(1, [kept])
        for other, key in ((log, "c2"), (CommandLog(redis, namespace), "c3")):
            await other.write(a_command("limit", key=key, event="e1", values=5.0, at_ms=10))
        # Also where the log was trimmed, or written by a version that gave its entries no time.
        await redis.delete(keys.log)
        await CommandLog(redis, namespace).write(a_command("limit", key="c4", event="e1", values=5.0, at_ms=10))
        stored = (await log.load()).commands
        assert kept == stored["c1"]
        assert [f"c{number}" for number in range(1, 5)] == sorted(stored, key=lambda each: stored[each].rank)
