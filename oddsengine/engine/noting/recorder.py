"""Notes what led to the prices of markets that change, and the states of feeds, for the history.

It looks at what has changed a few times a second, beside the flushes, and explains what it has time for: a market that starts or
stops taking bets first, any other at most every `EVERY_S`. So it costs some `_SLICE_S` of each `_LOOK_S`, whatever the load is.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import orjson

from oddsengine.offer.change_index import ALL
from oddsengine.streams.connection import UNAVAILABLE
from oddsengine.streams.notes.log import Note

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.domain.changes import MarketState
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.engine import Engine
    from oddsengine.streams.notes.log import NoteLog

#: How often the same market is explained at most, while it takes bets or does not.
EVERY_S: Final = 5.0
_LOOK_S: Final = 0.2
_SLICE_S: Final = 0.002
_FEEDS_EVERY_S: Final = 1.0


class NoteRecorder:
    """Notes for the history what an engine does.

    Args:
        engine: the engine.
        log: where notes are written.
        name: the process's name.
        config_digest: returns the digest of the file that the process runs with, in hexadecimal.
        clock: monotonic seconds.
        wall_ms: Unix milliseconds by the system's clock.
    """

    def __init__(
        self,
        engine: Engine,
        log: NoteLog,
        name: str,
        config_digest: Callable[[], str],
        clock: Callable[[], float],
        wall_ms: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._log = log
        self._name = name
        self._config_digest = config_digest
        self._clock = clock
        self._wall_ms = wall_ms
        #: shard -> up to where its changes were looked at
        self._seen: dict[int, tuple[int, int]] = {}
        #: market -> its state when it was explained last, and when that was
        self._explained: dict[MarketId, tuple[MarketState, float]] = {}
        self._urgent: dict[MarketId, None] = {}
        #: market -> from when on it may be explained again
        self._waiting: dict[MarketId, float] = {}
        self._feeds: dict[str, tuple[str, str]] = {}
        self._config = ""
        self._next_feeds_s = 0.0

    async def run(self) -> None:
        """Note until cancelled. What Redis does not take is not noted again."""
        while True:
            await asyncio.sleep(_LOOK_S)
            notes = self.step()
            if notes:
                with suppress(*UNAVAILABLE):  # the publishing beside says so
                    await self._log.write(notes)

    def step(self) -> list[Note]:
        """Return what is to be noted now."""
        for writer in self._engine.ownership.active:
            self._look(writer.shard)
        notes = self._explain()
        if (now_s := self._clock()) >= self._next_feeds_s:
            self._next_feeds_s = now_s + _FEEDS_EVERY_S
            self._forget_removed()
            notes += self._of_process()
        return notes

    def _look(self, shard: int) -> None:
        """Find the markets that have changed since the last look."""
        offer = self._engine.pipeline.offers[shard]
        epoch, since = self._seen.get(shard, (0, -1))
        since = since if epoch == offer.epoch else -1
        self._seen[shard] = (offer.epoch, offer.seq)
        for entry in offer.entries_since(since, ALL):
            for market in entry.markets.values():
                if market.at <= since:
                    continue
                state, at_s = self._explained.get(market.id, (None, 0.0))
                if state is None or state.status != market.state.status or state.reason != market.state.reason:
                    self._urgent[market.id] = None
                else:
                    self._waiting.setdefault(market.id, at_s + EVERY_S)

    def _explain(self) -> list[Note]:
        notes: list[Note] = []
        end_s = self._clock() + _SLICE_S
        while (market := self._next(end_s)) is not None:
            explanation = self._engine.explain(market)
            if explanation is None:
                self._explained.pop(market, None)
                continue
            # Who has made a command is in the history of commands, where it can be forgotten.
            for command in explanation["commands"]:
                del command["author"], command["confirmed_by"]
            offer = self._engine.pipeline.offers[self._engine.pipeline.shard_of_market(market)]
            self._explained[market] = (offer.markets[market].state, self._clock())
            notes.append(Note("explanation", market, self._wall_ms(), orjson.dumps(explanation)))
        return notes

    def _next(self, end_s: float) -> MarketId | None:
        """Return the market to explain next, None if there is none or no time."""
        now_s = self._clock()
        if now_s >= end_s:
            return None
        for market in self._urgent:
            del self._urgent[market]
            self._waiting.pop(market, None)
            return market
        for market, due_s in self._waiting.items():
            if due_s > now_s:
                break
            del self._waiting[market]
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
