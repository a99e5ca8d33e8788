"""Messages between a worker and its parent, over a socket pair: length-prefixed MessagePack."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self, TypeAlias

import msgspec

from oddsengine.common.histogram import Histogram

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from oddsengine.runtime.telemetry.metrics import Sample

_LENGTH_BYTES: Final = 4


class Alive(msgspec.Struct, frozen=True, tag=True):
    """The worker's event loop runs. `step`: the step that its start has come to; `waiting_for`: what that waits for."""

    step: str
    waiting_for: str


class Reload(msgspec.Struct, frozen=True, tag=True):
    """The worker must load its config again."""


class SkipPause(msgspec.Struct, frozen=True, tag=True):
    """The worker must stop without a pause: another one serves on its sockets, or the operator does not want to wait."""


class SendSamples(msgspec.Struct, frozen=True, tag=True):
    """The parent asks for a worker's metrics."""

    request: int


class WorkerSamples(msgspec.Struct, frozen=True, tag=True):
    """A worker's metrics. Of a histogram: its bounds, counts and total."""

    request: int
    values: list[tuple[str, tuple[str, ...], float]]
    histograms: list[tuple[str, tuple[str, ...], tuple[float, ...], list[int], float]]


class CollectSamples(msgspec.Struct, frozen=True, tag=True):
    """A worker asks for the metrics of all workers."""

    request: int


class AllSamples(msgspec.Struct, frozen=True, tag=True):
    """The metrics of all workers, added up."""

    samples: WorkerSamples


Message: TypeAlias = Alive | Reload | SkipPause | SendSamples | WorkerSamples | CollectSamples | AllSamples

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


def pack(request: int, samples: Iterable[Sample]) -> WorkerSamples:
    """Return samples as a message."""
    values: list[tuple[str, tuple[str, ...], float]] = []
    histograms: list[tuple[str, tuple[str, ...], tuple[float, ...], list[int], float]] = []
    for name, labels, value in samples:
        if isinstance(value, Histogram):
            histograms.append((name, labels, value.bounds, value.counts, value.total))
        else:
            values.append((name, labels, float(value)))
    return WorkerSamples(request, values, histograms)


def unpack(message: WorkerSamples) -> list[Sample]:
    """Return the samples of a message."""
    samples: list[Sample] = list(message.values)
    for name, labels, bounds, counts, total in message.histograms:
        samples.append((name, labels, Histogram(bounds, counts, total)))
    return samples


class Channel:
    """One end of a socket pair.

    Args:
        reader: reads from the other end.
        writer: writes to it.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, end: socket.socket) -> Self:
        """Take over an end of the pair."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, message: Message) -> None:
        """Send a message. No-op if the other end is gone."""
        if not self._writer.is_closing():
            data = _encode(message)
            self._writer.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)

    async def receive(self) -> Message | None:
        """Return the next message; None if the other end is gone."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH_BYTES), "big")
            message: Message = _decode(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, OSError):
            return None
        return message

    def close(self) -> None:
        """Close this end."""
        self._writer.close()
