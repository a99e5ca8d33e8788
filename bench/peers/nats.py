"""The reference nats-server: its WebSocket listener on the server's core, and a publisher of the same deltas."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.load.processes import SERVER_CORE, ControlledProcess, process_running
from bench.peers.peer_feed import PeerFeed
from bench.reporting.errors import NotInstalled
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NAME: Final = "nats-server"
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


class NatsFeed(PeerFeed):
    """Publishes by the NATS protocol; the subjects are `e0`, `e1` .."""

    def __init__(self, port: int, counts: Sequence[int]) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(b'CONNECT {"verbose":false}\r\n')
        super().__init__(connection, counts)

    def wrapped(self, subject: str, payload: str) -> bytes:
        """Return a message as the server is sent it."""
        return f"PUB {subject} {len(payload)}\r\n{payload}\r\n".encode()

    def answer(self, data: bytes) -> bytes:
        """Answer pings; nats-server closes connections that do not."""
        return b"PONG\r\n" if b"PING" in data else b""
