"""A proxy in front of a gateway that refuses, closes and loses connections as a test says, and passes on everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import orjson
from aiohttp import WSMsgType, web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WELCOME = {"op": "welcome", "version": 1, "session": "front", "heartbeat_ms": 5000}


class Answer(NamedTuple):
    """Answer a handshake with an HTTP status."""

    status: int
    headers: Mapping[str, str] = {}


class Close(NamedTuple):
    """Accept a connection, welcome it, send further messages, and close it once the client has sent something."""

    code: int
    reason: str = ""
    messages: Sequence[dict[str, Any]] = ()


class Swallow(NamedTuple):
    """Answer nothing to a handshake, as behind a network that loses everything."""


class Send(NamedTuple):
    """Accept a connection, send a text that may be no message, and keep it open."""

    text: str


class Refuse(NamedTuple):
    """Pass everything on, but answer the first subscribe request with an error."""

    code: str
    names_channels: bool = True


class FallSilent(NamedTuple):
    """Pass everything on until the first snapshot, and nothing after it. The promised heartbeats are frequent."""


class LoseRenewal(NamedTuple):
    """Pass everything on until a token is sent to replace another one, and close the connection instead of passing that on."""

    token: str


Step = Answer | Close | Swallow | Send | Refuse | FallSilent | LoseRenewal


class Front:
    """The proxy. Each connection takes the next step; those after the last one are passed on unchanged.

    Args:
        gateway: the URL of the gateway.
        steps: what to do.
    """

    def __init__(self, gateway: str, steps: Sequence[Step]) -> None:
        self._gateway = gateway
        self._steps = list(steps)
        self._last_status: Answer | None = None
        self.url = ""
        self.handshakes = 0
        #: what clients have sent, by connection
        self.received: list[list[dict[str, Any]]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve a connection."""
        if request.headers.get("Upgrade", "").lower() != "websocket":
            # A page asks over HTTP why its handshake failed.
            return _response(self._last_status or Answer(426))
        self.handshakes += 1
        step = self._steps.pop(0) if self._steps else None
        self._last_status = step if isinstance(step, Answer) else None
        if isinstance(step, Answer):
            return _response(step)
        if isinstance(step, Swallow):
            await asyncio.Event().wait()
        socket = web.WebSocketResponse(protocols=("odds.v1.json",), max_msg_size=0)
        await socket.prepare(request)
        self.received.append([])
        if isinstance(step, Close):
            await self._close(socket, step)
        elif isinstance(step, Send):
            await socket.send_str(step.text)
            async for _ in socket:
                pass
        else:
            assert not isinstance(step, Swallow)
            await self._relay(request, socket, step)
        return socket

    async def _close(self, socket: web.WebSocketResponse, step: Close) -> None:
        await socket.send_json(_WELCOME)
        await socket.receive()
        for message in step.messages:
            await socket.send_json(message)
        await socket.close(code=step.code, message=step.reason.encode())

    async def _relay(
        self, request: web.Request, socket: web.WebSocketResponse, step: Refuse | FallSilent | LoseRenewal | None
    ) -> None:
        headers = {name: request.headers[name] for name in ("Authorization",) if name in request.headers}
        url = self._gateway.replace("http", "ws") + "/v1/stream"
        async with (
            aiohttp.ClientSession() as http,
            http.ws_connect(url, headers=headers, protocols=("odds.v1.json",), max_msg_size=0) as gateway,
        ):
            down = asyncio.create_task(self._pass_down(gateway, socket, step))
            try:
                refuse = step if isinstance(step, Refuse) else None
                async for message in socket:
                    if message.type is not WSMsgType.TEXT:
                        continue
                    content = orjson.loads(message.data)
                    self.received[-1].append(content)
                    if isinstance(step, LoseRenewal) and content.get("token") == step.token:
                        await socket.close(code=1011)
                    elif refuse is not None and content["op"] == "subscribe":
                        await socket.send_json(_refusal(refuse, content))
                        refuse = None
                    else:
                        await gateway.send_str(message.data)
            finally:
                down.cancel()
                await asyncio.gather(down, return_exceptions=True)

    @staticmethod
    async def _pass_down(gateway: aiohttp.ClientWebSocketResponse, socket: web.WebSocketResponse, step: Step | None) -> None:
        async for message in gateway:
            content = orjson.loads(message.data)
            if isinstance(step, FallSilent) and content["op"] == "welcome":
                content["heartbeat_ms"] = 100
            await socket.send_json(content)
            if isinstance(step, FallSilent) and content["op"] == "snapshot":
                await asyncio.Event().wait()
        await socket.close(code=gateway.close_code or 1011)


def _refusal(step: Refuse, request: dict[str, Any]) -> dict[str, Any]:
    channels = {"channels": request["channels"]} if step.names_channels else {}
    return {"op": "error", "id": request["id"], "code": step.code, "message": f"refused: {step.code}", **channels}


def _response(answer: Answer) -> web.Response:
    return web.Response(status=answer.status, headers=answer.headers)


def _redirect_to(gateway: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": gateway + request.path_qs})

    return handler


@asynccontextmanager
async def front_of(gateway: str, *steps: Step) -> AsyncIterator[Front]:
    """Run a proxy in front of a gateway."""
    front = Front(gateway, steps)
    app = web.Application()
    app.router.add_get("/v1/stream", front.handle)
    app.router.add_get("/v1/sse", _redirect_to(gateway))
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        front.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield front
    finally:
        await runner.cleanup()
