"""A Redis that is away for a moment while a process starts is waited for."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from structlog.testing import capture_logs

from oddsengine.runtime.processes.redis import reach_redis, require_no_owner
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.settings import RedisSettings, Settings
from tests.support.redis.servers import RedisServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

#: More than a client tries by itself.
CUTS = 3


@asynccontextmanager
async def cutting(folder: Path, word: bytes) -> AsyncIterator[str]:
    """Run a server behind a relay that cuts the first connections which send a word. Yield the URL."""
    redis = RedisServer(folder)
    left = CUTS

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        answers, server = await asyncio.open_connection("127.0.0.1", redis.port)
        try:
            while data := await reader.read(65536):
                if left and word in data:
                    left -= 1
                    return
                server.write(data)
                writer.write(await answers.read(65536))
        finally:
            server.close()
            writer.close()

    await redis.start()
    try:
        async with await asyncio.start_server(relay, "127.0.0.1", 0) as listening:
            yield f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        await redis.kill()
    assert left == 0


async def test_a_server_that_is_away_while_it_is_identified_is_waited_for(tmp_path: Path) -> None:
    async with cutting(tmp_path / "redis", b"\r\nINFO\r\n") as url:
        with capture_logs() as logs:
            await reach_redis(Settings(), url, Startup())
    events = [line["event"] for line in logs if line["log_level"] != "debug"]
    assert ["redis unreachable, waiting", "redis", "redis reached"] == events


async def test_a_server_that_is_away_while_it_is_watched_for_an_owner_is_waited_for(tmp_path: Path) -> None:
    async with cutting(tmp_path / "redis", b"XREVRANGE") as url:
        with capture_logs() as logs:
            await require_no_owner(Settings(redis=RedisSettings(url=url)), Startup(), watch_s=0.0)
    assert "redis reached" in [line["event"] for line in logs]
