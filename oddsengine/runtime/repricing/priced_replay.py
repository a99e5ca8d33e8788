"""A replay through the pipeline: what is published of recordings by given settings, without a clock of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from oddsengine.domain.changes import Batch
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.engine.pipeline import Pipeline
from oddsengine.offer.owned_offer import OwnedOffer
from oddsengine.pricing.pricer import Pricer
from oddsengine.runtime.replay_commands import RecordedCommands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from oddsengine.runtime.replay import Replay
    from oddsengine.runtime.settings import Settings

#: In a running engine: how often prices change only because time passes, and events are retired.
_TICK_MS: Final = 1000
_RETIRE_MS: Final = 5000
#: A longer silence is not filled with ticks: the recording was interrupted.
_MAX_TICKS: Final = 3600


class Published(NamedTuple):
    """A batch that was committed at a time, and the offer that it leads to, which the next one changes."""

    at_ms: int
    shard: int
    offer: OwnedOffer
    batch: Batch


class PricedReplay:
    """Prices a replay: one flush per recorded time.

    Args:
        replay: the recordings.
        settings: the configuration. Its feeds are not used.
        commands: what people commanded meanwhile.
        sources: the sources, most preferred first; None: in the order of the recordings.
        keeps_time: whether also what changes without a message is published when it does, and ended events are retired, as by a
            running engine.
    """

    def __init__(
        self,
        replay: Replay,
        settings: Settings,
        commands: RecordedCommands | None = None,
        sources: Sequence[str] | None = None,
        *,
        keeps_time: bool = False,
    ) -> None:
        self._replay = replay
        self._commands = commands or RecordedCommands()
        self._keeps_time = keeps_time
        self._closed_event_ttl_ms = round(settings.engine.closed_event_ttl_s * 1000)
        self._next_retire_ms = 0
        #: the first and the last time that was recorded, Unix milliseconds; 0 before the first one
        self.first_ms = self._last_ms = 0
        #: the time of the last flush
        self.priced_ms = 0
        pricer = Pricer(settings.profiles, settings.tiers, settings.engine.solves_per_s)
        self.pipeline = Pipeline(pricer, sources or replay.sources, settings.engine.shards, settings.sourcing, settings.matching)
        for source in replay.without_health:
            self.pipeline.receive(UpdateBatch(source, 0, [SourceStatus("live", "replay")]), 0)

    def batches(self, wait: Callable[[int], None] = lambda _: None) -> Iterator[Published]:
        """Yield what is published, in order.

        Args:
            wait: is called with each recorded time before anything of it is received.
        """
        for pt_ms, batches in self._replay.batches():
            if pt_ms != self._last_ms:
                yield from self._flush(self._last_ms)
                if self._keeps_time and self._last_ms:
                    yield from self._pass_time(pt_ms)
                self.first_ms, self._last_ms = self.first_ms or pt_ms, pt_ms
                wait(pt_ms)
                self._commands.obey_until(self.pipeline, pt_ms)
            for batch in batches:
                self.pipeline.receive(batch, pt_ms)
        yield from self._flush(self._last_ms)

    def _pass_time(self, until_ms: int) -> Iterator[Published]:
        times = range(self._last_ms + _TICK_MS, until_ms, _TICK_MS)
        for now_ms in times[:_MAX_TICKS]:
            self._commands.obey_until(self.pipeline, now_ms)
            yield from self._flush(now_ms)

    def _flush(self, now_ms: int) -> Iterator[Published]:
        pipeline = self.pipeline
        self.priced_ms = now_ms
        pipeline.tick(now_ms)
        retires = self._keeps_time and now_ms >= self._next_retire_ms
        if retires:
            self._next_retire_ms = now_ms + _RETIRE_MS
        for shard, offer in enumerate(pipeline.offers):
            if retires:
                pipeline.retire(shard, now_ms, self._closed_event_ttl_ms)
            pipeline.flush(shard, now_ms)
            batch = offer.commit(now_ms)
            if batch is not None:
                yield Published(now_ms, shard, offer, batch)
