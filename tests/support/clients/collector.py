"""A collector of traces on loopback: takes OTLP over HTTP, as protobuf."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """Collects what it was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        #: of the resources that sent them
        self.attributes: dict[str, str] = {}

    def named(self, name: str) -> list[Span]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def trace(self, span: Span) -> dict[str, Span]:
        """Return the spans of the same trace, by name."""
        return {each.name: each for each in self.spans if each.trace_id == span.trace_id}

    async def take(self, request: web.Request) -> web.Response:
        """Receive spans."""
        assert "application/x-protobuf" == request.content_type
        sent = ExportTraceServiceRequest.FromString(await request.read())
        for of_resource in sent.resource_spans:
            self.attributes |= {each.key: each.value.string_value for each in of_resource.resource.attributes}
            self.spans += [span for of_scope in of_resource.scope_spans for span in of_scope.spans]
        return web.Response(body=ExportTraceServiceResponse().SerializeToString(), content_type="application/x-protobuf")


@asynccontextmanager
async def running_collector() -> AsyncIterator[Collector]:
    """Run a collector until the context is left."""
    collector = Collector()
    app = web.Application()
    app.router.add_post("/v1/traces", collector.take)
    async with TestServer(app) as server:
        collector.url = str(server.make_url("")).rstrip("/")
        yield collector
