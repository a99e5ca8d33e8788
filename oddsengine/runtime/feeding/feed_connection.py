"""One connection of a feed to its provider, for an engine in the same process: it may wait until it replaces another one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from feeds.supervision.supervisor import Supervisor
from oddsengine.common.clock import CLOCK
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch
from oddsengine.sourcing.agreement import agrees
from oddsengine.sourcing.images import event_images, market_images
from oddsengine.sourcing.source_book import SourceBook
from oddsengine.streams.ingest.intake import Confirmation

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.feed import Feed
    from feeds.recording.packet import Packet
    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.settings import FeedSettings


class FeedConnection:
    """A feed that passes its updates on to the engine once it has begun, and collects them before, in books of its own.

    Args:
        name: the feed's name.
        settings: its adapter, the adapter's config and its supervision.
        engine: receives its updates.
        feed: the opened feed; None to open it here.
        tap: receives everything that the feed receives, to record it.
    """

    def __init__(
        self,
        name: str,
        settings: FeedSettings,
        engine: Engine,
        feed: Feed | None = None,
        tap: Callable[[Packet], None] | None = None,
    ) -> None:
        self.name = name
        self.settings = settings
        self._engine = engine
        self._feed = feed
        self._tap = tap
        self._plugin = installed_feeds()[settings.adapter]
        self.sources = tuple(self._plugin.sources(name, settings.config))
        self.supervisor: Supervisor | None = None
        #: set once the feed is opened, with the error if it can't be
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        #: set once every source is live
        self.ready = asyncio.Event()
        self._is_wanted = asyncio.Event()
        self._has_ended = False
        self._collected: dict[str, SourceBook] | None = {source: SourceBook(source) for source in self.sources}
        self._confirmation: Confirmation | None = None

    async def run(self) -> None:
        """Open the feed, connect it once it is wanted, and stay connected until cancelled."""
        if self._feed is not None:
            self.opened.set_result(None)
            await self._supervise(self._feed)
            return
        try:
            async with self._plugin.open(self.name, self.settings.config) as feed:
                self.opened.set_result(None)
                await self._is_wanted.wait()
                await self._supervise(feed)
        except (FeedError, OSError) as error:
            if self.opened.done():
                raise
            self.opened.set_exception(ValueError(f"feeds.{self.name}: {error}"))

    async def _supervise(self, feed: Feed) -> None:
        self.supervisor = Supervisor(self.name, feed, self, self.settings.supervision, tap=self._tap)
        await self.supervisor.run()

    def connect(self) -> None:
        """Connect to the provider, from now on."""
        self._is_wanted.set()

    def begin(self) -> None:
        """Pass updates on from now on, and what was collected at once. Markets that were not are withdrawn once it is live."""
        collected, self._collected = self._collected, None
        self._confirmation = confirmation = Confirmation(self.sources, self._engine.known_markets)
        for source, book in (collected or {}).items():
            if book.health != "live":
                self._engine.receive(UpdateBatch(source, None, [SourceStatus("down", "connecting")]))
                continue
            for aged in (event_images(book), *market_images(book, book.markets, CLOCK.now_ms())):
                confirmation.note(aged.batch)
                self._engine.receive(aged.batch, aged.age_ms)
            self._engine.receive(UpdateBatch(source, None, [SourceStatus("live", book.health_reason)]))
            self._withdraw_missing(source)

    def end(self) -> None:
        """Pass nothing on any more."""
        self._has_ended = True

    def receive(self, batch: UpdateBatch) -> None:
        """Take updates of the feed."""
        if self._has_ended:
            return
        if self._collected is not None:
            self._collect(self._collected, batch)
            return
        confirmation = self._confirmation
        self._engine.receive(batch)
        if confirmation is not None and confirmation.is_open(batch.source):
            confirmation.note(batch)
            if any(type(update) is SourceStatus and update.health == "live" for update in batch.updates):
                self._withdraw_missing(batch.source)

    def agrees(self, batch: UpdateBatch) -> bool:
        """Check whether new images of a source equal what its book holds."""
        if self._collected is not None:
            return agrees(self._collected[batch.source], batch)
        return self._engine.agrees(batch)

    def _collect(self, books: dict[str, SourceBook], batch: UpdateBatch) -> None:
        book, now_ms = books[batch.source], CLOCK.now_ms()
        for update in batch.updates:
            book.apply(update, now_ms if batch.published_ms is None else batch.published_ms, now_ms)
        if all(each.health == "live" for each in books.values()):
            self.ready.set()

    def _withdraw_missing(self, source: str) -> None:
        confirmation = self._confirmation
        gone = None if confirmation is None else confirmation.close(source)
        if gone is not None:
            self._engine.receive(gone)
