"""Watches an installation for whatever webhooks are about, and notes it in the outbox. One process of an installation does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from oddsengine.streams.commands.tail import EntriesMissing, LogPosition, decode_position, read_after
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.webhooks.events import command_event, feed_event, id_of, pair_event
from oddsengine.webhooks.guard_counts import GuardCounts
from oddsengine.webhooks.outbox import Note
from oddsengine.webhooks.shard_watch import ShardWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from redis.asyncio import Redis

    from oddsengine.streams.commands.log import CommandLog
    from oddsengine.streams.leases.keeper import Lease
    from oddsengine.webhooks.events import OutboxEvent
    from oddsengine.webhooks.outbox import Outbox
    from oddsengine.webhooks.settings import WebhookSettings

#: How often everything is looked at.
LOOK_S: Final = 0.5
#: How long a feed must not be live to be down, and longer when the watch begins: it may be connecting still.
DOWN_AFTER_MS: Final = 1000
_DOWN_AT_START_MS: Final = 20_000
#: How long after the watch has begun a pair that is not doubtful is settled: before, its events may not be described yet.
_PAIRS_KNOWN_AFTER_MS: Final = 600_000
_MAX_PAIRS: Final = 200
_USER: Final = "webhooks"
_COMMANDS: Final = "commands"
_log = structlog.get_logger(__name__)


class EngineView(Protocol):
    """The facts that only an engine knows."""

    def feeds(self) -> list[dict[str, Any]]:
        """Return the status of every feed."""
        ...

    def unmatched(self) -> list[dict[str, Any]]:
        """Return the pairs of events that may be the same."""
        ...


class FloorWatch:
    """Notes what is true of feeds and pairs now. Pure.

    Args:
        noted: what was noted, by what it is about; kept up to date.
        began_ms: when the watch began, Unix milliseconds.
    """

    def __init__(self, noted: dict[str, str], began_ms: int) -> None:
        self._noted = noted
        self._began_ms = began_ms
        #: since when feeds are not live
        self._down_ms: dict[str, int] = {}

    def check_feeds(self, statuses: Sequence[dict[str, Any]], now_ms: int) -> Iterator[Note]:
        """Yield the feeds that have gone down or up. One that is live when it is first seen is no news."""
        for status in statuses:
            feed = str(status["feed"])
            field = f"feed:{feed}"
            before = self._noted.get(field)
            if status["state"] == "live":
                self._down_ms.pop(feed, None)
                now = "up"
            else:
                since_ms = self._down_ms.setdefault(feed, now_ms)
                starts = before is None or since_ms - self._began_ms < DOWN_AFTER_MS
                if now_ms - since_ms < (_DOWN_AT_START_MS if starts else DOWN_AFTER_MS):
                    continue
                now = "down"
            if now == before:
                continue
            self._noted[field] = now
            event_id = id_of(field, now, str(now_ms))
            event = None if before is None and now == "up" else feed_event(event_id, status, now_ms, is_up=now == "up")
            yield Note(field, now, event)

    def check_pairs(self, pairs: Sequence[dict[str, Any]], now_ms: int) -> Iterator[Note]:
        """Yield the pairs that have become doubtful."""
        seen: set[str] = set()
        for pair in pairs[:_MAX_PAIRS]:
            ids = sorted(str(event["id"]) for event in pair["events"])
            field = f"pair:{' '.join(ids)}"
            seen.add(field)
            if field not in self._noted:
                self._noted[field] = "1"
                yield Note(field, "1", pair_event(id_of("pair.doubtful", *ids), pair, now_ms))
        if now_ms - self._began_ms > _PAIRS_KNOWN_AFTER_MS and len(pairs) <= _MAX_PAIRS:
            for field in [each for each in self._noted if each.startswith("pair:") and each not in seen]:
                del self._noted[field]
                yield Note(field, "")


class Watch:
    """Watches everything that some endpoint wants to be told.

    Args:
        redis: a client that returns bytes.
        namespace: the namespace of the keys.
        shards: how many shards there are.
        outbox: where it is noted.
        log: the log of commands.
        engine: the engine of this process.
        endpoints: the endpoints.
        lease: whether this process is the one that watches.
        now_ms: Unix milliseconds.
        noted: what was noted before.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        redis: Redis,
        namespace: str,
        shards: int,
        *,
        outbox: Outbox,
        log: CommandLog,
        engine: EngineView,
        endpoints: Sequence[WebhookSettings],
        lease: Lease,
        now_ms: Callable[[], int],
        noted: dict[str, str],
    ) -> None:
        self._outbox = outbox
        self._log = log
        self._engine = engine
        self._lease = lease
        self._now_ms = now_ms
        self._noted = noted
        self._wanted = {kind for endpoint in endpoints for kind in endpoint.events}
        self._floor = FloorWatch(noted, now_ms())
        of_guards = {each.threshold: each for each in endpoints if "guards" in each.events}
        counts = [GuardCounts(each.guard_suspensions, each.guard_window_s, name) for name, each in of_guards.items()]
        is_read = bool(self._wanted & {"guards", "results"})
        self._shards = [
            ShardWatch(redis, namespace, shard, noted, counts, with_results="results" in self._wanted)
            for shard in (range(shards) if is_read else ())
        ]
        self._unwritten: list[Note] = []

    async def run(self) -> None:
        """Watch until cancelled."""
        with REDIS_OUTAGE.used_by(_USER):
            while True:
                await self._lease.until_held()
                has_more = False
                try:
                    has_more = await self._check()
                except UNAVAILABLE as error:
                    note_outage(_USER, error)
                else:
                    REDIS_OUTAGE.worked(_USER)
                # Never in the way of what else this process does.
                await asyncio.sleep(LOOK_S / 50 if has_more else LOOK_S)

    async def _check(self) -> bool:
        now_ms = self._now_ms()
        await self._write()
        if "feeds" in self._wanted:
            self._unwritten += self._floor.check_feeds(self._engine.feeds(), now_ms)
        if "pairs" in self._wanted:
            self._unwritten += self._floor.check_pairs(self._engine.unmatched(), now_ms)
        if "commands" in self._wanted:
            await self._check_commands(now_ms)
        has_more = False
        for shard in self._shards:
            notes, more = await shard.read(now_ms)
            self._unwritten += notes
            has_more = has_more or more
        await self._write()
        return has_more

    async def _write(self) -> None:
        if self._unwritten:
            await self._outbox.write(self._unwritten)
            self._unwritten.clear()

    async def _check_commands(self, now_ms: int) -> None:
        noted = self._noted.get(_COMMANDS)
        position, newest_ms = _decode_place(noted)
        if position is None:
            # Nobody has watched before: begin at the end.
            last = await self._log.last_seq()
            self._note_place(LogPosition(last, await self._log.digest_at(last)), newest_ms)
            return
        try:
            entries = await read_after(self._log, position, 1)
        except EntriesMissing as missing:
            if missing.cause == "lost" or missing.found is None:
                # What the log has now is read from its beginning: events are made of what is newer than what was told.
                _log.warning("commands lost before webhooks had them", after=position.seq)
                self._note_place(LogPosition(0), newest_ms)
                return
            if missing.cause == "trimmed" and position.seq:
                _log.warning("commands missed by webhooks", missed=missing.found.seq - position.seq - 1)
            entries = [missing.found]
        for entry in entries:
            is_news = entry.command is not None and entry.command.step_ms > newest_ms
            event = command_event(entry.command, now_ms) if entry.command is not None and is_news else None
            newest_ms = max(newest_ms, 0 if entry.command is None else entry.command.step_ms)
            self._note_place(LogPosition(entry.seq, entry.digest), newest_ms, event)

    def _note_place(self, position: LogPosition, newest_ms: int, event: OutboxEvent | None = None) -> None:
        self._noted[_COMMANDS] = place = f"{newest_ms} {position.encode()}"
        self._unwritten.append(Note(_COMMANDS, place, event))


def _decode_place(noted: str | None) -> tuple[LogPosition | None, int]:
    """Return up to which entry commands were noted, and the time of the newest; earlier releases have noted a number only."""
    if noted is None:
        return None, 0
    newest, _, position = noted.partition(" ")
    if not newest.isdigit():
        return None, 0
    return (decode_position(position), int(newest)) if position else (decode_position(newest), 0)
