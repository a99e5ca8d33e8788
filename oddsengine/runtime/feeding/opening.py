"""Opens feeds for a process that shares them, and keeps each open until nothing uses it any more."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from feeds.errors import FeedError
from feeds.feed import installed_feeds
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.feed_runner import OpenedFeed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from feeds.feed import Feed
    from oddsengine.runtime.settings import FeedSettings


class OpenFeeds:
    """Feeds that reloads have opened, each in a task of its own."""

    def __init__(self) -> None:
        self._open: list[tuple[OpenedFeed, asyncio.Task[None]]] = []

    async def open(self, name: str, settings: FeedSettings) -> OpenedFeed:
        """Open a feed: read its secrets and certificates. Raises ValueError if that fails."""
        opening: asyncio.Future[Feed] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(_hold(name, settings, opening), name=f"open feed {name}")
        try:
            opened = OpenedFeed(await opening, settings.supervision)
        except BaseException:
            await end_tasks([task])
            raise
        self._open.append((opened, task))
        return opened

    async def close_unused(self, used: Iterable[OpenedFeed]) -> None:
        """Close all but some."""
        in_use = set(map(id, used))
        unused = [task for opened, task in self._open if id(opened) not in in_use]
        self._open = [each for each in self._open if id(each[0]) in in_use]
        await end_tasks(unused)


async def _hold(name: str, settings: FeedSettings, opening: asyncio.Future[Feed]) -> None:
    try:
        async with installed_feeds()[settings.adapter].open(name, settings.config) as feed:
            opening.set_result(feed)
            await asyncio.Event().wait()
    except (FeedError, OSError) as error:
        if opening.done():
            raise
        opening.set_exception(ValueError(f"feeds.{name}: {error}"))
