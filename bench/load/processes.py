"""The load generator's parts: what is compiled, what is started, on which core, and how it is asked.

The server under test has the first core to itself; everything else (feeder, Redis, receiver) shares the others. Whether the
generator is the bottleneck is seen in each run: the receiver reports its own CPU, and a row says how busy it was.
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
#: Where the server under test runs, and where all else does.
SERVER_CORE: Final = {_CORES[0]}
LOAD_CORES: Final = set(_CORES[1:]) or SERVER_CORE
# Whoever measures, and the Redis it starts, leave the server's core to the server.
os.sched_setaffinity(0, LOAD_CORES)


def compiled(name: str) -> Path:
    """Compile one of `bench/native`, unless that was done already; give the program."""
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


class Talker:
    """A child process that answers each line with a line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def line(self) -> str:
        """Read the next line it says."""
        line = self._out.readline()
        if not line:
            raise RuntimeError(f"{self.process.args!r} ended with {self.process.wait()}")
        return line.strip()

    def ask(self, command: str) -> dict[str, Any]:
        """Say a line and read the JSON that answers it."""
        self.tell(command)
        return dict(json.loads(self.line()))

    def tell(self, command: str) -> None:
        """Say a line."""
        assert self.process.stdin is not None  # noqa: S101 - it was started with a pipe
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    @property
    def _out(self) -> IO[str]:
        assert self.process.stdout is not None  # noqa: S101 - it was started with a pipe
        return self.process.stdout

    def pause(self) -> None:
        """Let it stand still, so that others have its core."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on where it was paused; it may not have been."""
        self.process.send_signal(signal.SIGCONT)

    def cpu_s(self) -> float:
        """Tell how many seconds of CPU it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_bytes(self) -> int:
        """Tell how much memory it has."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def started(command: Sequence[str], cores: set[int]) -> Iterator[Talker]:
    """Run a child process on these cores; it ends with its stdin, or by its process id."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),  # noqa: PLW1509 - nothing is threaded here
    )
    try:
        yield Talker(process)
    finally:
        process.send_signal(signal.SIGCONT)  # while it stands still it does not hear that it is to end
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
def first_on_its_core() -> Iterator[bool]:
    """Let the thread that measures go before the load on its core; give whether the system permits it (root may).

    Else what it measures holds how long it waited for the load generator to make room, which nobody's client elsewhere does.
    """
    try:
        # What it starts meanwhile is not to go first as well.
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def module(name: str, *arguments: str, cores: set[int]) -> Iterator[Talker]:
    """Run one of the bench's own modules."""
    with started([sys.executable, "-m", name, *arguments], cores) as talker:
        yield talker
