"""The receiving end of a load: many WebSockets in one C process."""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from bench.load.processes import LOAD_CORES, Talker, compiled, started

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Report:
    """What a receiver saw since its last reset, for all its connections."""

    def __init__(self, said: dict[str, Any], connections: int, sampled: int, cpu_s: float) -> None:
        self.seconds: float = said["seconds"]
        self.frames_per_s = said["frames"] / self.seconds
        self.deltas_per_s = said["deltas"] * connections / sampled / self.seconds
        self.bytes_per_s = said["bytes"] / self.seconds
        self.closed: int = said["closed"]
        self.p50_ms: float = said["p50"]
        self.p99_ms: float = said["p99"]
        self.p999_ms: float = said["p999"]
        self.max_ms: float = said["max"]
        self.busy = cpu_s / self.seconds


class Receiver:
    """Many WebSockets in one C process."""

    def __init__(self, talker: Talker, connections: int, sample_every: int) -> None:
        self.talker = talker
        self.connections = connections
        self._sampled = -(-connections // sample_every)
        self._cpu_s = 0.0

    def reset(self) -> None:
        """Begin to count anew."""
        self._cpu_s = self.talker.ask("reset")["cpu_s"]

    def report(self) -> Report:
        """Tell what came since."""
        said = self.talker.ask("report")
        return Report(said, self.connections, self._sampled, said["cpu_s"] - self._cpu_s)


@contextmanager
def receiving(
    port: int,
    messages: Sequence[str],
    *,
    path: str = "/v1/stream",
    sample_every: int = 20,
    stall_every: int = 0,
    spin: bool = False,
) -> Iterator[Receiver]:
    """Open one WebSocket a message.

    Args:
        port: on loopback.
        messages: the first message of each connection.
        path: what is asked for.
        sample_every: how many connections are only counted for each that is read closely.
        stall_every: every so-manieth connection is never read; 0: none.
        spin: whether the receiver never sleeps, so that the server does not pay for waking it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".messages") as file:
        file.writelines(message.replace("\r", "\\r").replace("\n", "\\n") + "\n" for message in messages)
        file.flush()
        command = [str(compiled("receiver")), "127.0.0.1", str(port), path, file.name]
        command += [str(sample_every), str(stall_every), str(int(spin))]
        with started(command, LOAD_CORES) as talker:
            json.loads(talker.line())
            yield Receiver(talker, len(messages), sample_every)


def subscribing(channels: Sequence[str]) -> str:
    """Give the message that subscribes to channels."""
    return json.dumps({"op": "subscribe", "id": 1, "channels": list(channels)})
