"""Commands in processes of their own, forked from a server that has imported them: they start in hundredths of a second.

Each has arguments, an environment, a folder, streams, signals and an exit code of its own. What an interpreter reads when it
starts (`PYTHONHASHSEED`, `LD_PRELOAD`) has no effect in a fork: with that a command gets a new interpreter.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import msgspec

from tests.support.processes.fork_server import Ended, Start

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_ROOT: Final = Path(__file__).parents[3]
COMMAND: Final = (sys.executable, "-m", "oddsengine")
_OF_INTERPRETERS: Final = ("PYTHON", "LD_", "ODDSENGINE_SPEEDUPS", "COV")


class ForkServer:
    """The server of a process of tests, and of those that are forked from it later. It is started by the first command."""

    def __init__(self) -> None:
        #: whether commands are forked; benchmarks measure how long a process takes to start
        self.is_used = False
        # One at a time, of all processes that share the server.
        self._lock = multiprocessing.get_context("fork").Lock()
        self._channel: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, request: Start, streams: tuple[int, int, int]) -> int:
        """Start a command. Return its process id."""
        return self._ask(request, streams)

    def exit_code(self, pid: int) -> int:
        """Return the exit code of a command that has ended, and forget it."""
        return self._ask(Ended(pid))

    def open(self) -> socket.socket:
        """Start the server, without waiting for it. Return the socket that it will answer on."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            command = [sys.executable, "-m", "tests.support.processes.fork_server", str(theirs.fileno())]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], cwd=_ROOT)
        self._channel = ours
        return ours

    def close(self) -> None:
        """Leave the server, which ends once nobody has it any more. No-op if it was never started."""
        with self._lock:
            if self._channel is not None and self._process is not None:
                self._channel.close()
                self._process.wait()
                self._channel = self._process = None

    def _ask(self, request: Start | Ended, streams: tuple[int, ...] = ()) -> int:
        with self._lock:
            channel = self._channel or self.open()
            socket.send_fds(channel, [msgspec.json.encode(request)], streams)
            answer = channel.recv(100)
            assert answer, "the server of commands has ended"
            return int(msgspec.json.decode(answer, type=int))


fork_server = ForkServer()


class Forked:
    """A command in a process of its own, with what is used of `asyncio.subprocess.Process`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._ending = os.pidfd_open(pid)
        self._code: int | None = None

    @property
    def returncode(self) -> int | None:
        """The exit code; None while it runs."""
        return self._code if self._code is not None or not self._has_ended(0) else self._reap()

    async def wait(self) -> int:
        """Wait for its end. Return the exit code."""
        loop = asyncio.get_running_loop()
        while self.returncode is None:
            ended = asyncio.Event()
            loop.add_reader(self._ending, ended.set)
            try:
                await ended.wait()
            finally:
                loop.remove_reader(self._ending)
        return self.wait_blocking()

    def wait_blocking(self) -> int:
        """Wait for its end. Return the exit code."""
        if self._code is None:
            self._has_ended(None)
        return self._code if self._code is not None else self._reap()

    def send_signal(self, number: int) -> None:
        """Send a signal to it. No-op if it has ended."""
        if self.returncode is None:
            signal.pidfd_send_signal(self._ending, number)

    def kill(self) -> None:
        """Kill it."""
        self.send_signal(signal.SIGKILL)

    def _has_ended(self, patience_s: float | None) -> bool:
        return bool(select.select([self._ending], [], [], patience_s)[0])

    def _reap(self) -> int:
        self._code = fork_server.exit_code(self.pid)
        os.close(self._ending)
        return self._code


def _forked(arguments: Sequence[str | Path], out: int, err: int, cwd: Path, environment: Mapping[str, str]) -> Forked:
    with Path(os.devnull).open("rb") as nothing:
        request = Start([*map(str, arguments)], {**os.environ, **environment}, str(cwd))
        return Forked(fork_server.start(request, (nothing.fileno(), out, err)))


async def start(
    arguments: Sequence[str | Path], out: IO[bytes], cwd: Path, environment: Mapping[str, str]
) -> asyncio.subprocess.Process | Forked:
    """Start a command that writes both its streams to a file."""
    if fork_server.is_used and not _is_of_interpreters(environment):
        return await asyncio.to_thread(_forked, arguments, out.fileno(), out.fileno(), cwd, environment)
    return await asyncio.create_subprocess_exec(
        *COMMAND, *map(str, arguments), stdout=out, stderr=out, cwd=cwd, env={**os.environ, **environment}
    )


def run(
    *arguments: str | Path, cwd: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    given, command = environment or {}, [*COMMAND, *map(str, arguments)]
    if not fork_server.is_used or _is_of_interpreters(given):
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env={**os.environ, **given})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        code = _forked(arguments, out.fileno(), err.fileno(), cwd or Path.cwd(), given).wait_blocking()
        for each in (out, err):
            each.seek(0)
        return subprocess.CompletedProcess(command, code, out.read().decode(), err.read().decode())


def _is_of_interpreters(environment: Mapping[str, str]) -> bool:
    return any(name.startswith(_OF_INTERPRETERS) for name in environment)
