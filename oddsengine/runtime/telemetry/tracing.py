"""Traces by OpenTelemetry, which is an extra: of publications, from the feed's message to the sockets, and of HTTP requests.

The trace of a publication has an id that follows from its position, so that the engine that publishes it and every gateway that
delivers it make spans of one trace, and sample the same ones, without a word of it in the stream.

Spans are made when what they are about is over, and exported by a thread with a bounded queue: nothing waits for a collector.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import threading
import time
from contextlib import asynccontextmanager, suppress
from hashlib import blake2b
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from oddsengine import __version__
from oddsengine.common.reporting.outages import Outage
from oddsengine.runtime.processes.startup import Step

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Span

    from oddsengine.engine.ownership.publication_times import PublicationTimes
    from oddsengine.runtime.processes.startup import Startup
    from oddsengine.runtime.settings import Settings
    from oddsengine.runtime.settings.telemetry import TelemetrySettings
    from oddsengine.runtime.telemetry.metrics import Sample
    from oddsengine.streams.positions import Position

_LOW_BITS: Final = (1 << 64) - 1
_NS_PER_MS: Final = 1_000_000
#: How long a process that stops waits for the collector to take the last spans.
_SHUTDOWN_S: Final = 1.0
_EXPORT_TIMEOUT_S: Final = 5.0
_EXPORT_EVERY_MS: Final = 1000
_QUEUED_SPANS: Final = 4096
_EXPORTED_AT_ONCE: Final = 512
_SERVER_FAULT: Final = 500
_PACKAGES: Final = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


class TelemetryMissing(ValueError):
    """The packages that traces need are not installed."""

    def __init__(self) -> None:
        super().__init__("telemetry.endpoint: opentelemetry is not installed: pip install 'oddsengine[telemetry]'")


def check_telemetry() -> None:
    """Check that what traces need is installed. Raises TelemetryMissing if it is not."""
    try:
        if all(map(find_spec, _PACKAGES)):
            return
    except ModuleNotFoundError:  # of a package above
        pass
    raise TelemetryMissing


class Tracing:
    """Makes spans of one process.

    Args:
        settings: where they are sent, and which are.
        role: what the process is.
        namespace: the installation, which positions are unique in.
        exporter: takes the spans; None for the collector of the settings.
        now_ns: Unix nanoseconds.
    """

    def __init__(
        self,
        settings: TelemetrySettings,
        role: str,
        namespace: str,
        exporter: SpanExporter | None = None,
        now_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        check_telemetry()
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON  # noqa: PLC0415
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._ratio = settings.sample_ratio
        self._bound = round(settings.sample_ratio * (_LOW_BITS + 1))
        self._namespace = namespace
        self._now_ns = now_ns
        self._random = random.Random()  # noqa: S311 - chooses what is traced
        self._exporter = _watched(exporter or _otlp_exporter(settings))
        self._ids = _ids()
        resource = Resource.create(
            {
                "service.name": settings.service_name,
                "service.namespace": namespace,
                "service.version": __version__,
                # Unique among the processes of a machine too (OpenTelemetry semantic conventions, "Service").
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                "oddsengine.role": role,
            }
        )
        # What is sampled is decided here, before anything is made of it.
        self._provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False, id_generator=self._ids)
        self._provider.add_span_processor(BatchSpanProcessor(self._exporter, _QUEUED_SPANS, _EXPORT_EVERY_MS, _EXPORTED_AT_ONCE))
        self._tracer = self._provider.get_tracer("oddsengine", __version__)
        self._propagator = TraceContextTextMapPropagator()

    # -- publications -----------------------------------------------------------------------------------------------

    def _position(self, shard: int, position: Position) -> tuple[int, int] | None:
        """Return the ids of the trace of a position and of its first span; None if it is not traced."""
        text = f"{self._namespace}/{shard}/{position.epoch}-{position.seq}"
        digest = blake2b(text.encode(), digest_size=24).digest()
        trace_id = int.from_bytes(digest[:16], "big")
        if trace_id & _LOW_BITS >= self._bound:
            return None
        return trace_id, int.from_bytes(digest[16:], "big")

    def publication(self, times: PublicationTimes) -> None:
        """Make the spans of a batch that was published."""
        ids = self._position(times.shard, times.position)
        if ids is None:
            return
        from opentelemetry.trace import set_span_in_context  # noqa: PLC0415 - an extra

        self._ids.following = ids
        attributes: dict[str, Any] = {
            "oddsengine.shard": times.shard,
            "oddsengine.position": times.position.stream_id(),
            "oddsengine.markets": times.markets,
        }
        received_ns = times.began_ns - times.waited_ms * _NS_PER_MS
        root = self._tracer.start_span("publication", start_time=received_ns, attributes=attributes)
        inside = set_span_in_context(root)
        if times.source:
            source: dict[str, Any] = {"oddsengine.source": times.source}
            if times.provider_ms:
                source["oddsengine.provider_time_ms"] = times.provider_ms
            self._span("feed message", received_ns, times.began_ns, inside, source)
        self._span("flush", times.began_ns, times.committed_ns, inside)
        self._span("write", times.committed_ns, times.written_ns, inside)
        root.end(times.written_ns)

    def delivery(self, shard: int, position: Position, published_ms: int, sessions: int) -> None:
        """Make the span of a batch that was written to all subscribers.

        Args:
            shard: the shard.
            position: the last position in it.
            published_ms: when the first one in it was published, Unix milliseconds.
            sessions: how many are open.
        """
        ids = self._position(shard, position)
        if ids is None:
            return
        from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context  # noqa: PLC0415

        parent = SpanContext(*ids, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
        attributes = {"oddsengine.shard": shard, "oddsengine.position": position.stream_id(), "oddsengine.sessions": sessions}
        inside = set_span_in_context(NonRecordingSpan(parent))
        self._span("delivery", published_ms * _NS_PER_MS, self._now_ns(), inside, attributes)

    def _span(self, name: str, start_ns: int, end_ns: int, inside: Any, attributes: Mapping[str, Any] | None = None) -> None:
        self._tracer.start_span(name, inside, start_time=start_ns, attributes=attributes).end(max(start_ns, end_ns))

    # -- requests ---------------------------------------------------------------------------------------------------

    def request(
        self, headers: Mapping[str, str], method: str, route: str, status: int, seconds: float, *, is_trusted: bool
    ) -> None:
        """Make the span of a request that was answered.

        Args:
            headers: of the request; its `traceparent` (W3C Trace Context) says which trace it belongs to.
            method: its method.
            route: its route.
            status: of the answer.
            seconds: how long it took.
            is_trusted: whether its `traceparent` decides that it is traced, too.
        """
        is_chosen, has_parent = self._random.random() < self._ratio, "traceparent" in headers
        if not is_chosen and not (is_trusted and has_parent):
            return
        parent = None
        if has_parent:
            # Not the header's own case: a plain dict finds the names that the propagator asks for.
            carrier = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
            parent = self._propagator.extract(carrier)
            if not is_chosen and not _is_sampled(parent):
                return
        from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - an extra

        ended_ns = self._now_ns()
        span: Span = self._tracer.start_span(
            f"{method} {route}",
            parent if parent is not None and _is_sampled(parent) else _with_sampling(parent),
            kind=SpanKind.SERVER,
            start_time=ended_ns - round(seconds * 1e9),
            attributes={"http.request.method": method, "http.route": route, "http.response.status_code": status},
        )
        if status >= _SERVER_FAULT:
            span.set_status(Status(StatusCode.ERROR))
        span.end(ended_ns)

    # -- the exporter -----------------------------------------------------------------------------------------------

    def samples(self) -> Iterable[Sample]:
        """Yield what became of the spans."""
        yield "oddsengine_spans_total", ("exported",), self._exporter.exported
        yield "oddsengine_spans_total", ("failed",), self._exporter.failed

    async def close(self) -> None:
        """Send the last spans, for a moment at most: a collector that does not answer keeps no process from stopping."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def shut_down() -> None:
            self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, daemon=True, name="last spans").start()
        with suppress(TimeoutError):
            async with asyncio.timeout(_SHUTDOWN_S):
                await done.wait()


@asynccontextmanager
async def open_tracing(settings: Settings, role: str, startup: Startup) -> AsyncIterator[Tracing | None]:
    """Make spans while the context is open. Yield None if nothing is traced.

    Args:
        settings: the configuration.
        role: what the process is.
        startup: its step is SECRETS meanwhile.

    Raises:
        StartFailed: if the packages for it are missing.
    """
    if not settings.telemetry.endpoint:
        yield None
        return
    with startup.doing(Step.SECRETS, "install the extra, or set no endpoint"):
        tracing = Tracing(settings.telemetry, role, settings.redis.namespace)
    try:
        yield tracing
    finally:
        await tracing.close()


def _is_sampled(context: Any) -> bool:
    from opentelemetry.trace import get_current_span  # noqa: PLC0415 - an extra

    return bool(get_current_span(context).get_span_context().trace_flags.sampled)


def _with_sampling(context: Any) -> Any:
    """Return the context of a caller that is not traced itself, with the same ids."""
    if context is None:
        return None
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, get_current_span, set_span_in_context  # noqa: PLC0415

    of = get_current_span(context).get_span_context()
    if not of.is_valid:
        return None
    flags = TraceFlags(TraceFlags.SAMPLED)
    return set_span_in_context(NonRecordingSpan(SpanContext(of.trace_id, of.span_id, True, flags, of.trace_state)))


def _otlp_exporter(settings: TelemetrySettings) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - an extra

    return OTLPSpanExporter(endpoint=settings.traces_url, timeout=_EXPORT_TIMEOUT_S)


def _ids() -> Any:
    """Return a generator of ids that can be given the next ones."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415 - an extra

    class Ids(RandomIdGenerator):
        #: the ids of the next trace and of its first span
        following: tuple[int, int] | None = None

        def generate_trace_id(self) -> int:
            return self.following[0] if self.following is not None else super().generate_trace_id()

        def generate_span_id(self) -> int:
            following, self.following = self.following, None
            return following[1] if following is not None else super().generate_span_id()

    return Ids()


def _watched(exporter: SpanExporter) -> Any:
    """Return an exporter that counts, and logs an outage once when it begins and once when it ends."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult  # noqa: PLC0415 - an extra

    class Watched(SpanExporter):
        exported = failed = 0

        def __init__(self) -> None:
            self._outage = Outage("traces not exported", "traces exported again")

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            result = exporter.export(spans)
            if result is SpanExportResult.SUCCESS:
                self.exported += len(spans)
                self._outage.worked("collector")
            else:
                self.failed += len(spans)
                self._outage.failed("collector", "unreachable")
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Watched()
