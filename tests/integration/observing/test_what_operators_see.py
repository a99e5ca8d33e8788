"""What operators see of a service: how long things took, a line for each request and session, and spans of both."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.proto.trace.v1.trace_pb2 import Status as SpanStatus
from structlog.testing import capture_logs

from oddsengine.domain.feed_updates import MarketUpdate
from oddsengine.runtime.processes.startup import Startup
from oddsengine.runtime.service import run_service
from oddsengine.runtime.settings import RedisSettings
from oddsengine.runtime.settings.schema import LogSettings
from oddsengine.runtime.settings.telemetry import TelemetrySettings
from oddsengine.runtime.telemetry import tracing as tracing_module
from oddsengine.runtime.telemetry.tracing import Tracing, open_tracing
from oddsengine.streams.positions import Position
from tests.support.builders import a_batch, a_definition, a_quote, live, market_updates
from tests.support.clients.collector import running_collector
from tests.support.service import QUICK_TIMING, RunningService, quick_settings, shared_redis, wait_until

if TYPE_CHECKING:
    import pytest

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
#: what must never be logged
SECRETS = ("s3cret", "t1cket")


async def test_requests_sessions_and_publications_are_seen() -> None:
    redis = RedisSettings(url=shared_redis.url(), namespace=shared_redis.new_namespace())
    async with running_collector() as collector:
        settings = msgspec.structs.replace(
            quick_settings(),
            redis=redis,
            log=LogSettings(access=True),
            telemetry=TelemetrySettings(endpoint=collector.url, sample_ratio=1.0),
        )
        with capture_logs() as lines:
            async with (
                open_tracing(settings, "run", Startup()) as tracing,
                run_service(settings, ["src"], timing=QUICK_TIMING, tracing=tracing) as running,
                aiohttp.ClientSession() as http,
            ):
                service = RunningService(running, http, settings)
                service.engine.receive(live("src"))
                service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
                await service.wait_published()
                async with service.socket() as subscriber:
                    await subscriber.subscribe("event:e1")
                    await subscriber.receive_until("snapshot")
                    update = MarketUpdate("1.1", books=[a_quote("home", 2.2), a_quote("away", 1.9)])
                    service.engine.receive(a_batch(update, at_ms=round(time.time() * 1000) - 40))
                    await subscriber.receive_until("delta")
                headers = {"traceparent": f"00-{TRACE}-{CALLER}-01"}
                async with http.get(f"{service.base}/v1/events/e1", headers=headers) as answer:
                    assert 200 == answer.status
                    size = len(await answer.read())
                async with http.get(f"{service.base}/v1/{SECRETS[0]}", params={"key": SECRETS[0]}) as answer:
                    assert 404 == answer.status
                async with http.get(f"{service.base}/v1/sse", params={"channel": "event:e1", "ticket": SECRETS[1]}) as answer:
                    assert 401 == answer.status
                await service.get("/healthz")
                async with http.get(f"{service.base}/metrics") as answer:
                    metrics = await answer.text()
                await wait_until(lambda: bool([line for line in lines if line["event"] == "session ended"]), "a line")
        ended = [line for line in lines if line["event"] == "session ended"]
        access = [line for line in lines if line["event"] == "http request"]

    check_access_log(access, ended, size)
    check_metrics(metrics)

    # Traces: what one publication went through, in one trace, and the request in that of its caller.
    here = f"{socket.gethostname()}:{os.getpid()}"
    expected = {"service.name": "oddsengine", "service.instance.id": here, "oddsengine.role": "run"}
    assert expected.items() <= collector.attributes.items(), "each worker and each engine of a machine is one of its own"
    trace = next(found for span in collector.named("delivery") if "feed message" in (found := collector.trace(span)))
    assert {"publication", "feed message", "flush", "write", "delivery"} == trace.keys()
    root = trace["publication"]
    assert {root.span_id} == {span.parent_span_id for name, span in trace.items() if name != "publication"}
    assert root.start_time_unix_nano <= trace["flush"].start_time_unix_nano <= trace["write"].start_time_unix_nano
    assert "src" == next(each.value.string_value for each in trace["feed message"].attributes if each.key == "oddsengine.source")
    (request,) = (span for span in collector.spans if span.trace_id.hex() == TRACE)
    assert ("GET /v1/events/{id}", CALLER) == (request.name, request.parent_span_id.hex())
    assert Span.SPAN_KIND_SERVER == request.kind
    assert SpanStatus.STATUS_CODE_UNSET == request.status.code
    assert not any(secret in str(span) for span in collector.spans for secret in SECRETS)


def check_access_log(access: list[Any], ended: list[Any], size: int) -> None:
    """Check the lines of the requests and of the session."""
    found = [(line["method"], line["route"], line["status"], line["role"], line["subject"]) for line in access]
    assert [
        ("GET", "/v1/events/{id}", 200, "trader", "anonymous"),
        ("GET", "other", 404, None, None),
        ("GET", "/v1/sse", 401, None, None),
    ] == found, "probes that succeed are left out"
    assert size < access[0]["bytes"] < size + 1000, "with its head"
    assert "127.0.0.1" == access[0]["client"]
    (session,) = ended
    assert ("/v1/stream", 101, "trader", None) == tuple(session[key] for key in ("route", "status", "role", "code"))
    assert session["ms"] >= 0
    assert session["bytes"] > 200
    assert not any(secret in json.dumps(access + ended) for secret in SECRETS)


def check_metrics(metrics: str) -> None:
    """Check that every step from the provider to a socket was measured."""

    def value(name: str) -> float:
        return float(next(line.rpartition(" ")[2] for line in metrics.splitlines() if line.startswith(name)))

    assert 1 == value('oddsengine_http_request_seconds_count{method="GET",route="/v1/events/{id}",status="2xx"}')
    assert 1 == value('oddsengine_http_request_seconds_count{method="other",route="other",status="4xx"}')
    assert 2 <= value('oddsengine_receipt_to_publish_seconds_count{shard="0"}')
    assert 0.04 <= value('oddsengine_provider_to_publish_seconds_sum{shard="0"}')
    assert 2 <= value('oddsengine_shard_write_seconds_count{shard="0"}')
    assert 1 <= value("oddsengine_publish_to_socket_seconds_count")
    assert 1 <= value("oddsengine_loop_delay_seconds_count")
    assert 0 < value("process_cpu_seconds_total")
    assert time.time() > value("process_start_time_seconds") > time.time() - 86_400
    assert 0 < value("process_open_fds") < value("process_max_fds")
    assert 1 == value("oddsengine_build_info")


async def test_a_collector_that_does_not_answer_keeps_nothing_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that nobody reads, and a process that stops: the exporter alone would wait for longer."""
    monkeypatch.setattr(tracing_module, "_EXPORT_TIMEOUT_S", 30.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracing = Tracing(TelemetrySettings(endpoint=url, sample_ratio=1.0), "gateway", "odds")
        for seq in range(600):
            tracing.delivery(0, Position(1, seq), 1_000, 1)
        async with asyncio.timeout(20):
            await tracing.close()


async def test_a_share_is_traced_and_all_processes_choose_the_same() -> None:
    async with running_collector() as collector:
        settings = TelemetrySettings(endpoint=collector.url, sample_ratio=0.05)
        for role in ("engine", "gateway"):
            tracing = Tracing(settings, role, "odds")
            for seq in range(400):
                tracing.delivery(0, Position(1, seq), 1_000, 1)
            for _ in range(400):
                tracing.request({}, "GET", "/v1/events", 200, 0.001, is_trusted=False)
                tracing.request({"traceparent": f"00-{TRACE}-{CALLER}-01"}, "GET", "/stranger", 200, 0.001, is_trusted=False)
            tracing.request({"traceparent": f"00-{TRACE}-{CALLER}-01"}, "GET", "/trusted", 503, 0.001, is_trusted=True)
            await tracing.close()
    deliveries = [span.trace_id for span in collector.named("delivery")]
    assert 0 < len(deliveries) < 200
    assert len(set(deliveries)) * 2 == len(deliveries), "both processes"
    for name in ("GET /v1/events", "GET /stranger"):
        assert 0 < len(collector.named(name)) < 150
    assert [SpanStatus.STATUS_CODE_ERROR] * 2 == [span.status.code for span in collector.named("GET /trusted")]
