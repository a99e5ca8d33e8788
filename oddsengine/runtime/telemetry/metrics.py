"""Metrics: every name in one table, read from the parts' own counters when somebody asks.

Nothing is counted twice and the hot path only adds to integers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from prometheus_client.core import Metric

#: name -> (help, label names)
COUNTERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "odds_feed_messages": ("Batches of updates read from a feed.", ("feed",)),
    "odds_feed_bytes": ("Bytes read from a feed.", ("feed",)),
    "odds_feed_rejected": ("Messages, or markets in them, that could not be read.", ("feed",)),
    "odds_feed_dropped": ("Messages left out as the protocol asks.", ("feed",)),
    "odds_feed_connections": ("Connections opened to a provider.", ("feed",)),
    "odds_feed_failures": ("Connections that failed or were lost.", ("feed",)),
    "odds_feed_continuity_lost": ("Times a feed that was live could not be trusted any more.", ("feed",)),
    "odds_feed_samples": ("Samples fetched to tell a quiet market from a frozen feed.", ("feed",)),
    "odds_feed_clock_steps": ("Times a provider's clock was set back.", ("feed",)),
    "odds_feed_responses": ("Answers to requests, by HTTP status (0: none came).", ("feed", "status")),
    "odds_feed_response_seconds": ("Seconds that answers took, all together.", ("feed",)),
    "odds_shard_flushes": ("Batches written to a shard's stream.", ("shard",)),
    "odds_shard_claims": ("Epochs opened on a shard.", ("shard",)),
    "odds_shard_rescans": ("Times a follower read a shard's snapshot anew.", ("shard",)),
    "odds_sessions_opened": ("Sockets opened by subscribers.", ()),
    "odds_frames_sent": ("Frames written to subscribers.", ()),
    "odds_bytes_sent": ("Bytes written to subscribers.", ()),
    "odds_deltas_sent": ("Market changes written to subscribers.", ()),
    "odds_snapshots_sent": ("Snapshots written to subscribers.", ()),
    "odds_resumed": ("Subscriptions resumed with a diff.", ()),
    "odds_fell_behind": ("Times a subscriber did not read fast enough.", ()),
    "odds_catch_ups": ("Diffs that brought a subscriber up to date.", ()),
    "odds_stalled": ("Subscribers cut off because they took nothing for too long.", ()),
    "odds_suspensions": ("Flushes with suspensions that were written to every subscriber.", ()),
    "odds_suspension_seconds": ("Seconds from stream entry to the last socket of those flushes, all together.", ()),
    "odds_refused": ("Requests, sessions and messages refused, by what limited them.", ("why",)),
    "odds_bad_messages": ("Messages from subscribers that could not be read.", ()),
}
GAUGES: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "odds_feed_live": ("Whether a feed can be trusted now.", ("feed",)),
    "odds_feed_state": ("Where a feed stands: 1 for the state it is in.", ("feed", "state")),
    "odds_feed_age_seconds": ("Seconds since a provider last said anything.", ("feed",)),
    "odds_feed_lag_seconds": ("How late the last message was, by the provider's clock less its skew.", ("feed",)),
    "odds_feed_skew_seconds": ("What our clock is ahead of the provider's, promptest delivery included.", ("feed",)),
    "odds_feed_breaker_open": ("Whether only probes are let through to a provider.", ("feed",)),
    "odds_feed_quota_used": ("What was used of a provider's quota, in its units.", ("feed",)),
    "odds_feed_quota_remaining": ("What is left of a provider's quota, in its units.", ("feed",)),
    "odds_unmatched": ("Pairs of events that may be one and wait for a person.", ()),
    "odds_shard_stale": ("Whether a shard may be out of date here.", ("shard",)),
    "odds_markets": ("Markets on offer.", ("shard",)),
    "odds_events": ("Events on offer.", ("shard",)),
    "odds_suspension_worst_seconds": ("The most that a flush with suspensions took from stream entry to the last socket.", ()),
    "odds_sessions": ("Sockets open now.", ()),
}


class Source(Protocol):
    """Gives (metric name, label values, value) when asked."""

    def __call__(self) -> Iterable[tuple[str, tuple[str, ...], float]]:
        """Read the present values."""
        ...


class _Reader(Collector):
    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for source in self._sources:
            for name, labels, value in source():
                family = families.get(name)
                if family is None:
                    family = families[name] = _family(name)
                family.add_metric(labels, value)
        yield from families.values()


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily:
    table: Mapping[str, tuple[str, tuple[str, ...]]]
    kind: Callable[..., CounterMetricFamily | GaugeMetricFamily]
    table, kind = (COUNTERS, CounterMetricFamily) if name in COUNTERS else (GAUGES, GaugeMetricFamily)
    text, labels = table[name]
    return kind(name, text, labels=labels)


def build_registry(sources: list[Source]) -> CollectorRegistry:
    """Make a registry that reads these sources at each scrape."""
    registry = CollectorRegistry()
    registry.register(_Reader(sources))
    return registry
