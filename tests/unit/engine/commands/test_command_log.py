"""The log of commands, asked by many at once."""

from __future__ import annotations

import asyncio

from redis.asyncio import ConnectionPool, Redis

from oddsengine.streams.commands.log import CommandLog
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
