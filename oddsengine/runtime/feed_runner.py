"""Opens and supervises the configured feeds, and reports their status."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from feeds.errors import FeedError
from feeds.feed import Feed, installed_feeds
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from feeds.supervision.supervisor import Supervisor
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks
from oddsengine.runtime.processes.startup import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from feeds.recording.packet import Packet
    from feeds.supervision.event_handler import Sink
    from oddsengine.common.histogram import Histogram
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import FeedSettings
    from oddsengine.runtime.telemetry.metrics import Sample


class OpenedFeed(NamedTuple):
    """A feed whose secrets were read, and how it is supervised."""

    feed: Feed
    supervision: Supervision


#: by name, in order of preference
OpenedFeeds: TypeAlias = dict[str, OpenedFeed]


def sources_by_feed(feeds: Mapping[str, FeedSettings]) -> dict[str, list[str]]:
    """Return the sources of each configured feed, most preferred first."""
    plugins = installed_feeds()
    return {name: list(plugins[feed.adapter].sources(name, feed.config)) for name, feed in feeds.items()}


def feed_sources(feeds: Mapping[str, FeedSettings]) -> list[str]:
    """Return the sources of the configured feeds, most preferred first."""
    return [source for sources in sources_by_feed(feeds).values() for source in sources]


@asynccontextmanager
async def open_feeds(feeds: Mapping[str, FeedSettings], startup: Startup) -> AsyncIterator[OpenedFeeds]:
    """Open feeds without connecting them: reads their secrets and certificates. They last as long as the context.

    Args:
        feeds: the feeds by name, in order of preference.
        startup: its step is SECRETS meanwhile.

    Raises:
        StartFailed: if a feed can't be opened, for example because a secret is missing.
    """
    plugins = installed_feeds()
    async with AsyncExitStack() as stack:
        opened: OpenedFeeds = {}
        for name, settings in feeds.items():
            with startup.doing(Step.SECRETS):
                try:
                    feed = await stack.enter_async_context(plugins[settings.adapter].open(name, settings.config))
                except (FeedError, OSError) as error:
                    raise FeedError(f"feeds.{name}: {error}") from error
            opened[name] = OpenedFeed(feed, settings.supervision)
        yield opened


@asynccontextmanager
async def run_feeds(
    feeds: OpenedFeeds, sink: Sink, taps: Mapping[str, Callable[[Packet], None]] | None = None
) -> AsyncIterator[list[Supervisor]]:
    """Run opened feeds until the context is left. Yields their supervisors.

    Args:
        feeds: the feeds by name, in order of preference.
        sink: receives their updates.
        taps: by feed, a callback for every packet as it is received.
    """
    supervisors = [
        Supervisor(name, opened.feed, sink, opened.supervision, tap=(taps or {}).get(name)) for name, opened in feeds.items()
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(supervisor.run(), name=supervisor.name) for supervisor in supervisors]
        try:
            yield supervisors
        finally:
            await end_tasks(tasks)


def feed_status(supervisors: Iterable[Supervisor]) -> list[dict[str, Any]]:
    """Return the status of every feed for `GET /v1/feeds`; times are Unix milliseconds."""
    return [
        {
            "feed": each.name,
            "sources": each.sources,
            "state": each.state.value,
            "reason": each.reason,
            "since": each.status.since_ms,
            "last_received": each.received_ms,
            "lag_ms": each.lag.lag_ms,
            "skew_ms": each.lag.skew_ms,
            "failures_in_a_row": each.retry.failures,
            "breaker": each.retry.breaker.state.value,
            "quota": None if each.quota is None else {"used": each.quota.used, "remaining": each.quota.remaining},
            "responses": None if each.http is None else _responses(each.http.response_seconds),
            "counts": {name: getattr(each.counters, name) for name in each.counters.__slots__},
            "changes": [
                {"at": change.at_ms, "what": change.trigger.value, "state": change.state.value, "reason": change.reason}
                for change in each.status.changes
            ],
        }
        for each in supervisors
    ]


def _responses(seconds: Histogram) -> dict[str, float | None]:
    """Return how long a provider took to answer requests: their number, mean, and the bound that 95 % stay below."""
    count = sum(seconds.counts)
    seen = 0
    p95: float | None = None
    for bound, in_bucket in zip(seconds.bounds, seconds.counts, strict=False):
        seen += in_bucket
        if seen >= 0.95 * count:
            p95 = bound
            break
    mean_ms = round(1000 * seconds.total / count, 1) if count else None
    return {"count": count, "mean_ms": mean_ms, "p95_ms": round(1000 * p95) if count and p95 is not None else None}


def feed_samples(supervisors: Iterable[Supervisor]) -> Iterable[Sample]:
    """Yield the metrics of the feeds (see `oddsengine.runtime.telemetry.metrics`)."""
    now_ms = wall_clock_ms()
    for each in supervisors:
        labels = (each.name,)
        counters = each.counters
        yield "oddsengine_feed_live", labels, each.state is FeedState.LIVE
        for state in FeedState:
            yield "oddsengine_feed_state", (each.name, state.value), each.state is state
        yield "oddsengine_feed_messages_total", labels, counters.messages
        yield "oddsengine_feed_received_bytes_total", labels, counters.bytes
        yield "oddsengine_feed_rejected_total", labels, counters.rejected
        yield "oddsengine_feed_dropped_total", labels, counters.dropped
        yield "oddsengine_feed_connections_total", labels, counters.connections
        yield "oddsengine_feed_failures_total", labels, counters.failures
        yield "oddsengine_feed_continuity_lost_total", labels, counters.continuity_lost
        yield "oddsengine_feed_verifications_total", labels, counters.samples
        yield "oddsengine_feed_clock_steps_total", labels, each.lag.steps
        yield "oddsengine_feed_lag_seconds", labels, each.lag.lag_ms / 1000
        yield "oddsengine_feed_breaker_open", labels, each.retry.is_open
        if each.received_ms is not None:
            yield "oddsengine_feed_age_seconds", labels, (now_ms - each.received_ms) / 1000
        if each.lag.skew_ms is not None:
            yield "oddsengine_feed_skew_seconds", labels, each.lag.skew_ms / 1000
        if each.quota is not None:
            yield "oddsengine_feed_quota_used", labels, each.quota.used
            yield "oddsengine_feed_quota_remaining", labels, each.quota.remaining
        if each.http is not None:
            yield "oddsengine_feed_response_seconds", labels, each.http.response_seconds
            yield "oddsengine_feed_oversized_responses_total", labels, each.http.oversized
            for status, count in each.http.statuses.items():
                yield "oddsengine_feed_responses_total", (each.name, str(status)), count
