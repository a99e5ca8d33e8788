"""One redis-server or Sentinel on loopback: started, killed, paused and started again with what it has kept."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Any, Final

from redis.asyncio import Redis
from redis.exceptions import RedisError

from oddsengine.streams.embedded import find_server
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATIENCE_S: Final = 60.0


class RedisServer:
    """A server of a test.

    Args:
        folder: where it keeps its data and its log; its own.
        options: of redis-server, by name.
        sentinel: the lines of a Sentinel's config; None for a server.
        binary: the program; empty for the one that an embedded server would be.
    """

    def __init__(
        self, folder: Path, options: Mapping[str, str | int] | None = None, sentinel: str | None = None, binary: str = ""
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.options = dict(options or {})
        self.port = free_port()
        #: what its process finds in its environment beside ours
        self.environment: dict[str, str] = {}
        self._sentinel = sentinel
        self._binary = binary
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """Its URL, without user and password."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it, also again, and wait until it answers."""
        plain = "tls-port" not in self.options
        options = {
            "bind": "127.0.0.1",
            "port": self.port if plain else 0,
            "dir": str(self.folder),
            "logfile": "log",
            **self.options,
        }
        config = self.folder / "redis.conf"
        if self._sentinel is None or not config.exists():  # a Sentinel keeps what it knows in its config
            lines = [f"{name} {value}" for name, value in {"save": '""', **options}.items()]
            config.write_text("\n".join([*lines, self._sentinel or ""]))
        arguments = [str(config), *(["--sentinel"] if self._sentinel is not None else [])]
        self._process = await asyncio.create_subprocess_exec(
            self._binary or find_server(),
            *arguments,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, **self.environment},
        )
        if plain:
            await self._answers()
        else:
            await self._listens()

    async def kill(self) -> None:
        """Kill it, as a crash does."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def stop(self) -> None:
        """End it as an update does: it saves what it has, if it is configured to save."""
        assert self._process is not None
        self._process.terminate()
        await self._process.wait()

    def pause(self) -> None:
        """Stop it: it keeps its connections and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Resume it."""
        os.kill(self.pid, signal.SIGCONT)

    def client(self) -> Any:
        """Return a plain client of it, for any command."""
        return Redis(host="127.0.0.1", port=self.port, socket_timeout=2.0)

    async def _answers(self) -> None:
        client = self.client()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    try:
                        await client.ping()
                    except (RedisError, OSError):
                        assert self._process is not None
                        assert self._process.returncode is None, (self.folder / "log").read_text()
                        await asyncio.sleep(0.02)
                    else:
                        return
        finally:
            await client.aclose()

    async def _listens(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", int(self.options["tls-port"]))
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    return
