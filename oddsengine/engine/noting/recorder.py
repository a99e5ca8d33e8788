"""Notes what led to the prices of markets that change, and the states of feeds, for the history.

It looks at what has changed a few times a second, beside the flushes, and explains what it has time for: markets that start or
stop taking bets first, then those that are new, any other at most every `EVERY_S`. So it takes `_SHARE` of the time, whatever the
load is, and what it has no time for is not explained: the last explanation says of which position it is.

A market is explained while nothing of it has moved since it was priced: what the sources say then is what led to its price.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson
import structlog

from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.offer.change_index import ALL
from oddsengine.streams.connection import UNAVAILABLE
from oddsengine.streams.notes.log import Explanation, Note
from oddsengine.streams.positions import Position

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.changes import MarketState
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.engine import Engine
    from oddsengine.streams.notes.log import NoteLog

#: How often the same market is explained at most, while it takes bets or does not.
EVERY_S: Final = 5.0
_CHECK_S: Final = 0.2
_SHARE: Final = 0.01
#: For how long a look explains; the next one is the later for what this one has taken.
_SLICE_S: Final = 0.002
_FEEDS_EVERY_S: Final = 1.0
#: So many notes wait for Redis at most.
_MAX_WAITING: Final = 1000
_log = structlog.get_logger(__name__)
_encode: Final = msgspec.msgpack.Encoder().encode


class NoteRecorder:
    """Notes for the history what an engine does.

    Args:
        engine: the engine.
        log: where notes are written.
        name: the process's name.
        config_digest: returns the digest of the file that the process runs with, in hexadecimal.
        clock: monotonic seconds.
        wall_ms: Unix milliseconds by the system's clock.
        worked_s: the processor time of this thread, in seconds.
    """

    def __init__(
        self,
        engine: Engine,
        log: NoteLog,
        name: str,
        config_digest: Callable[[], str],
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
        worked_s: Callable[[], float] = time.thread_time,
    ) -> None:
        self._engine = engine
        self._log = log
        self._name = name
        self._config_digest = config_digest
        self._clock = clock
        self._wall_ms = wall_ms
        self._worked_s = worked_s
        #: shard -> up to where its changes were looked at
        self._seen: dict[int, tuple[int, int]] = {}
        #: market -> its state when it was explained last, when that was, and at which position it was
        self._explained: dict[MarketId, tuple[MarketState, float, Position]] = {}
        #: markets that have started or stopped taking bets, and those that were never explained, longest ago first
        self._urgent: dict[MarketId, None] = {}
        self._new: dict[MarketId, None] = {}
        #: what may be explained again, from when on, soonest first, and which markets these are
        self._waiting: list[tuple[float, MarketId]] = []
        self._is_waiting: set[MarketId] = set()
        self._feeds: dict[str, tuple[str, str]] = {}
        self._failures = LineLimit(clock)
        self._config = ""
        self._next_feeds_s = 0.0

    async def run(self) -> None:
        """Note until cancelled. What Redis does not take is written with what comes next, or left out if that is too much."""
        pause_s = _CHECK_S
        notes: list[Note] = []
        while True:
            await asyncio.sleep(pause_s)
            began_s = self._worked_s()
            try:
                self.step(notes)
            except Exception:  # noqa: BLE001 - publishing must not depend on it
                # The market that can't be explained is not tried again before it changes; the others are.
                if (left_out := self._failures.take()) is not None:
                    _log.exception("notes failed, trying again", left_out=left_out)
            pause_s = max(_CHECK_S, (self._worked_s() - began_s) / _SHARE)
            if notes:
                with suppress(*UNAVAILABLE):  # the publishing beside says so
                    await self._log.write(notes)
                    notes = []
                if len(notes) > _MAX_WAITING:
                    _log.warning("notes left out", notes=len(notes) - _MAX_WAITING)
                    del notes[:-_MAX_WAITING]

    def step(self, notes: list[Note]) -> None:
        """Add what is to be noted now to notes."""
        for writer in self._engine.ownership.active:
            self._check(writer.shard)
        self._explain(notes, self._worked_s() + _SLICE_S)
        if (now_s := self._clock()) >= self._next_feeds_s:
            self._next_feeds_s = now_s + _FEEDS_EVERY_S
            self._forget_removed()
            notes += self._of_process()

    def _check(self, shard: int) -> None:
        """Find the markets that have changed since the last look."""
        offer = self._engine.pipeline.offers[shard]
        epoch, since = self._seen.get(shard, (0, -1))
        since = since if epoch == offer.epoch else -1
        self._seen[shard] = (offer.epoch, offer.seq)
        for entry in offer.entries_since(since, ALL):
            for market in entry.markets.values():
                if market.at <= since:
                    continue
                explained = self._explained.get(market.id)
                if explained is None:
                    self._new[market.id] = None
                    continue
                state, at_s, _ = explained
                if state.status != market.state.status or state.reason != market.state.reason:
                    self._urgent[market.id] = None
                elif market.id not in self._is_waiting:
                    self._wait(market.id, at_s + EVERY_S)

    def _wait(self, market: MarketId, due_s: float) -> None:
        self._is_waiting.add(market)
        heapq.heappush(self._waiting, (due_s, market))

    def _explain(self, notes: list[Note], end_s: float) -> None:
        moving: list[MarketId] = []
        pipeline = self._engine.pipeline
        while (market := self._next(end_s)) is not None:
            if not pipeline.is_priced(market):
                moving.append(market)
                continue
            offer = pipeline.offers[pipeline.shard_of_market(market)]
            record, before = offer.markets.get(market), self._explained.get(market)
            if record is not None and before is not None and before[2] == (offer.epoch, record.at):
                continue
            explanation = None if record is None else self._engine.explain(market)
            if record is None or explanation is None:
                self._explained.pop(market, None)
                continue
            # Who has made a command is in the history of commands, where it can be forgotten.
            for command in explanation["commands"]:
                del command["author"], command["confirmed_by"]
            position = Position(offer.epoch, record.at)
            self._explained[market] = (record.state, self._clock(), position)
            notes.append(Note("explanation", market, self._wall_ms(), _encode(Explanation(*position, explanation))))
        for market in moving:
            self._wait(market, self._clock())

    def _next(self, end_s: float) -> MarketId | None:
        """Return the market to explain next, None if there is none or no time."""
        if self._worked_s() >= end_s:
            return None
        for queue in (self._urgent, self._new):
            for market in queue:
                del queue[market]
                return market
        if self._waiting and self._waiting[0][0] <= self._clock():
            market = heapq.heappop(self._waiting)[1]
            self._is_waiting.discard(market)
            return market
        return None

    def _of_process(self) -> list[Note]:
        """Return what has changed of the feeds and of the config."""
        notes: list[Note] = []
        if 0 in self._engine.ownership.owned:
            for feed in self._engine.feeds():
                notes += self._of_feed(feed)
        if (digest := self._config_digest()) != self._config:
            self._config = digest
            body = {"process": self._name, "sha256": digest}
            notes.append(Note("config", self._name, self._wall_ms(), orjson.dumps(body)))
        return notes

    def _forget_removed(self) -> None:
        offers = self._engine.pipeline.offers
        known = sum(len(offers[writer.shard].markets) for writer in self._engine.ownership.active)
        if len(self._explained) > 2 * known + 100:
            markets = {key for writer in self._engine.ownership.active for key in offers[writer.shard].markets}
            self._explained = {key: value for key, value in self._explained.items() if key in markets}

    def _of_feed(self, feed: dict[str, Any]) -> list[Note]:
        name, now = str(feed.get("feed", "")), (str(feed.get("state")), str(feed.get("reason")))
        if self._feeds.get(name) == now:
            return []
        self._feeds[name] = now
        body = {"feed": name, "state": now[0], "reason": now[1]}
        return [Note("feed", name, self._wall_ms(), orjson.dumps(body))]
