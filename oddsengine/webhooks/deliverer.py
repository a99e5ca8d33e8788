"""Posts the events of the outbox to one endpoint."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
import structlog

from oddsengine import __version__
from oddsengine.common.reporting.outages import Outage
from oddsengine.streams.connection import REDIS_OUTAGE, UNAVAILABLE, note_outage
from oddsengine.webhooks.delivery_queue import DeliveryQueue
from oddsengine.webhooks.settings import WebhookSettings
from oddsengine.webhooks.signing import sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from oddsengine.streams.leases.keeper import Lease
    from oddsengine.webhooks.delivery_queue import PendingEvent
    from oddsengine.webhooks.events import OutboxEvent
    from oddsengine.webhooks.outbox import Outbox

_POLL_S: Final = 0.25
_READ_COUNT: Final = 100
#: Of an answer so much is read, so that its connection can be used again; it means nothing.
_ANSWER_BYTES: Final = 16_384
_MAX_DIGITS: Final = 10
_ACCEPTED: Final = range(200, 300)
#: An endpoint that answers with one of these may accept this event later; with another 4xx it refuses this event.
_PASSING: Final = frozenset({408, 409, 425, 429})
_CLIENT_ERRORS: Final = range(400, 500)
ENDPOINT_OUTAGE: Final = Outage("webhook failing", "webhook works again")
_log = structlog.get_logger(__name__)


class Endpoint(NamedTuple):
    """An endpoint whose secrets were read."""

    settings: WebhookSettings
    keys: tuple[bytes, ...]
    tls: ssl.SSLContext | None = None


class Counters:
    """Counts of what became of the events of one endpoint in this process."""

    __slots__ = ("delivered", "dropped", "failures", "pending")

    def __init__(self) -> None:
        self.delivered = 0
        self.failures = 0
        self.dropped = 0
        self.pending = 0


class Answer(NamedTuple):
    """The result of an attempt: a status, 0 if there was none; for how long to wait; what went wrong."""

    status: int
    retry_after_ms: int = 0
    error: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether the event is delivered."""
        return self.status in _ACCEPTED

    @property
    def is_refused(self) -> bool:
        """Whether the endpoint refuses this event, and may accept others."""
        return self.status in _CLIENT_ERRORS and self.status not in _PASSING


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """Open the connections to endpoints. They keep no cookies, and unpack nothing."""
    jar = aiohttp.DummyCookieJar()
    headers = {"User-Agent": f"oddsengine/{__version__}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(cookie_jar=jar, headers=headers, auto_decompress=False) as session:
        yield session


async def post(session: aiohttp.ClientSession, endpoint: Endpoint, event: OutboxEvent, timestamp_s: int) -> Answer:
    """Post an event. Whatever goes wrong is an answer; no error names the URL, which may contain a key.

    Args:
        session: the connections.
        endpoint: where to.
        event: the event.
        timestamp_s: the present time, Unix seconds, which is signed.
    """
    settings = endpoint.settings
    headers = {
        "webhook-id": event.id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": sign(endpoint.keys, event.id, timestamp_s, event.body),
    }
    try:
        async with session.post(
            settings.url,
            data=event.body,
            headers=headers,
            # A redirect would hand the event to whichever host it names.
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=settings.timeout_s),
            ssl=endpoint.tls if endpoint.tls is not None else True,
        ) as response:
            asked = response.headers.get("Retry-After", "")
            retry_after_ms = 1000 * int(asked) if asked.isascii() and asked.isdigit() and len(asked) < _MAX_DIGITS else 0
            size = 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > _ANSWER_BYTES:
                    response.close()
                    break
            return Answer(response.status, retry_after_ms)
    except TimeoutError:
        return Answer(0, error=f"no answer within {settings.timeout_s:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return Answer(0, error=type(error).__name__)


class Deliverer:
    """Delivers to one endpoint what it wants, from where it was left.

    Args:
        endpoint: the endpoint.
        outbox: the outbox.
        session: the connections.
        lease: whether this process is the one that delivers.
        counters: what is counted.
        now_ms: Unix milliseconds by a clock that is never set.
        wall_ms: Unix milliseconds by the system's clock, for what is signed.
        random: returns a number from 0 to 1.
        begin_again: called when Redis has lost events: everything else that was noted is to be read again too.
    """

    def __init__(  # noqa: PLR0913 - it is wired once
        self,
        endpoint: Endpoint,
        outbox: Outbox,
        session: aiohttp.ClientSession,
        lease: Lease,
        counters: Counters,
        *,
        now_ms: Callable[[], int],
        wall_ms: Callable[[], int],
        random: Callable[[], float],
        begin_again: Callable[[], None],
    ) -> None:
        self._begin_again = begin_again
        #: the id of the event that was read last
        self._read_id = ""
        self._endpoint = endpoint
        self._label = endpoint.settings.label
        self._outbox = outbox
        self._session = session
        self._lease = lease
        self._counters = counters
        self._now_ms = now_ms
        self._wall_ms = wall_ms
        self._random = random
        self._queue: DeliveryQueue | None = None
        self._saved = 0

    async def run(self) -> None:
        """Deliver until cancelled. An attempt that is cancelled is made again by whoever delivers next."""
        try:
            while True:
                await self._lease.until_held()
                try:
                    is_idle = await self._step()
                except UNAVAILABLE as error:
                    note_outage(f"webhook {self._label}", error)
                    is_idle = True
                else:
                    REDIS_OUTAGE.worked(f"webhook {self._label}")
                if is_idle:
                    await asyncio.sleep(_POLL_S)
        finally:
            ENDPOINT_OUTAGE.worked(self._label)
            REDIS_OUTAGE.worked(f"webhook {self._label}")
            self._counters.pending = 0

    async def _step(self) -> bool:
        """Read on and make one attempt. Return whether there was nothing to do."""
        queue = self._queue
        if queue is None:
            queue = self._queue_at(await self._outbox.cursor(self._label))
        queue = await self._read(queue)
        pending = queue.due(self._now_ms())
        if pending is not None:
            await self._attempt(queue, pending)
        if queue.cursor != self._saved:
            await self._outbox.save_cursor(self._label, queue.cursor)
            self._saved = queue.cursor
        return pending is None

    def _queue_at(self, cursor: int) -> DeliveryQueue:
        self._queue = DeliveryQueue(cursor, round(self._endpoint.settings.retry_for_s * 1000), self._random)
        self._saved = cursor
        return self._queue

    async def _read(self, queue: DeliveryQueue) -> DeliveryQueue:
        last = await self._outbox.last_seq()
        if last < queue.position:
            return await self._lose_events()
        self._counters.pending = last - queue.cursor
        if not queue.has_room or last == queue.position:
            return queue
        # With the last one, which is another one where the server has come back as it was earlier.
        entries = await self._outbox.read(max(0, queue.position - 1), _READ_COUNT)
        if entries and entries[0][0] == queue.position:
            event = entries.pop(0)[1]
            if self._read_id and event is not None and event.id != self._read_id:
                return await self._lose_events()
        for seq, event in entries:
            if not queue.has_room:
                break
            if seq > queue.position + 1 and queue.position > 0:
                missed = seq - queue.position - 1
                self._counters.dropped += missed
                _log.error("webhook events dropped, the outbox is full", webhook=self._label, events=missed)
            queue.add(seq, event if event is not None and self._wants(event) else None)
            self._read_id = "" if event is None else event.id
        return queue

    async def _lose_events(self) -> DeliveryQueue:
        """Begin again with what Redis still has, and count what was pending as dropped."""
        _log.error("webhook events lost, delivering what there is", webhook=self._label, events=self._counters.pending)
        self._counters.dropped += self._counters.pending
        self._read_id = ""
        queue = self._queue_at(await self._outbox.begin_at(self._label, 0))
        self._begin_again()
        return queue

    def _wants(self, event: OutboxEvent) -> bool:
        settings = self._endpoint.settings
        return event.kind in settings.events and event.threshold in {"", settings.threshold}

    async def _attempt(self, queue: DeliveryQueue, pending: PendingEvent) -> None:
        event = pending.event
        answer = await post(self._session, self._endpoint, event, self._wall_ms() // 1000)
        if answer.is_accepted:
            queue.delivered(pending)
            self._counters.delivered += 1
            ENDPOINT_OUTAGE.worked(self._label)
            return
        self._counters.failures += 1
        cause = answer.error or f"HTTP {answer.status}"
        ENDPOINT_OUTAGE.failed(self._label, cause)
        now_ms = self._now_ms()
        if queue.failed(pending, now_ms, is_refused=answer.is_refused, retry_after_ms=answer.retry_after_ms):
            self._counters.dropped += 1
            _log.error(
                "webhook event dropped",
                webhook=self._label,
                event_id=event.id,
                type=event.type,
                attempts=pending.attempts,
                age_s=round((now_ms - event.at_ms) / 1000),
                cause=cause,
            )
