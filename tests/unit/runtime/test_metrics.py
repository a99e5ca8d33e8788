"""Metrics have conventional names and are read from their sources at each scrape."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

import oddsengine
from oddsengine.common.histogram import Histogram
from oddsengine.runtime.processes.control import pack, unpack
from oddsengine.runtime.telemetry.metrics import METRICS, build_registry, counted, merge

if TYPE_CHECKING:
    from collections.abc import Iterable

    from oddsengine.runtime.telemetry.metrics import Sample

PACKAGE = Path(oddsengine.__file__).parent


@pytest.mark.parametrize("name", METRICS)
def test_a_name_follows_the_conventions(name: str) -> None:
    """The prefix, base units, and `_total` for counters only."""
    kind, text, _, merged = METRICS[name]
    assert re.fullmatch(r"(oddsengine|process)_[a-z_]+[a-z]", name)
    assert (kind == "counter") == name.endswith("_total")
    assert not re.search(r"_(ms|millis|minutes|kb|mb)(_|$)", name)
    assert kind != "histogram" or name.endswith("_seconds")
    assert text.endswith(".")
    assert kind == "gauge" or merged == "sum"


def test_a_scrape_reads_the_present_values() -> None:
    sessions = 3
    latency = Histogram((0.1, 1.0))
    latency.observe(0.05)
    latency.observe(1.0)
    latency.observe(7.0)

    def source() -> Iterable[Sample]:
        yield "oddsengine_sessions", (), sessions
        yield "oddsengine_rejected_total", ("token",), 2
        yield "oddsengine_suspension_seconds", (), latency

    def another() -> Iterable[Sample]:
        yield "oddsengine_rejected_total", ("origin",), 1

    registry = build_registry([source, another])
    lines = generate_latest(registry).decode().splitlines()
    assert "oddsengine_sessions 3.0" in lines
    assert 'oddsengine_rejected_total{reason="token"} 2.0' in lines
    assert 'oddsengine_rejected_total{reason="origin"} 1.0' in lines
    assert 'oddsengine_suspension_seconds_bucket{le="0.1"} 1.0' in lines
    assert 'oddsengine_suspension_seconds_bucket{le="1.0"} 2.0' in lines
    assert 'oddsengine_suspension_seconds_bucket{le="+Inf"} 3.0' in lines
    assert "oddsengine_suspension_seconds_count 3.0" in lines
    assert "oddsengine_suspension_seconds_sum 8.05" in lines
    sessions = 4
    latest = generate_latest(registry).decode()
    assert "oddsengine_sessions 4.0" in latest
    assert {"gauge", "counter", "histogram"} == {family.type for family in text_string_to_metric_families(latest)}


def test_every_name_in_the_table_is_in_use() -> None:
    sources = [file.read_text() for file in PACKAGE.rglob("*.py") if file.name != "metrics.py"]
    assert [] == [name for name in METRICS if not any(f'"{name}"' in source for source in sources)]


def test_a_name_that_is_not_in_the_table_is_an_error() -> None:
    def source() -> Iterable[Sample]:
        yield "oddsengine_unheard_of", (), 1

    with pytest.raises(KeyError):
        generate_latest(build_registry([source]))


@given(
    st.lists(st.floats(0.001, 100), min_size=1, max_size=6, unique=True).map(sorted),
    st.lists(st.floats(0, 200), max_size=40),
)
def test_a_bucket_counts_the_values_up_to_its_bound(bounds: list[float], values: list[float]) -> None:
    histogram = Histogram(bounds)
    for value in values:
        histogram.observe(value)
    buckets = histogram.buckets()
    assert [(repr(bound), sum(value <= bound for value in values)) for bound in bounds] == buckets[:-1]
    assert ("+Inf", len(values)) == buckets[-1]
    assert sum(values) == pytest.approx(histogram.total)


def test_the_metrics_of_workers_become_those_of_one_process() -> None:
    """As they arrive over the channel: counts, histograms and sessions add up, a shard is stale if it is for any worker."""
    latency = Histogram((0.1, 1.0))
    latency.observe(0.05)
    slower = Histogram((0.1, 1.0))
    slower.observe(5.0)

    def sent(sessions: int, stale: int, seconds: Histogram) -> list[Sample]:
        samples: list[Sample] = [
            ("oddsengine_sessions", (), sessions),
            ("oddsengine_shard_stale", ("0",), stale),
            ("oddsengine_rejected_total", ("token",), sessions),
            ("oddsengine_suspension_seconds", (), seconds),
        ]
        return unpack(pack(1, samples))

    workers = [sent(3, 0, latency), sent(4, 1, slower)]
    merged = {(name, labels): value for name, labels, value in merge(workers)}
    assert 7 == merged["oddsengine_sessions", ()]
    assert 1 == merged["oddsengine_shard_stale", ("0",)]
    assert 7 == merged["oddsengine_rejected_total", ("token",)]
    seconds = merged["oddsengine_suspension_seconds", ()]
    assert isinstance(seconds, Histogram)
    assert ([1, 0, 1], 5.05) == (seconds.counts, seconds.total)
    ended = {name for name, _, _ in counted(workers[0])}
    assert {"oddsengine_rejected_total", "oddsengine_suspension_seconds"} == ended, "what a worker has counted outlives it"
