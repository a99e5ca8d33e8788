"""Reports what a process knows of its feeds and of doubtful pairs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import orjson

from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.streams.floor.board import ENGINE, feed_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from oddsengine.streams.floor.board import FloorBoard

#: How often a process looks whether there is something new to report.
REPORT_S: Final = 0.5
#: What has not changed is written again so often, so that readers see that its writer lives.
REFRESH_S: Final = 2.0
_USER: Final = "floor"


class FloorReporter:
    """Writes what has changed to the board.

    Args:
        board: the board.
        feeds: returns the status of every feed, as in `GET /v1/feeds`.
        pairs: returns the doubtful pairs; None where another process reports them, and how the feeds of others are followed.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        board: FloorBoard,
        feeds: Callable[[], Iterable[dict[str, Any]]],
        pairs: Callable[[], list[dict[str, Any]] | None],
        clock: Callable[[], float],
    ) -> None:
        self._board = board
        self._feeds = feeds
        self._pairs = pairs
        self._clock = clock
        #: field -> what was written, and when
        self._written: dict[str, tuple[bytes, float]] = {}
        self._count = 0

    async def run(self) -> None:
        """Report until cancelled."""
        with REDIS_OUTAGE.used_by(_USER):
            while True:
                try:
                    await self.report()
                except UNAVAILABLE as error:
                    note_outage(_USER, error)
                else:
                    REDIS_OUTAGE.worked(_USER)
                await asyncio.sleep(REPORT_S)

    async def report(self) -> None:
        """Write what has changed, and what is due to be written again."""
        now_s = self._clock()
        due: dict[str, bytes] = {}
        for field, known in self._known():
            content = orjson.dumps(known)
            before, written_s = self._written.get(field, (b"", 0.0))
            if content != before or now_s - written_s >= REFRESH_S:
                self._count += 1
                due[field] = orjson.dumps({**known, "count": self._count})
                self._written[field] = content, now_s
        if not due:
            return
        try:
            await self._board.write(due)
        except UNAVAILABLE:
            # Whether it was written is not known.
            self._written.clear()
            raise

    def _known(self) -> Iterable[tuple[str, dict[str, Any]]]:
        followed: list[dict[str, Any]] = []
        for status in self._feeds():
            # Of a feed of another process there are no changes.
            if "changes" in status:
                yield feed_field(str(status["feed"])), {"status": status}
            else:
                followed.append(status)
        pairs = self._pairs()
        if pairs is not None:
            yield ENGINE, {"pairs": pairs, "followed": followed}
