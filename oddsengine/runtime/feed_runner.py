"""The configured feeds, opened and supervised, for those who take what they say."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from feeds.feed import installed_feeds
from feeds.supervision.states import FeedState
from feeds.supervision.supervisor import Supervisor
from oddsengine.common.clock import wall_clock_ms
from oddsengine.common.tasks import end_tasks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping

    from feeds.recording.packet import Packet
    from feeds.supervision.event_handler import Sink
    from oddsengine.runtime.settings import FeedSettings


def sources_of(feeds: Mapping[str, FeedSettings]) -> list[str]:
    """Name the sources of the configured feeds, most preferred first."""
    plugins = installed_feeds()
    return [source for name, feed in feeds.items() for source in plugins[feed.adapter].sources(name, feed.config)]


@asynccontextmanager
async def feeding(
    feeds: Mapping[str, FeedSettings], sink: Sink, taps: Mapping[str, Callable[[Packet], None]] | None = None
) -> AsyncIterator[list[Supervisor]]:
    """Run the configured feeds.

    Args:
        feeds: by name, in order of preference.
        sink: takes what they say.
        taps: by name, what takes the bytes of a feed as they come.

    Raises:
        FeedError: if a feed can't be opened, such as for want of a secret.
    """
    plugins = installed_feeds()
    async with AsyncExitStack() as stack:
        supervisors: list[Supervisor] = []
        for name, settings in feeds.items():
            feed = await stack.enter_async_context(plugins[settings.adapter].open(name, settings.config))
            supervisors.append(Supervisor(name, feed, sink, settings.supervision, tap=(taps or {}).get(name)))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(supervisor.run(), name=supervisor.name) for supervisor in supervisors]
            try:
                yield supervisors
            finally:
                await end_tasks(tasks)


def describe(supervisors: Iterable[Supervisor]) -> list[dict[str, Any]]:
    """Tell how every feed stands, for `GET /v1/feeds`; times are Unix milliseconds."""
    return [
        {
            "feed": each.name,
            "sources": each.sources,
            "state": each.state.value,
            "reason": each.reason,
            "since": each.status.since_ms,
            "heard": each.received_ms,
            "lag_ms": each.lag.lag_ms,
            "skew_ms": each.lag.skew_ms,
            "failures_in_a_row": each.retry.failures,
            "breaker": each.retry.breaker.state,
            "quota": None if each.quota is None else {"used": each.quota.used, "remaining": each.quota.remaining},
            "counts": {name: getattr(each.counters, name) for name in each.counters.__slots__},
            "changes": [
                {"at": change.at_ms, "what": change.trigger.value, "state": change.state.value, "reason": change.reason}
                for change in each.status.changes
            ],
        }
        for each in supervisors
    ]


def samples(supervisors: Iterable[Supervisor]) -> Iterable[tuple[str, tuple[str, ...], float]]:
    """Give the feeds' metrics (see `oddsengine.runtime.telemetry.metrics`)."""
    now_ms = wall_clock_ms()
    for each in supervisors:
        labels = (each.name,)
        counters = each.counters
        yield "odds_feed_live", labels, each.state is FeedState.LIVE
        for state in FeedState:
            yield "odds_feed_state", (each.name, state.value), each.state is state
        yield "odds_feed_messages", labels, counters.messages
        yield "odds_feed_bytes", labels, counters.bytes
        yield "odds_feed_rejected", labels, counters.rejected
        yield "odds_feed_dropped", labels, counters.dropped
        yield "odds_feed_connections", labels, counters.connections
        yield "odds_feed_failures", labels, counters.failures
        yield "odds_feed_continuity_lost", labels, counters.continuity_lost
        yield "odds_feed_samples", labels, counters.samples
        yield "odds_feed_clock_steps", labels, each.lag.steps
        yield "odds_feed_lag_seconds", labels, each.lag.lag_ms / 1000
        yield "odds_feed_breaker_open", labels, each.retry.is_open
        if each.received_ms is not None:
            yield "odds_feed_age_seconds", labels, (now_ms - each.received_ms) / 1000
        if each.lag.skew_ms is not None:
            yield "odds_feed_skew_seconds", labels, each.lag.skew_ms / 1000
        if each.quota is not None:
            yield "odds_feed_quota_used", labels, each.quota.used
            yield "odds_feed_quota_remaining", labels, each.quota.remaining
        if each.http is not None:
            yield "odds_feed_response_seconds", labels, each.http.total_s
            for status, count in each.http.statuses.items():
                yield "odds_feed_responses", (each.name, str(status)), count
