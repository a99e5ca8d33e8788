"""Watches what the shards publish for results and for suspensions by guards.

It reads the streams beside the gateways, so it delays nobody. Only entries that may have something in them are decoded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import structlog

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.ids import MarketId
from oddsengine.offer.entries.entry import batch_of, decode_entry
from oddsengine.offer.replica_offer import ReplicaOffer
from oddsengine.streams.keys import BATCH_FIELD, shard_keys
from oddsengine.streams.positions import ORIGIN, Position, parse_stream_id
from oddsengine.streams.snapshots.stored import read_head, read_stored, read_top
from oddsengine.webhooks.events import id_of, result_event
from oddsengine.webhooks.guard_counts import GuardedMarkets
from oddsengine.webhooks.outbox import Note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from redis.asyncio import Redis

    from oddsengine.domain.changes import MarketChange
    from oddsengine.domain.results import SelectionResult
    from oddsengine.webhooks.guard_counts import GuardCounts

_READ_COUNT: Final = 200
#: How many reads find nothing until the end of the stream is looked at.
_CHECK_EVERY: Final = 10
#: What a fragment contains if it has a result, one that was taken back, or a status.
_OF_INTEREST: Final = re.compile(rb'"result":|"status":')
_WITH_RESULT: Final = re.compile(rb"winner|loser|void|placed")
_log = structlog.get_logger(__name__)


class ShardWatch:
    """Watches one shard.

    Results are compared with those that were noted, so those of a time when nobody watched are told afterwards.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shard: the shard's number.
        noted: what was noted of all shards, by what it is about; shared, and kept up to date.
        counts: of the suspensions by guards.
        with_results: whether anybody wants results.
    """

    def __init__(
        self,
        redis: Redis,
        namespace: str,
        shard: int,
        noted: dict[str, str],
        counts: Sequence[GuardCounts],
        *,
        with_results: bool = True,
    ) -> None:
        self._redis = redis
        self._keys = shard_keys(namespace, shard)
        self._prefix = f"result:{shard}:"
        self._watched = f"watched:{shard}"
        self._noted = noted
        self._counts = counts
        self._with_results = with_results
        self._guarded = GuardedMarkets()
        self._position = ORIGIN
        self._empty_reads = 0
        #: the markets with results, with those of each selection
        self._results: dict[str, dict[str, SelectionResult]] = {}

    async def read(self, at_ms: int) -> tuple[list[Note], bool]:
        """Return what is new, and whether there may be more already.

        Args:
            at_ms: the present time, Unix milliseconds.

        Raises:
            RedisError, OSError: if Redis does not answer.
        """
        if self._position == ORIGIN:
            return await self._load(at_ms), False
        start = f"({self._position.stream_id()}"
        entries: Any = await self._redis.xrange(self._keys.changes, min=start, count=_READ_COUNT)
        notes: list[Note] = []
        if not entries:
            await self._check_loss()
        for stream_id, fields in entries:
            position = parse_stream_id(stream_id)
            if position != Position(self._position.epoch, self._position.seq + 1):
                # Another owner, or a part that is gone: what matters of it is in the snapshot.
                self._position = ORIGIN
                return notes, True
            self._position = position
            notes += self._read_entry(fields.get(BATCH_FIELD, b""), at_ms)
        return notes, len(entries) == _READ_COUNT

    async def _check_loss(self) -> None:
        """Load the snapshot again if the stream has become shorter than what was read."""
        self._empty_reads += 1
        if self._empty_reads % _CHECK_EVERY == 0 and await read_top(self._redis, self._keys.changes) < self._position:
            self._position = ORIGIN

    def _read_entry(self, raw: bytes, at_ms: int) -> Iterator[Note]:
        try:
            entry = decode_entry(raw)
            if not (entry.removals or any(_OF_INTEREST.search(fragments) for fragments in entry.ready[:1])):
                return
            batch = batch_of(entry)
        except (*DECODING_ERRORS, ValueError) as error:
            _log.error("stream entry unreadable for webhooks", error=str(error))
            return
        for removal in batch.removals:
            if removal.kind == "market":
                yield from self._forget(removal.id)
            else:
                prefix = f"{removal.id}/"
                for market in [each for each in self._results if each.startswith(prefix)]:
                    yield from self._forget(market)
        for change in batch.markets:
            yield from self._read_change(change, batch.ts_ms, at_ms)

    def _read_change(self, change: MarketChange, ts_ms: int, at_ms: int) -> Iterator[Note]:
        if change.state is not None and (reason := self._guarded.note(change.id, change.state)) is not None:
            for counts in self._counts:
                event = counts.add(change.id, reason, ts_ms)
                if event is not None:
                    yield Note("", "", event)
        found = {key: each.result for key, each in change.selections.items() if each.result is not None}
        if found and self._with_results:
            yield from self._compare(change.id, {**self._results.get(change.id, {}), **found}, at_ms)

    def _compare(self, market: str, results: dict[str, SelectionResult], at_ms: int) -> Iterator[Note]:
        """Yield the event of a market's results if others, or none, were noted of it.

        What is noted is a digest of the results, and one of them and all before: the same results after others are another event.
        """
        self._results[market] = results
        field = self._prefix + market
        before, _, chain = self._noted.get(field, "").partition(" ")
        now = _digest(results)
        if now == before:
            return
        event_id = id_of("market.resulted", market, chain, now)
        self._noted[field] = value = f"{now} {event_id}"
        yield Note(field, value, result_event(event_id, market, results, at_ms))

    def _forget(self, market: str) -> Iterator[Note]:
        self._guarded.note(market, None)
        self._results.pop(market, None)
        if self._noted.pop(self._prefix + market, None) is not None:
            yield Note(self._prefix + market, "")

    async def _load(self, at_ms: int) -> list[Note]:
        """Return what the snapshot has, and nobody was told. What it had when nobody ever watched it is only noted."""
        head = await read_head(self._redis, self._keys)
        top = head.top
        if top == ORIGIN:
            return []
        if not self._with_results:
            self._position = top
            return []
        # Nothing is noted before all is read: an error would lose it.
        stored = await read_stored(self._redis, self._keys, head)
        if stored is None or not stored.is_whole:
            return []
        offer = ReplicaOffer(())
        stored.load_into(offer)
        found: dict[str, dict[str, SelectionResult]] = {}
        for key, held in offer.markets.items():
            is_noted = self._prefix + key in self._noted
            if not is_noted and isinstance(held.held, bytes) and not _WITH_RESULT.search(held.held):
                continue
            results = {key: each.result for key, each in held.selections.items() if each.result is not None}
            if results:
                found[key] = results
        notes: list[Note] = []
        for market, results in found.items():
            notes += self._compare(market, results, at_ms)
        for market in [field.removeprefix(self._prefix) for field in self._noted if field.startswith(self._prefix)]:
            if MarketId(market) not in offer.markets:
                notes += self._forget(market)
        if self._watched not in self._noted:
            self._noted[self._watched] = "1"
            notes = [*(note._replace(event=None) for note in notes), Note(self._watched, "1")]
        self._position = top
        return notes


def _digest(results: Mapping[str, SelectionResult]) -> str:
    texts = (f"{key} {each.outcome} {each.void_factor} {each.dead_heat_factor}" for key, each in sorted(results.items()))
    return id_of(*texts)[4:20]
