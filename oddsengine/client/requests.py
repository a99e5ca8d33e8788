"""Requests to a gateway's HTTP API: with a token, tried again after a lost connection, refused with what the gateway says."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from oddsengine.client.errors import CommandRefused
from oddsengine.client.tokens import ask_token
from oddsengine.client.url import stream_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

_TIMEOUT_S: Final = 5.0
_ATTEMPTS: Final = 3
_SCHEMES: Final = {"ws": "http", "wss": "https"}
_FAILED: Final = 400


class GatewayRequests:
    """Asks one gateway. Use it as a context manager.

    Args:
        url: the gateway, as `http://host:port` or `host:port`, or the URL of its stream.
        path: what all paths begin with, as `commands`.
        token: returns the token, at once or as an awaitable; None where none is required.
        ssl: the TLS context, as for a private authority; None for the system's certificates.

    Raises:
        ValueError: if the URL is not one of a gateway.
    """

    def __init__(
        self, url: str, path: str, *, token: Callable[[], str | Awaitable[str]] | None = None, ssl: ssl.SSLContext | None = None
    ) -> None:
        parts = urlsplit(stream_url(url))
        whole = parts.path.removesuffix("stream") + path
        self.url = parts._replace(scheme=_SCHEMES[parts.scheme], path=whole, query="").geturl()
        self._token = token
        self._ssl = ssl
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector() if self._ssl is None else aiohttp.TCPConnector(ssl=self._ssl)
        self._http = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(_TIMEOUT_S))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._http is not None:
            await self._http.close()

    async def ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Return what the gateway answers.

        Raises:
            CommandRefused: if it refuses.
            aiohttp.ClientError, TimeoutError: if it does not answer.
            ValueError: if what the function for tokens returned can't be a token.
        """
        if self._http is None:
            raise RuntimeError("use a client as a context manager")
        token = await ask_token(self._token)
        sent = {**(headers or {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        data = None if body is None else orjson.dumps(body)
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._http.request(method, self.url + path, data=data, headers=sent) as response:
                    return _answer(response.status, await response.read())
            except (aiohttp.ClientConnectionError, TimeoutError):
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(0.1 * attempt)
        raise AssertionError


def _answer(status: int, body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise CommandRefused(status, "", f"the answer ({status}) is not one of a gateway")
    if status >= _FAILED:
        problem = found.get("error", {})
        raise CommandRefused(status, str(problem.get("code", "")), str(problem.get("message", status)))
    return found
