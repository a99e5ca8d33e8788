"""Keeps one feed alive, and knows when it is not.

    down ── connect ──> connecting ── opened ──> recovering ── the codec says live ──> live
      ^                     |                        |                                  |
      └──── failed, closed, silent past the limit, refused: every market of the source is suspended ────┘

While a feed is not live its source's word is not to be trusted: the supervisor says so in the same stream of updates in
which the codec says that it is live again, so order alone keeps a wrong price from staying open.
"""

from __future__ import annotations

import asyncio
import contextlib
from enum import Enum
from typing import TYPE_CHECKING, Final

import stamina
import structlog

from feeds.errors import FeedError, ProviderRefused
from feeds.feed import Dropped, Rejected
from oddsengine.markets.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.feed import CodecEvent, Feed

CONNECT_TIMEOUT_S: Final = 10.0
BACKOFF_START_S: Final = 0.25
BACKOFF_CEILING_S: Final = 30.0
_READ_BYTES: Final = 256 * 1024

_log = structlog.get_logger(__name__)


class FeedState(Enum):
    """Where a feed stands."""

    DOWN = "down"
    CONNECTING = "connecting"
    RECOVERING = "recovering"
    LIVE = "live"


class ContinuityLost(FeedError):
    """The connection ended or can't be trusted any more; `reason` says how."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


class FeedCounters:
    """What one feed has done since it started; read by the metrics."""

    __slots__ = ("bytes", "connections", "dropped", "failures", "messages", "rejected")

    def __init__(self) -> None:
        self.bytes = 0
        self.messages = 0
        self.rejected = 0
        self.dropped = 0
        self.connections = 0
        self.failures = 0


class Supervisor:
    """Runs one feed until cancelled.

    Args:
        source: the name the feed's updates carry.
        feed: its codec and transport.
        sink: takes each batch of updates; called in the event loop, must not block.
        backoff_start_s: the first wait after a failure; doubles up to `BACKOFF_CEILING_S`, with jitter.
    """

    def __init__(
        self,
        source: str,
        feed: Feed,
        sink: Callable[[UpdateBatch], None],
        *,
        backoff_start_s: float = BACKOFF_START_S,
    ) -> None:
        self.source = source
        self._feed = feed
        self._sink = sink
        self._backoff_start_s = backoff_start_s
        self.state = FeedState.DOWN
        self.reason = "not connected yet"
        self.counters = FeedCounters()

    async def run(self) -> None:
        """Connect, read, and connect again; returns only if the provider refused for good."""
        while True:
            # Each context starts its waits anew; it ends when a session had been live, so only failures in a row add up.
            async for attempt in stamina.retry_context(
                on=(OSError, FeedError),
                attempts=None,
                timeout=None,
                wait_initial=self._backoff_start_s,
                wait_max=BACKOFF_CEILING_S,
                wait_jitter=self._backoff_start_s,
            ):
                with attempt:
                    if not await self._session():
                        return
            await asyncio.sleep(self._backoff_start_s)

    async def _session(self) -> bool:
        """Hold one connection to its end; tell whether to go on. Raises if it never became live."""
        self.state, self.reason = FeedState.CONNECTING, "connecting"
        was_live = False
        try:
            await self._converse()
        except ProviderRefused as refusal:
            was_live = self._lost(str(refusal))
            if refusal.fatal:
                _log.error("feed given up", source=self.source, reason=str(refusal))
                return False
            if not was_live:
                raise
        except (OSError, FeedError) as error:
            was_live = self._lost(str(error) or type(error).__name__)
            if not was_live:
                raise
        return True

    def _lost(self, reason: str) -> bool:
        """Say that the source can't be trusted from here on; tell whether it could be before."""
        was_live = self.state is FeedState.LIVE
        self.state, self.reason = FeedState.DOWN, reason
        self.counters.failures += 1
        _log.warning("feed lost", source=self.source, reason=reason, was_live=was_live)
        self._sink(UpdateBatch(self.source, None, [SourceStatus("down", reason)]))
        return was_live

    async def _converse(self) -> None:
        codec = self._feed.codec
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await self._feed.transport.connect()
        except TimeoutError:
            raise ContinuityLost(f"no connection within {CONNECT_TIMEOUT_S:g} s") from None
        self.counters.connections += 1
        self.state, self.reason = FeedState.RECOVERING, "connected"
        try:
            codec.connection_made()
            while True:
                limit = codec.silence_limit_s
                try:
                    async with asyncio.timeout(limit):
                        if outgoing := codec.data_to_send():
                            writer.write(outgoing)
                            await writer.drain()
                        data = await reader.read(_READ_BYTES)
                except TimeoutError:
                    raise ContinuityLost(f"nothing heard for {limit:g} s") from None
                if not data:
                    raise ContinuityLost("the provider closed the connection")
                self.counters.bytes += len(data)
                for event in codec.receive_data(data):
                    self._take(event)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _take(self, event: CodecEvent) -> None:
        if isinstance(event, UpdateBatch):
            self.counters.messages += 1
            for update in event.updates:
                if isinstance(update, SourceStatus):
                    self._note(update)
            self._sink(event)
        elif isinstance(event, Rejected):
            self.counters.rejected += 1
            _log.warning(
                "provider message rejected", source=self.source, where=event.where, reason=event.reason, excerpt=event.excerpt
            )
        elif isinstance(event, Dropped):
            self.counters.dropped += 1
        else:
            raise event

    def _note(self, status: SourceStatus) -> None:
        if status.health == "live":
            self.state = FeedState.LIVE
        self.reason = status.reason
        _log.info("feed status", source=self.source, health=status.health, reason=status.reason)
