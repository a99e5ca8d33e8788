"""The reference nats-server: its WebSocket listener on the server's core, and a publisher of the same deltas."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import threading
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from bench.load.processes import SERVER_CORE, ControlledProcess, process_running
from bench.load.publisher import shuffled_markets
from bench.load.system import free_port
from bench.reporting.errors import NotInstalled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAME: Final = "nats-server"
_FLUSHES_PER_S: Final = 50
_CONFIG = """
listen: 127.0.0.1:{port}
max_payload: 1MB
write_deadline: "60s"
websocket {{ listen: "127.0.0.1:{websocket_port}", no_tls: true, compression: false }}
"""


class Nats(NamedTuple):
    """A running server and its ports."""

    port: int
    websocket_port: int
    server: ControlledProcess


@contextmanager
def nats_running() -> Iterator[Nats]:
    """Run nats-server on the server's core, with one thread for Go code."""
    port, websocket_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nats.conf"
        config.write_text(_CONFIG.format(port=port, websocket_port=websocket_port))
        with process_running([find_nats(), "-c", str(config), "-l", str(Path(folder) / "log")], SERVER_CORE) as server:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", websocket_port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            try:
                yield Nats(port, websocket_port, server)
            finally:
                server.terminate()


@cache
def find_nats() -> str:
    """Return the path of nats-server, from its wheel or from PATH.

    Raises:
        NotInstalled: if there is none, or it does not start.
    """
    beside = Path(sysconfig.get_path("scripts")) / _NAME
    found = str(beside) if beside.exists() else shutil.which(_NAME)
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        raise NotInstalled(f"no working {_NAME}; install it: pip install -r requirements/bench.txt")
    return found


def nats_subscribe_message(subjects: Sequence[str]) -> str:
    """Return the text that subscribes to subjects, in the NATS protocol."""
    subscriptions = "".join(f"SUB {subject} {number}\r\n" for number, subject in enumerate(subjects, start=1))
    return 'CONNECT {"verbose":false,"pedantic":false,"echo":false}\r\n' + subscriptions + "PING\r\n"


class NatsFeed:
    """Publish one message per delta at a rate, in batches of the same size as `bench.load.publisher`.

    Args:
        port: of nats-server.
        counts: the number of markets of each event; the subjects are `e0`, `e1` ..
    """

    def __init__(self, port: int, counts: Sequence[int]) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.sendall(b'CONNECT {"verbose":false}\r\n')
        self._names = [(name.partition("/")[0], name) for name in shuffled_markets(counts)]
        self._rate = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._drain = threading.Thread(target=self._answer, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._drain.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def set_rate(self, deltas_per_s: float) -> None:
        """Change the rate."""
        self._rate = deltas_per_s

    def _answer(self) -> None:
        """Answer pings; nats-server closes connections that do not."""
        try:
            while data := self._socket.recv(4096):
                if b"PING" in data:
                    self._socket.sendall(b"PONG\r\n")
        except OSError:
            pass  # the end of the run

    def _run(self) -> None:
        place, owed, due_s, v = 0, 0.0, time.monotonic(), 0
        while not self._ended.is_set():
            due_s = max(due_s + 1 / _FLUSHES_PER_S, time.monotonic() - 0.2)
            time.sleep(max(0.0, due_s - time.monotonic()))
            owed += self._rate / _FLUSHES_PER_S
            batch: list[bytes] = []
            ts = time.time_ns() // 1_000_000
            for _ in range(int(owed)):
                subject, market = self._names[place]
                place = (place + 1) % len(self._names)
                v += 1
                change = {"ts": ts, "id": market, "v": v, "selections": {"home": {"price": 2.02}}}
                payload = json.dumps(change, separators=(",", ":"))
                batch.append(f"PUB {subject} {len(payload)}\r\n{payload}\r\n".encode())
            owed -= int(owed)
            self._socket.sendall(b"".join(batch))
