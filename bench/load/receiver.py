"""The receiving end of a load: many WebSockets in one C process."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.load.processes import LOAD_CORES, ControlledProcess, compile_native, process_running

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Report:
    """The counts of a receiver since its last reset, over all its connections."""

    def __init__(self, answer: dict[str, Any], connections: int, sampled: int, cpu_s: float) -> None:
        self.seconds: float = answer["seconds"]
        self.frames_per_s = answer["frames"] / self.seconds
        self.deltas_per_s = answer["deltas"] * connections / sampled / self.seconds
        self.closed: int = answer["closed"]
        self.p50_ms: float = answer["p50"]
        self.p99_ms: float = answer["p99"]
        self.p999_ms: float = answer["p999"]
        self.max_ms: float = answer["max"]
        self.cpu_share = cpu_s / self.seconds


class Receiver:
    """Many WebSockets in one process."""

    def __init__(self, process: ControlledProcess, connections: int, sample_every: int) -> None:
        self.process = process
        self.connections = connections
        self._sampled = -(-connections // sample_every)
        self._cpu_s = 0.0

    def reset(self) -> None:
        """Set all counters to zero."""
        self._cpu_s = self.process.request("reset")["cpu_s"]

    def report(self) -> Report:
        """Return what was counted since the last reset."""
        answer = self.process.request("report")
        return Report(answer, self.connections, self._sampled, answer["cpu_s"] - self._cpu_s)


@contextmanager
def receiver_running(
    port: int,
    messages: Sequence[str],
    *,
    path: str = "/v1/stream",
    sample_every: int = 20,
    stall_every: int = 0,
    spin: bool = False,
    subprotocol: str = "",
) -> Iterator[Receiver]:
    """Open one WebSocket for each message.

    Args:
        port: the server's port on loopback.
        messages: the first message of each connection.
        path: the path of the request.
        sample_every: parse the frames of one connection in this many; only count the frames of the others.
        stall_every: never read from one connection in this many; 0: read from all.
        spin: never sleep, so that the server does not pay for waking the receiver.
        subprotocol: what the connections ask for; with one the messages are bytes as Latin-1, and sent as binary frames.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".messages") as file:
        file.writelines((_escaped(message) if subprotocol else _one_line(message)) + "\n" for message in messages)
        file.flush()
        command = [str(compile_native("receiver")), "127.0.0.1", str(port), path, file.name]
        command += [str(sample_every), str(stall_every), str(int(spin)), *([subprotocol] if subprotocol else [])]
        with process_running(command, LOAD_CORES) as process:
            json.loads(process.read_line())
            yield Receiver(process, len(messages), sample_every)


def _one_line(message: str) -> str:
    return message.replace("\r", "\\r").replace("\n", "\\n")


def _escaped(message: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in message.encode("latin-1"))


def subscribe_message(channels: Sequence[str]) -> str:
    """Return the message that subscribes to channels."""
    return json.dumps({"op": "subscribe", "id": 1, "channels": list(channels)})
