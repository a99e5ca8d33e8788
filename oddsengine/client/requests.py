"""Requests to a gateway's HTTP API: with a token, tried again after a lost connection, refused with what the gateway says."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self
from urllib.parse import urlsplit

import aiohttp
import orjson

from oddsengine.client.errors import RequestRefused
from oddsengine.client.recovery import Timing, retry_after_s
from oddsengine.client.tokens import ask_token, expiry_of
from oddsengine.client.url import stream_url

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

_TIMEOUT_S: Final = 5.0
_ATTEMPTS: Final = 3
_SCHEMES: Final = {"ws": "http", "wss": "https"}
_FAILED: Final = 400
_UNAUTHORISED: Final = 401


class _KeptToken:
    """The application's token, asked for when there is none, before it expires, and after it was refused."""

    def __init__(self, source: Callable[[], str | Awaitable[str]] | None) -> None:
        self._source = source
        self._token: str | None = None
        self._until_s = 0.0

    async def get(self, *, other: bool = False) -> str | None:
        """Return the token; with `other` one that was asked for now. Raises ValueError if it can't be one."""
        if self._source is not None and (other or self._token is None or time.time() >= self._until_s):
            self._token = await ask_token(self._source, Timing().token_s)
            expiry_s = None if self._token is None else expiry_of(self._token)
            now_s = time.time()
            in_s = None if expiry_s is None else Timing().renew_in_s(expiry_s - now_s)
            # What says no expiry is asked for again each time, as what has none left.
            self._until_s = 0.0 if in_s is None else now_s + in_s
        return self._token


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
        base = parts._replace(scheme=_SCHEMES[parts.scheme], path=parts.path.removesuffix("stream"), query="")
        self.url = base._replace(path=base.path + path).geturl()
        self._root = base._replace(path=base.path.removesuffix("v1/")).geturl()
        self._token = _KeptToken(token)
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
        """Return what the gateway answers, as JSON values. Raises as `fetch` does."""
        answer = await self.fetch(method, path, None if body is None else orjson.dumps(body), headers)
        found: dict[str, Any] = orjson.loads(answer)
        return found

    async def fetch(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Return what the gateway answers: a JSON object.

        Args:
            method: of the request, as `GET`.
            path: below the client's own path.
            body: JSON; None for none.
            headers: sent beside the token.

        Raises:
            RequestRefused: if it refuses.
            aiohttp.ClientError, TimeoutError: if it does not answer.
            ValueError: if what the function for tokens returned can't be a token.
        """
        token = await self._token.get()
        url = self.url + path
        try:
            return await self._fetch(method, url, body, headers, token)
        except RequestRefused as refused:
            other = await self._token.get(other=True) if refused.status == _UNAUTHORISED else token
            if other == token:
                raise
            return await self._fetch(method, url, body, headers, other)

    async def fetch_public(self, path: str) -> bytes:
        """Return what is served to anybody, by its path beside `v1`. Raises as `fetch` does."""
        return await self._fetch("GET", self._root + path, None, None, None)

    async def _fetch(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str] | None, token: str | None
    ) -> bytes:
        if self._http is None:
            raise RuntimeError("use a client as a context manager")
        sent = {**(headers or {}), **({} if token is None else {"Authorization": f"Bearer {token}"})}
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self._http.request(method, url, data=body, headers=sent) as response:
                    return _checked(response.status, await response.read(), response.headers.get("Retry-After"))
            except (aiohttp.ClientConnectionError, TimeoutError):
                if attempt == _ATTEMPTS:
                    raise
                await asyncio.sleep(0.1 * attempt)
        raise AssertionError


def _checked(status: int, body: bytes, retry_after: str | None) -> bytes:
    """Return the body of an answer. Raises RequestRefused if it is an error, or none of a gateway."""
    if status < _FAILED and body.startswith(b"{"):
        return body
    try:
        problem = orjson.loads(body)["error"]
        code, text = str(problem["code"]), str(problem["message"])
    except (ValueError, TypeError, KeyError):
        code, text = "", f"the answer ({status}) is not one of a gateway"
    raise RequestRefused(status, code, text, retry_after_s(retry_after, time.time))


class GatewayClient:
    """Asks one gateway for what a subclass offers. Use it as a context manager; the arguments are those of `GatewayRequests`."""

    #: what the paths of all requests begin with
    _path: ClassVar[str] = ""

    def __init__(
        self, url: str, *, token: Callable[[], str | Awaitable[str]] | None = None, ssl: ssl.SSLContext | None = None
    ) -> None:
        self._requests = GatewayRequests(url, self._path, token=token, ssl=ssl)

    async def __aenter__(self) -> Self:
        await self._requests.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._requests.__aexit__(kind, error, trace)
