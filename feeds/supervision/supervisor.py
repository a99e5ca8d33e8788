"""Keeps one feed alive, and knows when it is not: the shell around `feeds.supervision.states`.

One loop reads the stream, one asks what is due over HTTP, one watches the time. All three hand what comes to the codec, and what
the codec says to the intake, in the order in which it came.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog

from feeds.errors import ContinuityLost, FeedError, ProviderRefused, WentStale
from feeds.recording.packet import Packet, data_packet, response_packet
from feeds.supervision.counters import FeedCounters
from feeds.supervision.event_handler import EventHandler
from feeds.supervision.health_tracker import HealthTracker
from feeds.supervision.retry import Retry
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState, FeedStatus, Trigger
from feeds.supervision.watchdog import Watchdog
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.domain.feed_updates import SourceStatus, UpdateBatch

if TYPE_CHECKING:
    from collections.abc import Callable

    from feeds.feed import Connection, Feed, Quota
    from feeds.supervision.event_handler import Sink
    from feeds.supervision.lag import LagMeter
    from feeds.transports.http import HttpClient
    from oddsengine.domain.feed_updates import SourceHealth

#: How often the time is looked at: limits are kept to within this.
WATCH_S: Final = 0.05
#: The quiet limits of a feed that is polled are at least so many of its turns.
_QUIET_TURNS: Final = 6

_log = structlog.get_logger(__name__)


class Supervisor:
    """Runs one feed until cancelled.

    Args:
        name: the feed's name.
        feed: what it is made of.
        sink: takes what it says.
        supervision: its limits and waits.
        tap: takes what is received as it is received, to record it.
        now_ms: the wall clock, Unix milliseconds.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        feed: Feed,
        sink: Sink,
        supervision: Supervision | None = None,
        *,
        tap: Callable[[Packet], None] | None = None,
        now_ms: Callable[[], int] = wall_clock_ms,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._feed = feed
        self._sink = sink
        self._supervision = supervision or Supervision()
        self._tap = tap
        self._now_ms = now_ms
        self._clock = clock
        self.status = FeedStatus(name, now_ms)
        self._trust = HealthTracker(self.status, self._supervision.lag_limit_s, self._say)
        self.retry = Retry(name, self._supervision)
        self.counters = FeedCounters()
        self._intake = EventHandler(name, sink, self._trust, self.counters, now_ms, clock)
        #: when the provider last said anything, Unix milliseconds
        self.received_ms: int | None = None
        self._watchdog = self._new_watchdog()
        self._connection: Connection | None = None
        self._something_due = asyncio.Event()

    @property
    def sources(self) -> tuple[str, ...]:
        """Name the sources that the feed speaks for."""
        return self._feed.sources

    @property
    def http(self) -> HttpClient | None:
        """What asks over HTTP, with its counts; None where nothing does."""
        return self._feed.http

    @property
    def lag(self) -> LagMeter:
        """How late its messages come."""
        return self._trust.lag

    @property
    def quota(self) -> Quota | None:
        """What may still be asked, as the provider last said it; None where it says nothing of it."""
        return self._intake.quota

    @property
    def state(self) -> FeedState:
        """Where the feed stands."""
        return self.status.state

    @property
    def reason(self) -> str:
        """Why it stands there."""
        return self.status.reason

    async def run(self) -> None:
        """Connect, stay, and connect again until cancelled."""
        while True:
            # Each round counts its failures anew; it ends with a session that had been live, so only failures in a row add up.
            async for attempt in self.retry.attempts():
                self.retry.breaker.messages.clear()
                with attempt, self.retry.breaker:
                    await self._session()
                    self.retry.failures = 0
            await asyncio.sleep(self.retry.wait_s(1))

    async def _session(self) -> None:
        """Hold one connection to its end. Raises if it was not live for long enough to count as a success."""
        self.status.move(Trigger.CONNECT, "connecting")
        began_s = self._clock()
        try:
            await self._converse_guarded()
        except (OSError, FeedError) as error:
            was_live = self.state in {FeedState.LIVE, FeedState.LAGGING}
            self._lost(error, was_live=was_live)
            if not was_live or self._clock() - began_s < self._supervision.backoff_ceiling_s:
                raise

    def _lost(self, error: OSError | FeedError, *, was_live: bool) -> None:
        """Say that the source can't be trusted from here on."""
        reason = str(error) or type(error).__name__
        health: SourceHealth = "stale" if isinstance(error, WentStale) else "down"
        self.counters.failures += 1
        if isinstance(error, ContinuityLost) and error.reset:
            self._feed.codec.reset()
            self._note(Packet(at_ms=self._now_ms(), kind="afresh"))
        self.status.move(Trigger.WENT_STALE if health == "stale" else Trigger.LOST, reason)
        if was_live:
            self.counters.continuity_lost += 1
            _log.warning("continuity lost", feed=self.name, health=health, reason=reason, received_ms=self.received_ms)
        elif isinstance(error, ProviderRefused) and error.fatal:
            _log.error("feed refused, probing on", feed=self.name, reason=reason, probe_s=self._supervision.breaker_probe_s)
        else:
            _log.warning("feed not connected", feed=self.name, reason=reason)
        self._trust.say(health, reason)

    async def _converse_guarded(self) -> None:
        """Make a fault of the adapter cost this feed its connection, not the process and with it all the other feeds."""
        try:
            await self._message_loop()
        except (OSError, FeedError):
            raise
        except Exception as error:
            _log.exception("adapter failed", feed=self.name)
            raise ContinuityLost(f"the adapter failed: {error!r}", reset=True) from error

    async def _message_loop(self) -> None:
        feed, timeout_s = self._feed, self._supervision.connect_timeout_s
        if feed.transport is None:
            await self._hold(None)
            return
        opening = feed.transport.connect()
        try:
            async with asyncio.timeout(timeout_s):
                connection = await opening.__aenter__()
        except TimeoutError:
            raise ContinuityLost(f"no connection within {timeout_s:g} s") from None
        try:
            await self._hold(connection)
        finally:
            await opening.__aexit__(None, None, None)

    async def _hold(self, connection: Connection | None) -> None:
        self.status.move(Trigger.OPENED, "connected")
        self.counters.connections += 1
        self._connection = connection
        self._trust.connection_made()
        self._watchdog = self._new_watchdog()
        self._feed.codec.connection_made()
        self._note(Packet(at_ms=self._now_ms(), kind="opened"))
        loops = [self._watching()]
        if connection is not None:
            loops.append(self._reading(connection))
        if self._feed.poller is not None:
            loops.append(self._asking())
        tasks = [asyncio.create_task(loop, name=self.name) for loop in loops]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            while done:
                done.pop().result()
        finally:
            self._connection = None
            await end_tasks(tasks)
            # What a task failed with leads back to this frame, and so to the tasks: a circle that would keep every lost
            # connection, with its buffers, until the collector comes.
            tasks.clear()

    def _new_watchdog(self) -> Watchdog:
        limits = self._supervision
        can_sample = self._feed.verifier is not None
        # Where one asks now and then, a sample takes its turns too.
        least_s = _QUIET_TURNS * self._feed.poll_interval_s
        in_play_s, otherwise_s = (max(limit, least_s) if limit else 0.0 for limit in (limits.quiet_in_play_s, limits.quiet_s))
        return Watchdog(in_play_s, otherwise_s, can_sample=can_sample, now_s=self._clock())

    # -- the three loops ------------------------------------------------------------------------------------------

    async def _reading(self, connection: Connection) -> None:
        codec = self._feed.codec
        while True:
            await self._write()
            data = await connection.read()
            if not data:
                raise ContinuityLost("the provider closed the connection")
            self.counters.bytes += len(data)
            self._heard()
            if self._tap is not None:
                self._tap(data_packet(self._now_ms(), data))
            self._intake.take(codec.receive_data(data), self._watchdog)
            self._something_due.set()

    async def _asking(self) -> None:
        poller, http = self._feed.poller, self._feed.http
        if poller is None or http is None:
            raise FeedError(f"feed {self.name} asks over HTTP but has no client for it")
        failures = 0
        while True:
            asked_ms = self._now_ms()
            request = poller.next_request(asked_ms)
            if request is None:
                await self._until_due(poller.next_due_ms())
                continue
            self._note(Packet(at_ms=asked_ms, kind="asked"))
            response = await http.fetch(request)
            if self._tap is not None:
                self._tap(response_packet(response))
            self.counters.bytes += len(response.body)
            if response.ok:
                failures = 0
                if self._feed.transport is None:
                    self._heard()
            else:
                failures += 1
            self._intake.take(poller.receive_response(response), self._watchdog)
            await self._write()
            if not response.ok:
                wait_s = self.retry.wait_s(failures)
                # A provider that says when to come back is not asked earlier.
                await asyncio.sleep(max(wait_s, response.retry_after_s or 0.0))

    async def _until_due(self, due_ms: int | None) -> None:
        self._something_due.clear()
        wait_s = None if due_ms is None else max(0.0, (due_ms - self._now_ms()) / 1000)
        try:
            async with asyncio.timeout(wait_s):
                await self._something_due.wait()
        except TimeoutError:
            pass  # it is due

    async def _watching(self) -> None:
        began_s = self._clock()
        while True:
            await asyncio.sleep(WATCH_S)
            now_s = self._clock()
            if self._feed.ticker is not None:
                self._pass_time()
            if self.state is FeedState.RECOVERING and now_s - began_s > self._supervision.recovery_timeout_s:
                raise WentStale(f"no complete recovery within {self._supervision.recovery_timeout_s:g} s")
            limit_s = self._feed.codec.silence_limit_s
            verdict = self._watchdog.verdict(now_s, limit_s)
            if verdict == "silent":
                what = "nothing heard" if self._feed.transport is not None else "no good answer"
                raise WentStale(f"{what} for {limit_s:g} s")
            if self.state is FeedState.RECOVERING:
                continue
            if verdict == "contradicted":
                raise self._frozen("frozen: a fresh sample says something else than what was streamed")
            if verdict == "frozen":
                raise self._frozen(f"nothing moved for {self._watchdog.quiet_limit_s:g} s and no sample confirms it")
            if verdict == "sample" and self._feed.verifier is not None:
                self._watchdog.asked(now_s)
                self.counters.samples += 1
                self._feed.verifier.request_verification()
                self._note(Packet(at_ms=self._now_ms(), kind="sample"))
                self._something_due.set()
                await self._write()

    def _pass_time(self) -> None:
        ticker = self._feed.ticker
        now_ms = self._now_ms()
        if ticker is not None and (events := ticker.tick(now_ms)):
            self._note(Packet(at_ms=now_ms, kind="time"))
            self._intake.take(events, self._watchdog)

    def _frozen(self, reason: str) -> WentStale:
        """Make the next connection begin afresh: what a frozen stream would resume from is worth nothing."""
        self._trust.stood_still()
        return WentStale(reason, reset=True)

    async def _write(self) -> None:
        data = self._feed.codec.data_to_send()
        if data and self._connection is not None:
            await self._connection.write(data)

    def _heard(self) -> None:
        self._watchdog.heard(self._clock())
        self.received_ms = self._now_ms()

    def _say(self, health: SourceHealth, reason: str) -> None:
        self._note(Packet(at_ms=self._now_ms(), kind="status", text=reason, health=health))
        for source in self._feed.sources:
            self._sink.receive(UpdateBatch(source, None, [SourceStatus(health, reason)]))

    def _note(self, packet: Packet) -> None:
        if self._tap is not None:
            self._tap(packet)
