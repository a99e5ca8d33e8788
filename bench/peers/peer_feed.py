"""The feed of another server: one message a delta, at a rate."""

from __future__ import annotations

import json
import threading
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final, Self

from bench.load.publisher import shuffled_markets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket

_FLUSHES_PER_S: Final = 50


class PeerFeed(ABC):
    """Publishes one message per delta at a rate, in batches of the same size as `bench.load.publisher`.

    Args:
        connection: to the server.
        counts: the number of markets of each event; the subjects are `e0`, `e1` ..
    """

    def __init__(self, connection: socket, counts: Sequence[int]) -> None:
        self._socket = connection
        #: of each market what precedes and what follows the time in its message: encoded beforehand, as ours are in `fanout`
        self._messages = [self._message(name, v) for v, name in enumerate(shuffled_markets(counts))]
        self._rate = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._drain = threading.Thread(target=self._answer_all, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._drain.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()

    @abstractmethod
    def wrapped(self, subject: str, payload: str) -> bytes:
        """Return a message as the server is sent it."""

    def batched(self, messages: list[bytes]) -> bytes:
        """Return the messages of a batch as they are written."""
        return b"".join(messages)

    def answer(self, data: bytes) -> bytes:  # noqa: ARG002 - for servers that ask
        """Return what the server is answered."""
        return b""

    def set_rate(self, deltas_per_s: float) -> None:
        """Change the rate."""
        self._rate = deltas_per_s

    def _answer_all(self) -> None:
        try:
            while data := self._socket.recv(4096):
                if answer := self.answer(data):
                    self._socket.sendall(answer)
        except OSError:
            pass  # the end of the run

    def _message(self, market: str, v: int) -> tuple[bytes, bytes]:
        ts = time.time_ns() // 1_000_000
        change = {"ts": ts, "id": market, "v": v, "selections": {"home": {"price": 2.02}}}
        wrapped = self.wrapped(market.partition("/")[0], json.dumps(change, separators=(",", ":")))
        head, _, tail = wrapped.partition(b"%d" % ts)
        return head, tail

    def _run(self) -> None:
        place, owed, due_s = 0, 0.0, time.monotonic()
        while not self._ended.is_set():
            due_s = max(due_s + 1 / _FLUSHES_PER_S, time.monotonic() - 0.2)
            time.sleep(max(0.0, due_s - time.monotonic()))
            owed += self._rate / _FLUSHES_PER_S
            batch: list[bytes] = []
            ts = b"%d" % (time.time_ns() // 1_000_000)
            for _ in range(int(owed)):
                head, tail = self._messages[place]
                place = (place + 1) % len(self._messages)
                batch.append(b"%b%b%b" % (head, ts, tail))
            owed -= int(owed)
            if batch:
                self._socket.sendall(self.batched(batch))
