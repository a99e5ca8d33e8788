"""The times at which a batch went through the engine, for metrics and traces."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.common.histogram import Histogram
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class PublicationTimes(NamedTuple):
    """The times at which the content of a batch was received, priced and written.

    Attributes:
        shard: the shard.
        position: of the batch.
        markets: how many it changes.
        source: of the oldest message in it; empty if no message caused it.
        provider_ms: when the provider sent that, by its own clock, Unix milliseconds; 0 if it did not say.
        waited_ms: how long that had waited when the flush began.
        began_ns: when the flush began, Unix nanoseconds.
        committed_ns: when everything was priced.
        written_ns: when Redis had it.
    """

    shard: int
    position: Position
    markets: int
    source: str
    provider_ms: int
    waited_ms: int
    began_ns: int
    committed_ns: int
    written_ns: int


#: A flush takes a millisecond or two, a slow Redis tenths of a second.
_BOUNDS_S: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
#: Providers' clocks may be off, and some deliver late by design.
_PROVIDER_BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class PublicationTimer:
    """Measures how long what is published took, from the oldest message in each batch. A message costs one comparison.

    Args:
        shard: the shard.
        now_ns: Unix nanoseconds; read only for traces.
    """

    __slots__ = (
        "_began_ns",
        "_committed_ms",
        "_committed_ns",
        "_now_ns",
        "_provider_ms",
        "_received_ms",
        "_shard",
        "_source",
        "_taken",
        "_waited_ms",
        "provider_seconds",
        "publish_seconds",
        "trace",
        "write_seconds",
    )

    def __init__(self, shard: int, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._shard = shard
        self._now_ns = now_ns
        #: of the oldest message that no flush has taken; 0 if there is none
        self._received_ms = 0
        self._provider_ms = 0
        self._source = ""
        #: the same of the flush in progress: received, provider's time, source
        self._taken = (0, 0, "")
        self._waited_ms = self._began_ns = self._committed_ms = self._committed_ns = 0
        self.publish_seconds = Histogram(_BOUNDS_S)
        self.provider_seconds = Histogram(_PROVIDER_BOUNDS_S)
        self.write_seconds = Histogram(_BOUNDS_S)
        #: called with the times of each batch that changes a market; None if nothing is traced
        self.trace: Callable[[PublicationTimes], None] | None = None

    def received(self, source: str, received_ms: int, provider_ms: int | None) -> None:
        """Note a message that the next flush takes into account.

        Args:
            source: who it is from.
            received_ms: when it was received, by the clock of `begin`.
            provider_ms: when the provider sent it, by its own clock; None if it did not say.
        """
        if not self._received_ms:
            self._received_ms, self._provider_ms, self._source = received_ms, provider_ms or 0, source

    def begin(self, now_ms: int) -> None:
        """Note that a flush begins. What one has put off counts from its own message on."""
        if not self._taken[0]:
            self._taken = self._received_ms, self._provider_ms, self._source
            self._waited_ms = now_ms - self._received_ms if self._received_ms else 0
            self._received_ms = 0
        if self.trace is not None:
            self._began_ns = self._now_ns()

    def commit(self, now_ms: int) -> None:
        """Note that everything in a batch is priced, and that it is about to be written."""
        self._committed_ms = now_ms
        if self.trace is not None:
            self._committed_ns = self._now_ns()

    def written(self, position: Position, markets: int, now_ms: int, wall_ms: int) -> None:
        """Note that Redis has a batch.

        Args:
            position: of the batch.
            markets: how many it changes.
            now_ms: the time.
            wall_ms: the time by the system's clock, which is compared with the provider's.
        """
        self.write_seconds.observe((now_ms - self._committed_ms) / 1000)
        received_ms, provider_ms, source = self._taken
        if not markets:
            return
        if received_ms:
            self.publish_seconds.observe(max(0, now_ms - received_ms) / 1000)
            if provider_ms:
                self.provider_seconds.observe(max(0, wall_ms - provider_ms) / 1000)
        if self.trace is not None:
            written_ns = self._now_ns()
            self.trace(
                PublicationTimes(
                    self._shard,
                    position,
                    markets,
                    source,
                    provider_ms,
                    self._waited_ms,
                    self._began_ns,
                    self._committed_ns,
                    written_ns,
                )
            )

    def end(self) -> None:
        """Note that a flush has put nothing off."""
        self._taken = (0, 0, "")

    def samples(self) -> Iterable[tuple[str, tuple[str, ...], Histogram]]:
        """Yield the metrics."""
        labels = (str(self._shard),)
        yield "oddsengine_receipt_to_publish_seconds", labels, self.publish_seconds
        yield "oddsengine_provider_to_publish_seconds", labels, self.provider_seconds
        yield "oddsengine_shard_write_seconds", labels, self.write_seconds
