"""`GET /v1/sse`: channels as server-sent events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import HttpVersion11, hdrs, web

from oddsengine.common.excerpts import echoed
from oddsengine.common.http import RequestRejected, error
from oddsengine.domain.formats import FORMATS
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.console.channels import PREFIX, refusal
from oddsengine.gateway.protocol.client_messages import Subscribe
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.encoders import JSON
from oddsengine.gateway.protocol.framing import Framing
from oddsengine.gateway.server.disconnect_watcher import DisconnectWatcher
from oddsengine.gateway.server.readiness import require_loaded
from oddsengine.gateway.state.replica import UnknownChannel
from oddsengine.streams.positions import is_at

if TYPE_CHECKING:
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.grants import Access
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.server.connections import Connections

#: The last is nginx's: it must not wait for more before it passes events on.
_HEADERS: Final = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
_PARAMETERS: Final = frozenset({"channel", "format", "min_interval_ms", "resume", "confirm", "ticket"})


class EventStreamEndpoint:
    """Serves event streams.

    Args:
        hub: opens sessions and handles their subscription.
        admission: admits requests.
        connections: tracks live sessions.
    """

    def __init__(self, hub: Hub, admission: Admission, connections: Connections) -> None:
        self._hub = hub
        self._admission = admission
        self._connections = connections
        self._disconnects = DisconnectWatcher()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve channels until the client disconnects. Answer a HEAD request with the headers only."""
        require_loaded(self._hub.replica)
        if request.method == hdrs.METH_HEAD:
            self._subscription(request, await self._admission.authorise(request, Role.subscriber))
            return web.Response(headers=_HEADERS)
        self._connections.require_open()
        session_id = self._hub.new_id()
        address = await self._admission.admit(request, session_id)
        try:
            access = await self._admission.require_stream_access(request)
            subscribe = self._subscription(request, access)
            if not await self._admission.acquire_session(access, session_id):
                self._hub.counters.over_limit += 1
                raise RequestRejected(error(429, ErrorCode.OVER_LIMIT, "too many sessions with this token", {"Retry-After": "5"}))
            try:
                return await self._stream(request, access, subscribe, session_id, address)
            finally:
                self._admission.release_session(access, session_id)
        finally:
            self._admission.leave(address, session_id)

    def _subscription(self, request: web.Request, access: Access) -> Subscribe:
        """Return the subscription that a request asks for. Raises RequestRejected if it is not valid.

        So it does if its only channel is not granted or on offer. Of several, and with `confirm`, those that are refused are told
        as `error` events.
        """
        subscribe = parse_subscription(request, len(self._hub.replica.offers))
        if len(subscribe.channels) > 1 or subscribe.confirm:
            return subscribe
        (name,) = subscribe.channels
        if name.startswith(PREFIX):
            if (refused := refusal(name, access)) is not None:
                raise RequestRejected(error(403 if refused[0] is ErrorCode.FORBIDDEN else 404, *refused))
            return subscribe
        if not access.may_subscribe(name):
            raise RequestRejected(error(403, ErrorCode.FORBIDDEN, f"{echoed(name)} is not granted"))
        try:
            self._hub.replica.channel(name)
        except UnknownChannel as unknown:
            raise RequestRejected(error(404, ErrorCode.UNKNOWN_CHANNEL, str(unknown))) from None
        return subscribe

    async def _stream(
        self, request: web.Request, access: Access, subscribe: Subscribe, session_id: str, address: str
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=_HEADERS)
        # Events bypass the response: each is written to the transport as a ready part of the body.
        are_chunks = request.version >= HttpVersion11
        if are_chunks:
            response.enable_chunked_encoding()
        await response.prepare(request)
        transport = request.transport
        if transport is None:
            return response
        framing = Framing(are_events=True, are_chunks=are_chunks, has_ids=len(subscribe.channels) == 1)
        session = self._hub.open(transport, access, JSON, framing, session_id)
        self._connections.add(session, "/v1/sse", address, request.protocol)
        try:
            if not self._connections.dismiss_if_closing(session):
                self._hub.handle(session, subscribe)
            await self._disconnects.wait_closed(transport)
        finally:
            self._connections.remove(session)
        return response


def parse_subscription(request: web.Request, shards: int) -> Subscribe:
    """Parse the parameters of a request. Raises RequestRejected if they are not valid.

    Args:
        request: the request.
        shards: how many there are.
    """
    channels = request.query.getall("channel", [])
    unknown = request.query.keys() - _PARAMETERS
    if unknown or not channels:
        text = f"unknown parameter {echoed(min(unknown))}" if unknown else "a channel is required"
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, f"{text}; the parameters are {', '.join(sorted(_PARAMETERS))}"))
    fields = {**request.query, "channels": list(dict.fromkeys(channels))}
    fields.pop("channel")
    fields.pop("ticket", None)
    # A browser sends it when it reconnects by itself: it is newer than what is in the URL.
    if (last := request.headers.get("Last-Event-ID")) and len(fields["channels"]) == 1:
        if is_at(last, shards):
            fields["resume"] = last
        else:
            # Of an earlier installation. A page can't take it back: without a snapshot it would go on with those prices.
            fields.pop("resume", None)
    try:
        subscribe = msgspec.convert(fields, Subscribe, strict=False)
    except msgspec.ValidationError as problem:
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, str(problem))) from None
    if subscribe.format not in FORMATS:
        text = f"unknown format {echoed(subscribe.format)}; the formats are {', '.join(FORMATS)}"
        raise RequestRejected(error(400, ErrorCode.UNSUPPORTED_FORMAT, text))
    return subscribe
