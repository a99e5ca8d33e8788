"""The embedded server: a real one, private, and stopped with its parent process however that ends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import sys
from pathlib import Path

import pytest
from redis.asyncio import Redis

from oddsengine.common.tasks import end_tasks
from oddsengine.streams.embedded import EmbeddedRedis, find_server
from oddsengine.streams.errors import NoRedis

PARENT = """
import asyncio
from oddsengine.runtime.telemetry.logs import configure_logging
configure_logging()
from oddsengine.streams.embedded import EmbeddedRedis
async def main():
    async with EmbeddedRedis() as server:
        print(server.pid, server.socket.parent, flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def wait_gone(path: Path) -> None:
    async with asyncio.timeout(30):
        while path.exists():
            await asyncio.sleep(0.05)


async def test_it_answers_and_leaves_no_files_and_no_process() -> None:
    async with EmbeddedRedis() as server:
        directory = server.socket.parent
        assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
        client = Redis.from_url(server.url)
        await client.set("a", "b")
        assert b"b" == await client.get("a")
        await client.aclose()
        pid = server.pid
        assert pid is not None
    assert not directory.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_it_ends_with_its_parent_process(number: signal.Signals) -> None:
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout is not None
    pid_text, directory = (await parent.stdout.readline()).decode().split()
    assert Path(f"/proc/{pid_text}").exists()
    parent.send_signal(number)
    await parent.wait()
    await wait_gone(Path(f"/proc/{pid_text}"))
    await wait_gone(Path(directory))


async def test_it_is_restarted_when_it_ends() -> None:
    async with EmbeddedRedis() as server:
        keeping = asyncio.create_task(server.keep_running())
        first = server.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        client = Redis.from_url(server.url)
        async with asyncio.timeout(30):
            while server.pid in {None, first}:
                await asyncio.sleep(0.02)
            while True:
                with contextlib.suppress(OSError, Exception):
                    assert await client.ping()
                    break
                await asyncio.sleep(0.02)
        await client.aclose()
        await end_tasks([keeping])


async def test_a_server_that_does_not_start_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = tmp_path / "redis-server"
    fake.write_text("#!/bin/sh\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert str(fake) == find_server()
    with pytest.raises(NoRedis, match="exited with code 3"):
        async with EmbeddedRedis():
            pass
