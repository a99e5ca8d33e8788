"""The reload of the feeds of a process that shares them with others."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from oddsengine.runtime.feed_runner import feed_sources, sources_by_feed
from oddsengine.runtime.feeding.opening import OpenFeeds
from oddsengine.runtime.reload import ReloadedPart
from oddsengine.streams.ingest.reader import silence_limit_s

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from oddsengine.engine.engine import Engine
    from oddsengine.runtime.feed_runner import OpenedFeeds
    from oddsengine.runtime.feeding.feeder import Feeder
    from oddsengine.runtime.feeding.received_feeds import ReceivedFeeds
    from oddsengine.runtime.settings import FeedSettings, Settings


def silence_limits_s(feeds: Mapping[str, FeedSettings]) -> dict[str, float]:
    """Return by feed after how long without a sign of life of its feeder it is down."""
    return {name: silence_limit_s(feed.supervision.lag_limit_s) for name, feed in feeds.items()}


class SharedReload:
    """Opens what is new, and passes it on once the whole file is accepted.

    Args:
        feeds: the settings that the process was started with.
        opened: the feeds that were opened for them; None if this process connects none.
        feeder: connects feeds; None if this process connects none.
        received: what the engine of this process receives; None if it has none.
        engine: the engine; likewise.
    """

    def __init__(
        self,
        feeds: Mapping[str, FeedSettings],
        opened: OpenedFeeds | None,
        feeder: Feeder | None,
        received: ReceivedFeeds | None,
        engine: Engine | None,
    ) -> None:
        self._feeds = dict(feeds)
        self._opened: OpenedFeeds = dict(opened or {})
        self._feeder = feeder
        self._received = received
        self._engine = engine
        self._open = OpenFeeds()

    def part(self) -> ReloadedPart:
        """Return the part of the process."""
        return ReloadedPart(frozenset({"feeds"}), self.prepare)

    async def prepare(self, settings: Settings) -> Callable[[], None]:
        """Open the feeds that are new or have changed. Raises ValueError if one can't be opened."""
        feeder = self._feeder
        await self._open.close_unused([*self._opened.values(), *([] if feeder is None else feeder.in_use())])
        opened: OpenedFeeds = {}
        if feeder is not None:
            for name, feed in settings.feeds.items():
                is_known = name in self._opened and self._feeds.get(name) == feed
                opened[name] = self._opened[name] if is_known else await self._open.open(name, feed)
        return partial(self._apply, settings.feeds, opened)

    def _apply(self, feeds: Mapping[str, FeedSettings], opened: OpenedFeeds) -> None:
        self._feeds, self._opened = dict(feeds), opened
        if self._engine is not None:
            self._engine.use_sources(feed_sources(feeds))
        if self._received is not None:
            self._received.use(sources_by_feed(feeds), silence_limits_s(feeds))
        if self._feeder is not None:
            self._feeder.use(opened)

    async def close(self) -> None:
        """Close every feed that a reload has opened. Call it once nothing is connected any more."""
        await self._open.close_unused(())
