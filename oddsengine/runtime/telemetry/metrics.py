"""Every metric by name, in one table. The parts keep their own counters, which are read at each scrape.

Names follow Prometheus' conventions (prometheus.io/docs/practices/naming): the prefix `oddsengine_`, base units, `_total` for
counters. `python -m oddsengine.runtime.telemetry.metrics` prints the table for the documentation.
"""

from __future__ import annotations

import sys
from operator import add
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from oddsengine.common.histogram import Histogram
from oddsengine.common.http import RefreshedRegistry
from oddsengine.runtime.telemetry.process_samples import process_samples

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

    from prometheus_client.core import Metric

#: name, label values, value
Sample = tuple[str, tuple[str, ...], float | Histogram]


class Description(NamedTuple):
    """The description of a metric."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    #: how the values of several workers become one
    merged: Literal["sum", "max", "min"] = "sum"


def _counter(text: str, *labels: str) -> Description:
    return Description("counter", text, labels)


def _gauge(text: str, *labels: str, merged: Literal["sum", "max", "min"] = "sum") -> Description:
    return Description("gauge", text, labels, merged)


def _histogram(text: str, *labels: str) -> Description:
    return Description("histogram", text, labels)


METRICS: Final[dict[str, Description]] = {
    # history
    "oddsengine_archiver_active": _gauge("Whether this process archives."),
    "oddsengine_archived_entries_total": _counter("Stream entries written into the history."),
    "oddsengine_archived_changes_total": _counter("Changes of markets written into the history."),
    "oddsengine_archive_gaps_total": _counter("Times that entries were missing before they were archived."),
    "oddsengine_archive_behind_seconds": _gauge(
        "How old the oldest entry is that is not written, or else the last one was.", merged="max"
    ),
    # feeds
    "oddsengine_feed_live": _gauge("Whether a feed is live.", "feed"),
    "oddsengine_feed_state": _gauge("1 for the state that a feed is in, 0 for the others.", "feed", "state"),
    "oddsengine_feed_age_seconds": _gauge("Seconds since a provider last sent anything.", "feed"),
    "oddsengine_feed_lag_seconds": _gauge("Delay of the last message, by the provider's clock corrected for its skew.", "feed"),
    "oddsengine_feed_skew_seconds": _gauge("How far our clock is ahead of the provider's, with the shortest delivery.", "feed"),
    "oddsengine_feed_breaker_open": _gauge("Whether only probes are sent to a provider.", "feed"),
    "oddsengine_feed_quota_used": _gauge("Used part of a provider's quota, in its units.", "feed"),
    "oddsengine_feed_quota_remaining": _gauge("Remaining part of a provider's quota, in its units.", "feed"),
    "oddsengine_feed_messages_total": _counter("Update batches received from a feed.", "feed"),
    "oddsengine_feed_received_bytes_total": _counter("Bytes received from a feed.", "feed"),
    "oddsengine_feed_rejected_total": _counter("Messages, or markets in them, that could not be read.", "feed"),
    "oddsengine_feed_dropped_total": _counter("Messages dropped as the protocol requires.", "feed"),
    "oddsengine_feed_connections_total": _counter("Connections opened to a provider.", "feed"),
    "oddsengine_feed_failures_total": _counter("Connections that failed or were lost.", "feed"),
    "oddsengine_feed_continuity_lost_total": _counter("Times that a live feed stopped being trusted.", "feed"),
    "oddsengine_feed_verifications_total": _counter("Snapshots fetched to see whether a quiet feed is frozen.", "feed"),
    "oddsengine_feed_oversized_responses_total": _counter("HTTP responses that were larger than allowed.", "feed"),
    "oddsengine_feed_clock_steps_total": _counter("Times that a provider's clock was set back.", "feed"),
    "oddsengine_feed_responses_total": _counter("HTTP responses by status; 0: no response.", "feed", "status"),
    "oddsengine_feed_response_seconds": _histogram("Durations of HTTP requests to a provider.", "feed"),
    "oddsengine_feed_owned": _gauge("Whether this process is connected to a feed and passes it on to all engines.", "feed"),
    "oddsengine_feed_followed": _gauge("Whether this engine knows everything of a feed that another process passes on.", "feed"),
    "oddsengine_feed_gaps_total": _counter("Times that a part of a feed was missed, or that its feeder changed.", "feed"),
    "oddsengine_ingest_entries_total": _counter("Entries written to a feed's ingest stream.", "feed"),
    # the engine
    "oddsengine_markets": _gauge("Markets on offer.", "shard"),
    "oddsengine_events": _gauge("Events on offer.", "shard"),
    "oddsengine_unmatched_events": _gauge("Pairs of events that may be the same and await review."),
    "oddsengine_identities": _gauge("Events of feeds whose id is decided.", merged="max"),
    "oddsengine_undecided_events": _gauge("Events of feeds whose id is not decided: they are not published.", merged="max"),
    "oddsengine_identities_decided_here": _gauge("Whether this engine decides the ids of events."),
    "oddsengine_identity_losses_total": _counter("Times that Redis had lost ids of events, which were written again."),
    "oddsengine_commands": _gauge("Commands that hold.", merged="max"),
    "oddsengine_commands_total": _counter("Commands made, confirmed or lifted, by action.", "action"),
    "oddsengine_shard_flushes_total": _counter("Batches written to a shard's stream.", "shard"),
    "oddsengine_shard_write_seconds": _histogram("Time until Redis had a batch that was ready.", "shard"),
    "oddsengine_receipt_to_publish_seconds": _histogram(
        "Time from the receipt of the oldest message in a batch until Redis had the batch.", "shard"
    ),
    "oddsengine_provider_to_publish_seconds": _histogram(
        "The same from the time that the provider gave that message, by its own clock.", "shard"
    ),
    "oddsengine_shard_claims_total": _counter("Epochs opened on a shard.", "shard"),
    "oddsengine_shard_owned": _gauge("Whether this engine owns a shard.", "shard"),
    "oddsengine_shards_handed_over_total": _counter("Shards handed to another engine without a suspension."),
    "oddsengine_shards_lost_total": _counter("Shards that another engine took over although this one ran."),
    "oddsengine_engines": _gauge("Engines that are alive, as this one sees it.", merged="max"),
    "oddsengine_lease_held": _gauge("Whether this engine may publish: its lease was renewed in time.", merged="max"),
    "oddsengine_webhooks_delivering": _gauge("Whether this process is the one that delivers webhooks."),
    "oddsengine_webhook_delivered_total": _counter("Events that an endpoint has accepted.", "webhook"),
    "oddsengine_webhook_failures_total": _counter("Attempts that an endpoint did not accept.", "webhook"),
    "oddsengine_webhook_dropped_total": _counter("Events that were given up for an endpoint.", "webhook"),
    "oddsengine_webhook_pending": _gauge("Events in the outbox that an endpoint does not have yet.", "webhook"),
    "oddsengine_bridge_active": _gauge("Whether this process is the one that publishes to a broker.", "bridge"),
    "oddsengine_bridge_behind_seconds": _gauge(
        "How old the oldest entry is that the broker has not acknowledged, or else the last one was.", "bridge", "shard"
    ),
    "oddsengine_bridge_messages_total": _counter("Messages that a broker has acknowledged, by kind.", "bridge", "kind"),
    "oddsengine_bridge_failures_total": _counter("Attempts to connect or to send that a broker has failed.", "bridge"),
    "oddsengine_bridge_snapshots_total": _counter("Times that a shard's whole state was published, by cause.", "bridge", "cause"),
    # the gateway
    "oddsengine_shard_stale": _gauge("Whether this gateway's state of a shard may be out of date.", "shard", merged="max"),
    "oddsengine_snapshot_reloads_total": _counter("Times that a shard's snapshot was loaded from Redis.", "shard"),
    "oddsengine_connections": _gauge("Open connections, whatever they carry."),
    "oddsengine_accept_pauses_total": _counter("Times that accepting connections was paused for lack of open files or memory."),
    "oddsengine_internal_errors_total": _counter("Errors that nothing expected, each answered as a fault of the gateway."),
    "oddsengine_workers": _gauge("Workers that serve, of `gateway --workers`."),
    "oddsengine_worker_restarts_total": _counter("Workers replaced, by reason.", "reason"),
    "oddsengine_sessions": _gauge("Open sessions."),
    "oddsengine_speedups": _gauge("Whether the loops in C are used, or those in Python.", merged="max"),
    "oddsengine_sessions_opened_total": _counter("Sessions opened."),
    "oddsengine_sent_frames_total": _counter("Frames written to subscribers."),
    "oddsengine_sent_bytes_total": _counter("Bytes written to subscribers."),
    "oddsengine_sent_deltas_total": _counter("Market changes written to subscribers."),
    "oddsengine_sent_snapshots_total": _counter("Snapshots written to subscribers."),
    "oddsengine_resumed_subscriptions_total": _counter("Subscriptions resumed with a diff."),
    "oddsengine_slow_consumers_total": _counter("Times that a subscriber read too slowly and was taken off the live fan-out."),
    "oddsengine_slow_consumer_disconnects_total": _counter("Subscribers disconnected because they read nothing for too long."),
    "oddsengine_catch_ups_total": _counter("Diffs that brought a slow consumer up to date."),
    "oddsengine_bad_messages_total": _counter("Messages from subscribers that could not be read."),
    "oddsengine_rejected_total": _counter("Requests, sessions and messages rejected, by reason.", "reason"),
    "oddsengine_suspension_seconds": _histogram(
        "Time from the stream entry of a suspension until it was written to the last subscriber."
    ),
    "oddsengine_publish_to_socket_seconds": _histogram(
        "Time from the first stream entry in a batch until the batch was written to the last subscriber."
    ),
    "oddsengine_loop_delay_seconds": _histogram("How late the event loop runs what is due: it measures 50 times a second."),
    # every process
    "oddsengine_http_request_seconds": _histogram(
        "Time until HTTP requests were answered, by method, route and class of status.", "method", "route", "status"
    ),
    "oddsengine_spans_total": _counter("Spans of traces, by what became of them.", "outcome"),
    "oddsengine_build_info": _gauge("1, with the release and the version of Python.", "version", "python", merged="max"),
    "process_cpu_seconds_total": _counter("Processor time used."),
    "process_resident_memory_bytes": _gauge("Memory in use."),
    "process_virtual_memory_bytes": _gauge("Address space in use."),
    "process_start_time_seconds": _gauge("When the process was started, Unix seconds; of workers, the latest.", merged="max"),
    "process_open_fds": _gauge("Open files; of workers, those of the one that has most.", merged="max"),
    "process_max_fds": _gauge("How many files a process may have open.", merged="min"),
}


class Source(Protocol):
    """A part that has metrics."""

    def __call__(self) -> Iterable[Sample]:
        """Yield the current values."""
        ...


_MERGED: Final[dict[str, Callable[[float, float], float]]] = {"sum": add, "max": max, "min": min}


def merge(services: Iterable[Iterable[Sample]]) -> list[Sample]:
    """Return the metrics of several processes as those of one."""
    merged: dict[tuple[str, tuple[str, ...]], float | Histogram] = {}
    for samples in services:
        for name, labels, value in samples:
            before = merged.get((name, labels))
            if before is None:
                merged[name, labels] = value
            elif isinstance(before, Histogram) and isinstance(value, Histogram):
                merged[name, labels] = before.merged_with(value)
            elif not isinstance(before, Histogram) and not isinstance(value, Histogram):
                merged[name, labels] = _MERGED[METRICS[name].merged](before, value)
    return [(name, labels, value) for (name, labels), value in merged.items()]


def counted(samples: Iterable[Sample]) -> list[Sample]:
    """Return the samples that remain true once their process has ended: what it has counted."""
    return [sample for sample in samples if METRICS[sample[0]].kind != "gauge"]


class SharedRegistry(RefreshedRegistry):
    """The metrics of all workers, collected at each scrape of any of them.

    Args:
        collect: returns their samples.
    """

    def __init__(self, collect: Callable[[], Awaitable[list[Sample]]]) -> None:
        super().__init__()
        self._collect = collect
        self._samples: list[Sample] = []
        self.register(_Reader([lambda: self._samples]))

    async def refresh(self) -> None:
        """Collect the samples."""
        self._samples = await self._collect()


def build_registry(sources: Sequence[Source]) -> CollectorRegistry:
    """Return a registry that reads these sources, and what the process uses, at each scrape."""
    registry = CollectorRegistry()
    registry.register(_Reader([*sources, process_samples]))
    return registry


class _Reader(Collector):
    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Metric]:
        families: dict[str, CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily] = {}
        for source in self._sources:
            for name, labels, value in source():
                family = families.get(name)
                if family is None:
                    family = families[name] = _family(name)
                if isinstance(value, Histogram):
                    assert isinstance(family, HistogramMetricFamily)  # noqa: S101 - as in METRICS
                    family.add_metric(labels, value.buckets(), value.total)
                else:
                    assert not isinstance(family, HistogramMetricFamily)  # noqa: S101 - as in METRICS
                    family.add_metric(labels, value)
        yield from families.values()


def _family(name: str) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    kind, text, labels, _ = METRICS[name]
    if kind == "counter":
        return CounterMetricFamily(name, text, labels=labels)
    if kind == "gauge":
        return GaugeMetricFamily(name, text, labels=labels)
    return HistogramMetricFamily(name, text, labels=labels)


def metrics_table() -> str:
    """Return all metrics as a Markdown table."""
    rows = [
        f"| `{name}` | {metric.kind} | {' '.join(f'`{label}`' for label in metric.labels)} | {metric.help.rstrip('.')} |"
        for name, metric in METRICS.items()
    ]
    return "\n".join(["| metric | type | labels | meaning |", "| --- | --- | --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(metrics_table() + "\n")
