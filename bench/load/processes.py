"""Child processes of a benchmark: compiled, started on a given core, and driven by lines on stdin.

The server under test has the first core to itself. Everything else (publisher, Redis, receiver) shares the other cores. Every run
shows whether the load generator is the bottleneck: the receiver reports its own CPU use, and a row prints it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from bench.reporting.errors import NotInstalled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NATIVE: Final = Path(__file__).parent / "native"
_CORES: Final = sorted(os.sched_getaffinity(0))
#: The core of the server under test, and the cores of everything else.
SERVER_CORE: Final = {_CORES[0]}
LOAD_CORES: Final = set(_CORES[1:]) or SERVER_CORE


def leave_server_core() -> None:
    """Move this process, and the threads and processes that it starts from now on, to the load's cores."""
    os.sched_setaffinity(0, LOAD_CORES)


def compile_native(name: str) -> Path:
    """Compile a program of `native/` unless that is already done. Return the path of the program."""
    source = _NATIVE / f"{name}.c"
    program = Path(tempfile.gettempdir()) / f"oddsengine-bench-{os.getuid()}" / name
    if program.exists() and program.stat().st_mtime > source.stat().st_mtime:
        return program
    program.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        subprocess.run(["cc", "-O2", "-o", str(program), str(source)], check=True)
    except FileNotFoundError:
        raise NotInstalled("no C compiler; install one: apt-get install gcc libc6-dev") from None
    return program


def cpu_s_of(pid: int) -> float:
    """Return the CPU time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class ControlledProcess:
    """A child process that reads commands and writes answers, one line each."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read_line(self) -> str:
        """Read the next line that it prints."""
        line = self._out.readline()
        if not line:
            raise RuntimeError(f"{self._process.args!r} ended with {self._process.wait()}")
        return line.strip()

    def send_line(self, command: str) -> None:
        """Write a line to its stdin."""
        assert self._process.stdin is not None  # noqa: S101 - it was started with a pipe
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()

    def request(self, command: str) -> dict[str, Any]:
        """Send a command and return the JSON object of its answer."""
        self.send_line(command)
        return dict(json.loads(self.read_line()))

    @property
    def _out(self) -> IO[str]:
        assert self._process.stdout is not None  # noqa: S101 - it was started with a pipe
        return self._process.stdout

    def pause(self) -> None:
        """Stop its execution, so that others have its core."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue its execution. No-op if it is not paused."""
        self._process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        """Ask it to exit (SIGTERM)."""
        self._process.terminate()

    def cpu_s(self) -> float:
        """Return the CPU time it has used, in seconds."""
        return cpu_s_of(self._process.pid)

    def tree_cpu_s(self) -> float:
        """Return the CPU time that it and the processes that it runs have used, in seconds."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text(encoding="ascii").split()
        return self.cpu_s() + sum(cpu_s_of(int(child)) for child in children)

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def process_running(command: Sequence[str], cores: set[int]) -> Iterator[ControlledProcess]:
    """Run a child process on these cores. It exits when its stdin closes, or is terminated after two seconds."""
    leave_server_core()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - there are no other threads here
    )
    try:
        yield ControlledProcess(process)
    finally:
        process.send_signal(signal.SIGCONT)  # a paused process would not see the end of its stdin
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def module_running(name: str, *arguments: str, cores: set[int]) -> Iterator[ControlledProcess]:
    """Run a module of this package as a child process."""
    with process_running([sys.executable, "-m", name, *arguments], cores) as process:
        yield process


@contextmanager
def realtime_priority() -> Iterator[bool]:
    """Raise the priority of this thread above that of the load on its core. Yield whether the system permits it (root may).

    Without it, every measured time includes the wait until the load generator yields the core, which a client on another machine
    would not have.
    """
    try:
        # Child processes must not inherit the priority.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
