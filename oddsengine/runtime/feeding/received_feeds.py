"""The feeds of an engine: from this process where it is connected to the provider, else from the ingest stream."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.streams.clients.shared_reader import SharedReader
from oddsengine.streams.ingest.intake import Confirmation
from oddsengine.streams.ingest.reader import READ_COUNT, IngestReader
from oddsengine.streams.keys import ingest_keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from redis.asyncio import Redis

    from oddsengine.engine.engine import Engine
    from oddsengine.sourcing.images import Aged


_WATCH_S: Final = 0.1


class ReceivedFeeds:
    """The feeds of an engine.

    Args:
        engine: receives all of them.
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        sources: the sources of each feed.
        silent_after_s: by feed, after how long without a sign of life of its feeder it is down.
    """

    def __init__(
        self,
        engine: Engine,
        redis: Redis,
        namespace: str,
        sources: Mapping[str, Sequence[str]],
        silent_after_s: Mapping[str, float],
    ) -> None:
        self._engine = engine
        streams = [ingest_keys(namespace, feed).stream for feed in sources]
        #: waits for all feeds on a few connections, however many feeds there are
        self._reader = SharedReader(redis, streams, time.monotonic, count=READ_COUNT)
        self._namespace = namespace
        self._sources: Mapping[str, Sequence[str]] = {}
        self._silent_after_s: Mapping[str, float] = {}
        self.readers: dict[str, IngestReader] = {}
        self._changed = asyncio.Event()
        #: feeds that this process is connected to -> which markets they have confirmed
        self._local: dict[str, Confirmation] = {}
        #: when this process has last looked at the time, and when before that
        self._watched_s = self._watched_before_s = time.monotonic()
        self.use(sources, silent_after_s)

    def use(self, sources: Mapping[str, Sequence[str]], silent_after_s: Mapping[str, float]) -> None:
        """Receive other feeds from now on, whose sources the engine has. What has not changed is received on.

        Args:
            sources: the sources of each feed.
            silent_after_s: see the class.
        """
        readers: dict[str, IngestReader] = {}
        for feed, of_feed in sources.items():
            has_same_sources = list(of_feed) == list(self._sources.get(feed, ()))
            if has_same_sources and silent_after_s[feed] == self._silent_after_s.get(feed):
                readers[feed] = self.readers[feed]
                continue
            reader = readers[feed] = IngestReader(
                self._reader, self._namespace, feed, of_feed, self._engine.known_markets, self._deliver, silent_after_s[feed]
            )
            if feed in self._local:
                reader.pause()
                if not has_same_sources:
                    self._local[feed] = Confirmation(of_feed, self._engine.known_markets)
        for feed in self._local.keys() - readers.keys():
            del self._local[feed]
        self.readers, self._sources, self._silent_after_s = readers, dict(sources), dict(silent_after_s)
        self._changed.set()

    async def run(self) -> None:
        """Follow the feeds of other processes until cancelled."""
        tasks: dict[IngestReader, asyncio.Task[None]] = {}
        always = [
            asyncio.create_task(self._watch(), name="ages of feeds"),
            asyncio.create_task(self._reader.run(), name="reader of feeds"),
        ]
        try:
            while True:
                self._changed.clear()
                await end_tasks([tasks.pop(reader) for reader in tasks.keys() - set(self.readers.values())])
                for feed, reader in self.readers.items():
                    if reader not in tasks:
                        tasks[reader] = asyncio.create_task(reader.run(), name=f"feed {feed}")
                changed = asyncio.create_task(self._changed.wait(), name="changed feeds")
                try:
                    done, _ = await asyncio.wait([*tasks.values(), *always, changed], return_when=asyncio.FIRST_COMPLETED)
                finally:
                    changed.cancel()
                for task in done - {changed}:
                    task.result()
        finally:
            await end_tasks([*tasks.values(), *always])

    async def _watch(self) -> None:
        """Check the ages of feeds, whatever Redis does meanwhile."""
        has_waited = False
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(_WATCH_S)
            self._watched_before_s, self._watched_s = self._watched_s, time.monotonic()
            # If this process stood still, what has arrived meanwhile is read first; but not for ever.
            has_waited = not has_waited and time.monotonic() - before_s > 2 * _WATCH_S
            if has_waited:
                continue
            for reader in self.readers.values():
                reader.check_age()

    def age_ms(self) -> int:
        """Return how old the oldest is that is known of a feed which is not down.

        What this process receives itself is as old as the last moment but one at which it has looked at the time: if it stood
        still since, there is more to read.
        """
        ages_s = [reader.age_s for feed, reader in self.readers.items() if feed not in self._local]
        if self._local:
            ages_s.append(time.monotonic() - self._watched_before_s)
        return round(max(ages_s, default=0.0) * 1000)

    def begin(self, feed: str, images: Iterable[Aged] | None) -> None:
        """Receive a feed from this process from now on.

        Args:
            feed: the feed.
            images: what it has already, if it is live; None if it is not, and its sources are down until it is.
        """
        if feed not in self.readers:
            return  # a reload has removed it
        self.readers[feed].pause()
        self._local[feed] = Confirmation(self._sources[feed], self._engine.known_markets)
        if images is None:
            self._take_down(feed, "connecting")
            return
        for aged in images:
            # While processes are reloaded one after the other, their feeds may have different sources.
            if aged.batch.source in self._sources[feed]:
                self._receive(feed, aged.batch, aged.age_ms)

    def receive(self, feed: str, batch: UpdateBatch) -> None:
        """Receive updates of a feed of this process."""
        if feed in self._local and batch.source in self._sources[feed]:
            self._receive(feed, batch, 0)

    def end(self, feed: str) -> None:
        """Receive a feed from other processes from now on."""
        if self._local.pop(feed, None) is not None:
            self._take_down(feed, "waiting for another feeder")
            self.readers[feed].resume()

    def _receive(self, feed: str, batch: UpdateBatch, age_ms: int) -> None:
        confirmation = self._local[feed]
        if confirmation.is_open(batch.source):
            confirmation.note(batch)
            if any(type(update) is SourceStatus and update.health == "live" for update in batch.updates):
                gone = confirmation.close(batch.source)
                if gone is not None:
                    self._engine.receive(gone)
        self._engine.receive(batch, age_ms)

    def _take_down(self, feed: str, reason: str) -> None:
        for source in self._sources[feed]:
            self._engine.receive(UpdateBatch(source, None, [SourceStatus("down", reason)]))

    def _deliver(self, aged: Aged) -> None:
        if aged.batch.source in self._engine.pipeline.books:
            self._engine.receive(aged.batch, aged.age_ms)

    def status(self) -> list[dict[str, Any]]:
        """Return the status of every feed that another process is connected to, for `GET /v1/feeds`."""
        found: list[dict[str, Any]] = []
        for feed, reader in self.readers.items():
            if feed in self._local:
                continue
            books = [self._engine.pipeline.books[source] for source in self._sources[feed]]
            worst = next((book for book in books if book.health != "live"), books[0] if books else None)
            found.append(
                {
                    "feed": feed,
                    "sources": list(self._sources[feed]),
                    "state": "down" if worst is None else worst.health,
                    "reason": "" if worst is None else worst.health_reason,
                    "followed": reader.is_current,
                }
            )
        return found
