"""An embedded PostgreSQL: in a directory of its own, on a unix socket, stopped with its parent however that ends.

As with the embedded Redis, a watcher process in a session of its own holds the end of a pipe from us: when the pipe closes, even
by `kill -9`, the watcher stops the server. A directory that is given stays, with the history in it; the server recovers by itself
from having been killed. Without one, everything is in a temporary directory, which is removed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

import structlog

from oddsengine.common.processes.watcher import start_watcher
from oddsengine.history.embedded.account import change_owner, find_programs, spawn_arguments
from oddsengine.history.errors import NoServer

if TYPE_CHECKING:
    from types import TracebackType

#: Recovery after a kill reads up to `_MAX_WAL`.
_START_TIMEOUT_S: Final = 60.0
_USER: Final = "oddsengine"
_DATABASE: Final = "postgres"
#: How far history gives way to other processes, as `nice` has it.
NICENESS: Final = 10
#: The path of a unix socket can't be longer than some 100 bytes.
_MAX_SOCKETS_PATH: Final = 80
_POLL_S: Final = 0.2
_MAX_WAL: Final = "1GB"
#: The line of `postmaster.pid` with the directory of the sockets, from 0.
_SOCKETS_LINE: Final = 4
_SETTINGS: Final = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "128MB",
    "max_wal_size": _MAX_WAL,
    # A crash of the machine may lose the last moments, which are read from the streams again: position and rows go together.
    "synchronous_commit": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
}
#: $1 is the data directory. SIGINT is PostgreSQL's fast shutdown. $2 is a directory to remove; empty for none.
_WATCHER: Final = """
trap '' INT TERM HUP
cat >/dev/null
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null)
if [ -n "$pid" ] && tr '\\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$1"; then
  kill -INT "$pid" 2>/dev/null
  while [ -n "$2" ] && kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
fi
[ -z "$2" ] || rm -rf "$2"
"""
_log = structlog.get_logger(__name__)


def running_url(directory: Path) -> str:
    """Return the URL of the server that runs in a directory; empty if none does."""
    try:
        lines = (directory.absolute() / "data" / "postmaster.pid").read_text(encoding="ascii").splitlines()
        command = Path(f"/proc/{int(lines[0])}/cmdline").read_bytes()
    except (OSError, ValueError, IndexError):
        return ""
    is_alive = str(directory.absolute()).encode() in command
    return _url(lines[_SOCKETS_LINE], _DATABASE) if is_alive and len(lines) > _SOCKETS_LINE else ""


def _url(sockets: str, database: str) -> str:
    return f"postgresql://{_USER}@/{database}?host={quote(sockets, safe='')}"


class EmbeddedPostgres:
    """An embedded server. Use it as an async context manager.

    Args:
        directory: where to keep the data; None for a temporary one.
        gives_way: whether other processes of this machine go first.
    """

    def __init__(self, directory: Path | None = None, *, gives_way: bool = False) -> None:
        self._gives_way = gives_way
        self._is_temporary = directory is None
        self._directory = Path(tempfile.mkdtemp(prefix="oddsengine-postgres-")) if directory is None else directory.absolute()
        self._data = self._directory / "data"
        self._sockets = self._directory / "sockets"
        self._has_other_sockets = len(str(self._sockets)) > _MAX_SOCKETS_PATH
        if self._has_other_sockets:
            self._sockets = Path(tempfile.mkdtemp(prefix="oddsengine-pg-"))
        self._server: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The URL of its database."""
        return self.url_of(_DATABASE)

    def url_of(self, database: str) -> str:
        """Return the URL of another database of the server."""
        return _url(str(self._sockets), database)

    @property
    def pid(self) -> int | None:
        """The server's process id, or None if it is not running."""
        return self._server.pid if self._server is not None and self._server.poll() is None else None

    async def __aenter__(self) -> Self:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._sockets.mkdir(exist_ok=True)
            change_owner(self._directory)
            change_owner(self._sockets)
            removed = str(self._directory) if self._is_temporary else ""
            self._watcher = start_watcher(_WATCHER, str(self._data), removed)
            self._programs = await asyncio.to_thread(find_programs, self._directory)
            await self._initialise()
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stop()

    async def keep_running(self) -> None:
        """Restart the server whenever it exits, until cancelled. It recovers what was committed."""
        while True:
            assert self._server is not None  # noqa: S101 - the context was entered
            await asyncio.sleep(_POLL_S)
            if (code := self._server.poll()) is not None:
                _log.error("embedded postgres exited, restarting", exit_code=code)
                # After a kill its children hold its memory for a moment.
                with suppress(NoServer):
                    await self._start()

    async def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        shutil.rmtree(self._data, ignore_errors=True)
        arguments = ("-D", str(self._data), "-U", _USER, "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-instructions")
        unsafe = ("--no-sync",) if self._is_temporary else ()
        await asyncio.to_thread(_run, [str(self._programs / "initdb"), *arguments, *unsafe], self._directory)

    async def _start(self) -> None:
        settings = {**_SETTINGS, "unix_socket_directories": str(self._sockets)}
        if self._is_temporary:
            settings["fsync"] = "off"
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._directory / "server.log").open("ab") as log:
            # Not by asyncio: uvloop can't change the user of a process.
            self._server = subprocess.Popen(  # noqa: S603, ASYNC220 - it starts at once
                [str(self._programs / "postgres"), "-D", str(self._data), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._directory,
                start_new_session=True,  # Ctrl-C in a terminal must reach only us: we stop the server last
                **spawn_arguments(),
            )
        if self._gives_way:
            os.setpriority(os.PRIO_PROCESS, self._server.pid, NICENESS)
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while not self._is_ready():
                    if self._server.poll() is not None:
                        raise NoServer(f"postgres exited with code {self._server.returncode}: {self._log_tail()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise NoServer(f"postgres was not ready within {_START_TIMEOUT_S:g} s: {self._log_tail()}") from None
        _log.info("embedded postgres started", pid=self._server.pid, directory=str(self._directory))

    def _is_ready(self) -> bool:
        """Check whether the server says so in the last line of its file."""
        try:
            lines = (self._data / "postmaster.pid").read_text(encoding="ascii").splitlines()
        except OSError:
            return False
        assert self._server is not None  # noqa: S101 - it was started
        return lines[:1] == [str(self._server.pid)] and lines[-1].strip() == "ready"

    def _log_tail(self) -> str:
        try:
            return (self._directory / "server.log").read_text(errors="replace")[-500:]
        except OSError:
            return "no log"

    async def _stop(self) -> None:
        server, self._server = self._server, None
        if server is not None and server.poll() is None:
            server.send_signal(signal.SIGINT)  # fast: connections are closed
            await asyncio.to_thread(server.wait)
        watcher, self._watcher = self._watcher, None
        if watcher is not None and watcher.stdin is not None:
            watcher.stdin.close()
            await asyncio.to_thread(watcher.wait)
        if self._has_other_sockets:
            shutil.rmtree(self._sockets, ignore_errors=True)
        if self._is_temporary:
            shutil.rmtree(self._directory, ignore_errors=True)


def _run(command: list[str], directory: Path) -> None:
    """Run a program of the server. Raises NoServer if it fails."""
    done = subprocess.run(  # noqa: S603 - a program of the wheel
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=directory,
        check=False,
        **spawn_arguments(),
    )
    if done.returncode != 0:
        output = done.stdout.decode(errors="replace")[-500:]
        raise NoServer(f"{Path(command[0]).name} exited with code {done.returncode}: {output}")
