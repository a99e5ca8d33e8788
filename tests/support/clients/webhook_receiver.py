"""A receiver of webhooks, which verifies them as docs/webhooks.md says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from tests.support.service import wait_until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECRET: Final = "whsec_" + base64.b64encode(b"k" * 32).decode()


class Receiver:
    """An endpoint that answers with the next of its statuses, then with 204."""

    def __init__(self) -> None:
        self.url = ""
        self.statuses: list[int] = []
        #: the status of every answer until this is None
        self.refuses_with: int | None = None
        #: headers and body of every attempt
        self.attempts: list[tuple[dict[str, str], bytes]] = []
        self.accepted: list[dict[str, Any]] = []

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.attempts.append((dict(request.headers), body))
        status = self.refuses_with or (self.statuses.pop(0) if self.statuses else 204)
        if status == 204:
            self.accepted.append({"id": request.headers["webhook-id"], **json.loads(body)})
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 307 else None)

    def types(self) -> list[str]:
        return [event["type"] for event in self.accepted]

    async def wait_for(self, *types: str) -> list[dict[str, Any]]:
        """Wait until exactly these events were accepted, and return them."""
        await wait_until(lambda: len(self.accepted) >= len(types), f"{types}, got {self.types()}")
        assert list(types) == self.types()
        return self.accepted


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """Listen on a free port while the context is open."""
    found = Receiver()
    app = web.Application()
    app.router.add_post("/{path:.*}", found.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield found
    finally:
        await runner.cleanup()


def verify(headers: dict[str, str], body: bytes) -> None:
    """Verify a signature as docs/webhooks.md says."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split()
