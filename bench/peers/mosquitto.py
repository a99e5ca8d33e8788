"""The reference Mosquitto: its WebSocket listener on the server's core, and a publisher of the same deltas at QoS 0.

MQTT 3.1.1, OASIS Standard of 29 October 2014: sections 3.1 (CONNECT), 3.3 (PUBLISH), 3.8 (SUBSCRIBE), 6 (over WebSocket).
"""

from __future__ import annotations

import shutil
import socket
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from bench.load.processes import SERVER_CORE, process_running
from bench.peers.peer_feed import PeerFeed
from bench.reporting.errors import NotInstalled
from tests.support.processes.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: What WebSocket connections ask for.
SUBPROTOCOL: Final = "mqtt"
_NAME: Final = "mosquitto"
_CONNECT, _PUBLISH, _SUBSCRIBE = 0x10, 0x30, 0x82
_CLEAN_SESSION: Final = 0x02
_PATIENCE_S: Final = 10.0
_CONFIG: Final = """
log_type error
persistence false
allow_anonymous true
max_queued_messages 0
listener {port} 127.0.0.1
listener {websocket_port} 127.0.0.1
protocol websockets
"""


class Mosquitto(NamedTuple):
    """The ports of a running server."""

    port: int
    websocket_port: int


@contextmanager
def mosquitto_running() -> Iterator[Mosquitto]:
    """Run Mosquitto on the server's core. Its event loop is a single thread."""
    ports = Mosquitto(free_port(), free_port())
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(_CONFIG.format(**ports._asdict()), encoding="ascii")
        with process_running([find_mosquitto(), "-c", str(config)], SERVER_CORE) as server:
            until_s = time.monotonic() + _PATIENCE_S
            while time.monotonic() < until_s:
                try:
                    socket.create_connection(("127.0.0.1", ports.websocket_port), 1).close()
                    break
                except OSError:
                    time.sleep(0.05)
            try:
                yield ports
            finally:
                server.terminate()


def find_mosquitto() -> str:
    """Return the path of Mosquitto. Raises NotInstalled."""
    found = shutil.which(_NAME, path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if found is None:
        raise NotInstalled(f"no {_NAME}; install it: apt-get install {_NAME}")
    return found


def mqtt_subscribe_message(client: str, topics: Sequence[str]) -> str:
    """Return the packets that connect and subscribe at QoS 0, as Latin-1."""
    wanted = b"".join(_text(topic) + b"\0" for topic in topics)
    return (_connect(client) + _packet(_SUBSCRIBE, b"\0\1" + wanted)).decode("latin-1")


class MqttFeed(PeerFeed):
    """Publishes at QoS 0; the topics are `e0`, `e1` .."""

    def __init__(self, port: int, counts: Sequence[int]) -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(_connect("publisher"))
        super().__init__(connection, counts)

    def wrapped(self, subject: str, payload: str) -> bytes:
        """Return a message as the server is sent it."""
        return _packet(_PUBLISH, _text(subject) + payload.encode())


def _connect(client: str) -> bytes:
    # The last two bytes: it is never asked whether it is still there.
    return _packet(_CONNECT, _text("MQTT") + bytes((4, _CLEAN_SESSION, 0, 0)) + _text(client))


def _packet(kind: int, body: bytes) -> bytes:
    length, rest = bytearray(), len(body)
    while True:
        rest, digit = divmod(rest, 128)
        length.append(digit | (128 if rest else 0))
        if not rest:
            return bytes((kind,)) + bytes(length) + body


def _text(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode()
