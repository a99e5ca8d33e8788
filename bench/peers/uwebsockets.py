"""The reference uWebSockets on the server's core, and a publisher of the same deltas."""

from __future__ import annotations

import importlib.util
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from bench.load.processes import SERVER_CORE, module_running
from bench.peers.peer_feed import PeerFeed
from bench.reporting.errors import NotInstalled
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PACKAGE: Final = "socketify"
_REQUEST: Final = (
    b"GET / HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_FINAL_BINARY: Final = 0x82
_MASKED_64: Final = 0xFF
#: A mask of zeros leaves the payload as it is.
_MASK: Final = bytes(4)


@contextmanager
def uwebsockets_running() -> Iterator[int]:
    """Run it on the server's core. Yield its port."""
    find_uwebsockets()
    with module_running("bench.peers.uwebsockets_server", str(free_port()), cores=SERVER_CORE) as server:
        try:
            yield int(server.read_line())
        finally:
            server.terminate()


def find_uwebsockets() -> None:
    """Check that it is installed. Raises NotInstalled."""
    if importlib.util.find_spec(_PACKAGE) is None:
        raise NotInstalled(f"no {_PACKAGE}; install it: pip install -r requirements/bench.txt")


def uwebsockets_subscribe_message(topics: Sequence[str]) -> str:
    """Return the text that subscribes to topics."""
    return f"SUB {' '.join(topics)}"


class UWebSocketsFeed(PeerFeed):
    """Publishes over a WebSocket, each batch in one frame; the topics are `e0`, `e1` .."""

    def __init__(self, port: int, counts: Sequence[int]) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(_REQUEST)
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += connection.recv(1)
        super().__init__(connection, counts)

    def wrapped(self, subject: str, payload: str) -> bytes:
        """Return a message as the server is sent it."""
        return f"{subject}\n{payload}".encode()

    def batched(self, messages: list[bytes]) -> bytes:
        """Return the frame with the messages of a batch."""
        body = b"\n".join(messages)
        return bytes((_FINAL_BINARY, _MASKED_64)) + len(body).to_bytes(8, "big") + _MASK + body
