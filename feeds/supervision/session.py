"""One connection of a feed, from connecting to the error that ends it.

Three loops run while it lasts: one reads the stream, one makes the HTTP requests that are due, one watches the time. All three
pass what they receive to the codec, and the codec's events to the event handler, in the order of arrival.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Final

import structlog

from feeds.errors import ContinuityLost, FeedError, WentStale
from feeds.feed import Unreadable
from feeds.recording.packet import Packet, data_packet, response_packet
from feeds.supervision.states import FeedState, Trigger
from feeds.supervision.watchdog import Watchdog
from feeds.toolkit.responses import max_failing_s
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.feed import CodecEvent, Connection, Feed
    from feeds.supervision.counters import FeedCounters
    from feeds.supervision.event_handler import EventHandler
    from feeds.supervision.health_tracker import HealthTracker
    from feeds.supervision.retry import Retry
    from feeds.supervision.settings import Supervision
    from feeds.supervision.states import FeedStatus
    from feeds.transports.http import HttpClient, Request, Response

#: How often limits are checked, in seconds; they are kept to within this.
WATCH_INTERVAL_S: Final = 0.05
#: The quiet limits of a polled feed are at least this many polling intervals.
_MIN_QUIET_POLLS: Final = 6

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class SessionContext:
    """The objects that all sessions of one feed share."""

    name: str
    feed: Feed
    limits: Supervision
    status: FeedStatus
    health: HealthTracker
    events: EventHandler
    counters: FeedCounters
    retry: Retry
    tap: Callable[[Packet], None] | None
    now_ms: Callable[[], int]
    clock: Callable[[], float]


class FeedSession:
    """One connection of a feed.

    Args:
        context: the feed, and what outlives the connection.
    """

    def __init__(self, context: SessionContext) -> None:
        self._name = context.name
        self._feed = context.feed
        self._codec = context.feed.codec
        self._limits = context.limits
        self._status = context.status
        self._health = context.health
        self._events = context.events
        self._counters = context.counters
        self._retry = context.retry
        self._tap = context.tap
        self._now_ms = context.now_ms
        self._clock = context.clock
        self._watchdog = self._new_watchdog()
        self._connection: Connection | None = None
        #: what was wrong with the last response that could not be used
        self._failure = ""
        #: set when a request may have become due earlier than expected
        self._request_due = asyncio.Event()

    async def run(self) -> None:
        """Connect, and keep the connection until it fails. May be cancelled.

        Raises:
            OSError: if the connection could not be opened, or broke.
            FeedError: if the provider refused it, or it can't be trusted any more.
        """
        try:
            await self._connect()
        except (OSError, FeedError):
            raise
        except Exception as error:
            # A bug in an adapter must cost its own feed the connection, not the process and with it all other feeds.
            _log.exception("adapter failure", feed=self._name)
            raise ContinuityLost(f"the adapter failed: {error!r}", reset=True) from error

    async def _connect(self) -> None:
        transport, timeout_s = self._feed.transport, self._limits.connect_timeout_s
        if transport is None:
            await self._run_loops(None)
            return
        opening = transport.connect()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await opening.__aenter__()
        except TimeoutError:
            raise ContinuityLost(f"no connection within {timeout_s:g} s") from None
        try:
            await self._run_loops(connection)
        finally:
            # Without the error: a transport closes the connection, and must not be able to suppress what ended it.
            await opening.__aexit__(None, None, None)

    async def _run_loops(self, connection: Connection | None) -> None:
        self._status.apply(Trigger.OPENED, "connected")
        self._counters.connections += 1
        self._connection = connection
        self._health.connection_made()
        self._watchdog = self._new_watchdog()
        self._codec.connection_made()
        self._record(Packet(at_ms=self._now_ms(), kind="opened"))
        loops = [self._watch()]
        if connection is not None:
            loops.append(self._read(connection))
        if self._feed.poller is not None:
            loops.append(self._poll())
        tasks = [asyncio.create_task(loop, name=self._name) for loop in loops]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            while done:
                done.pop().result()
        finally:
            self._connection = None
            await end_tasks(tasks)
            # The exception of a task refers to this frame, and the frame to the tasks: a cycle that would keep every lost
            # connection, with its buffers, until the garbage collector runs.
            tasks.clear()

    def _new_watchdog(self) -> Watchdog:
        limits = self._limits
        # Where prices are polled, a verification takes several polls too.
        min_s = _MIN_QUIET_POLLS * self._feed.poll_interval_s
        in_play_s, otherwise_s = (max(limit, min_s) if limit else 0.0 for limit in (limits.quiet_in_play_s, limits.quiet_s))
        can_verify = self._feed.verifier is not None
        return Watchdog(in_play_s, otherwise_s, can_verify=can_verify, now_s=self._clock())

    # -- reading the stream -----------------------------------------------------------------------------------------

    async def _read(self, connection: Connection) -> None:
        codec = self._codec
        while True:
            await self._write()
            data = await connection.read()
            if not data:
                raise ContinuityLost("the provider closed the connection")
            self._counters.bytes += len(data)
            self._data_received()
            if self._tap is not None:
                self._tap(data_packet(self._now_ms(), data))
            self._events.handle(codec.receive_data(data), self._watchdog)
            self._request_due.set()

    async def _write(self) -> None:
        data = self._codec.data_to_send()
        if data and self._connection is not None:
            await self._connection.write(data)

    def _data_received(self) -> None:
        self._watchdog.data_received(self._clock())
        self._status.received_ms = self._now_ms()

    # -- HTTP requests ----------------------------------------------------------------------------------------------

    async def _poll(self) -> None:
        poller, http = self._feed.poller, self._feed.http
        if poller is None or http is None:
            raise FeedError(f"feed {self._name} has a poller but no HTTP client")
        while True:
            await asyncio.sleep(self._retry.hold_s(self._clock()))
            asked_ms = self._now_ms()
            request = poller.next_request(asked_ms)
            if request is None:
                await self._until_due(poller.next_due_ms())
                continue
            self._record(Packet(at_ms=asked_ms, kind="asked"))
            response = await self._fetch(http, request)
            events = poller.receive_response(response)
            failure = _failure(response, events)
            if failure is None:
                self._retry.request_succeeded()
                if self._feed.transport is None:
                    self._data_received()
            else:
                self._retry.request_failed(self._clock(), response.retry_after_s)
                self._failure = failure
                self._status.explain(failure)
            self._events.handle(events, self._watchdog)
            await self._write()

    async def _fetch(self, http: HttpClient, request: Request) -> Response:
        response = await http.fetch(request, round(self._limits.max_response_mb * 1e6))
        if self._tap is not None:
            self._tap(response_packet(response))
        self._counters.bytes += len(response.body)
        return response

    async def _until_due(self, due_ms: int | None) -> None:
        self._request_due.clear()
        wait_s = None if due_ms is None else max(0.0, (due_ms - self._now_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                await self._request_due.wait()
        except TimeoutError:
            pass  # it is due

    # -- watching the time ------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        began_s = self._clock()
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            now_s = self._clock()
            self._tick()
            is_recovering = self._status.state is FeedState.RECOVERING
            if is_recovering and now_s - began_s > self._limits.recovery_timeout_s:
                raise WentStale(f"no complete recovery within {self._limits.recovery_timeout_s:g} s" + self._last_failure())
            limit_s = self._silence_limit_s(is_recovering=is_recovering)
            verdict = self._watchdog.verdict(now_s, limit_s)
            if verdict == "silent":
                missing = "nothing received" if self._feed.transport is not None else "no successful response"
                raise WentStale(f"{missing} for {limit_s:g} s" + self._last_failure())
            if is_recovering:
                continue
            if verdict == "contradicted":
                raise self._frozen("frozen: a verification snapshot contradicts the stream")
            if verdict == "frozen":
                raise self._frozen(f"frozen: no change for {self._watchdog.quiet_limit_s:g} s and no snapshot confirms it")
            if verdict == "verify":
                await self._request_verification(now_s)

    def _silence_limit_s(self, *, is_recovering: bool) -> float:
        """Return how long nothing may be received: less where it is known that requests fail, and prices are trusted."""
        limit_s = self._codec.silence_limit_s
        if is_recovering or self._feed.transport is not None or not self._retry.failed_requests:
            return limit_s
        return min(limit_s, max_failing_s(self._feed.poll_interval_s, self._limits.lag_limit_s or inf))

    def _tick(self) -> None:
        ticker = self._feed.ticker
        if ticker is None:
            return
        now_ms = self._now_ms()
        if events := ticker.tick(now_ms):
            self._record(Packet(at_ms=now_ms, kind="time"))
            self._events.handle(events, self._watchdog)

    async def _request_verification(self, now_s: float) -> None:
        verifier = self._feed.verifier
        if verifier is None:
            return
        self._watchdog.snapshot_requested(now_s)
        self._counters.samples += 1
        verifier.request_verification()
        self._record(Packet(at_ms=self._now_ms(), kind="sample"))
        self._request_due.set()
        await self._write()

    def _last_failure(self) -> str:
        """Return the end of an error message: what was wrong with the last request, if requests are failing."""
        return f"; the last request failed: {self._failure}" if self._failure and self._retry.failed_requests else ""

    def _frozen(self, reason: str) -> WentStale:
        """Return the error that ends a frozen connection. The next one starts over: the resume state of this one is worthless."""
        self._health.mark_frozen()
        return WentStale(reason, reset=True)

    def _record(self, packet: Packet) -> None:
        if self._tap is not None:
            self._tap(packet)


def _failure(response: Response, events: list[CodecEvent]) -> str | None:
    """Return what was wrong with a response; None if it was of use. A page that can't be read is no better than an error."""
    if not response.ok:
        asked_s = response.retry_after_s
        return response.error_text + ("" if asked_s is None else f" (asks to wait {asked_s:g} s)")
    unreadable = next((event for event in events if isinstance(event, Unreadable)), None)
    return None if unreadable is None else f"{unreadable.where}: {unreadable.reason}: {unreadable.excerpt}"
