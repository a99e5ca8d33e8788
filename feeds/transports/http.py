"""Requests and answers as values, and the client that carries them: rate limited, timed, and silent about secrets."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal

import aiohttp
import msgspec
from aiolimiter import AsyncLimiter

from oddsengine.common.excerpts import excerpt

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

_OK: Final = 200
_LIMIT_BYTES: Final = 256 * 1024 * 1024
#: Headers of answers that codecs read; the rest is not kept.
_KEPT_HEADERS: Final = frozenset({"retry-after", "x-requests-remaining", "x-requests-used", "date"})


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request that is due.

    `name` is the codec's word for it, `key` what it is about (a sport). `url` is a path under the feed's base URL, or whole.
    `stand_in` is set where the answer is a secret: what a recording keeps in its place.
    """

    name: str
    url: str
    key: str = ""
    method: Literal["GET", "POST"] = "GET"
    params: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    content_type: str = "application/json"
    stand_in: bytes | None = None
    with_certificate: bool = False


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, or that there was none (`status` 0, `error` says why); `at_ms` is when it came, Unix milliseconds."""

    request: Request
    status: int
    at_ms: int
    body: bytes = b""
    headers: dict[str, str] = {}
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether it is what was asked for."""
        return self.status == _OK

    @property
    def error_text(self) -> str:
        """Say what is wrong with it, with the beginning of the provider's words."""
        if self.status == 0:
            return self.error
        return f"HTTP {self.status}: {excerpt(self.body)}"

    @property
    def retry_after_s(self) -> float | None:
        """Seconds the provider asks to wait, if it does."""
        try:
            return max(0.0, float(self.headers["retry-after"]))
        except (KeyError, ValueError):
            return None


class HttpClient:
    """Fetches for one feed; its secrets (key, password, headers) are added here and nowhere seen.

    Args:
        session: the connections.
        base_url: what paths stand under.
        params: added to every query, such as a key.
        headers: gives the headers of every request.
        now_ms: the wall clock, Unix milliseconds.
        requests_per_s: how many requests a second at most, with bursts of twice that.
        certificate: TLS context for requests that identify us by a client certificate.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        base_url: str,
        now_ms: Callable[[], int],
        *,
        params: Mapping[str, str] | None = None,
        headers: Callable[[], Mapping[str, str]] = dict,
        requests_per_s: float = 5.0,
        certificate: ssl.SSLContext | None = None,
    ) -> None:
        self._session = session
        self._base_url = base_url.rstrip("/")
        self._now_ms = now_ms
        self._params = dict(params or {})
        self._headers = headers
        self._limiter = AsyncLimiter(max(2 * requests_per_s, 1.0), max(2 * requests_per_s, 1.0) / requests_per_s)
        self._certificate = certificate
        #: seconds the last answer took, and all of them together
        self.last_s = 0.0
        self.total_s = 0.0
        self.requests = 0
        #: status (0: no answer) -> how often
        self.statuses: dict[int, int] = {}

    async def fetch(self, request: Request) -> Response:
        """Ask and wait for the answer; what the network does wrong is an answer of status 0. May be cancelled."""
        async with self._limiter:
            begun = time.perf_counter()
            response = await self._fetch(request)
            self.last_s = time.perf_counter() - begun
        self.total_s += self.last_s
        self.requests += 1
        self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
        return response

    async def _fetch(self, request: Request) -> Response:
        url = request.url if "://" in request.url else self._base_url + request.url
        try:
            async with self._session.request(
                request.method,
                url,
                params={**dict(request.params), **self._params},
                data=request.body or None,
                headers={**self._headers(), **({"Content-Type": request.content_type} if request.body else {})},
                ssl=self._certificate if request.with_certificate and self._certificate is not None else True,
            ) as answer:
                body = await answer.content.read(_LIMIT_BYTES)
                while piece := await answer.content.read(_LIMIT_BYTES):
                    body += piece
                headers = {key.lower(): value for key, value in answer.headers.items() if key.lower() in _KEPT_HEADERS}
                return Response(request=request, status=answer.status, at_ms=self._now_ms(), body=body, headers=headers)
        except TimeoutError:
            return Response(request=request, status=0, at_ms=self._now_ms(), error="no answer in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The library's texts carry the URL, and with it the key.
            text = type(error).__name__ if not isinstance(error, aiohttp.ClientConnectorError) else _os_text(error)
            return Response(request=request, status=0, at_ms=self._now_ms(), error=f"no answer: {text}")


def _os_text(error: aiohttp.ClientConnectorError) -> str:
    return f"{type(error).__name__}: {error.os_error.strerror or type(error.os_error).__name__}"


@asynccontextmanager
async def http_session(timeout_s: float, tls_context: ssl.SSLContext | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Keep connections open for one feed.

    Args:
        timeout_s: how long a request may take in all; a third of it to connect.
        tls_context: whom to trust; None: the system's certificates.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 3)
    connector = aiohttp.TCPConnector(ssl=tls_context if tls_context is not None else True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield session
