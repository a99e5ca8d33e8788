"""HTTP requests and responses as values, and a rate-limited client whose errors contain no secrets."""

from __future__ import annotations

import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Literal

import aiohttp
import msgspec
from aiolimiter import AsyncLimiter
from yarl import URL

from feeds.transports.dates import http_date_ms
from oddsengine.common.excerpts import excerpt
from oddsengine.common.histogram import Histogram
from oddsengine.common.redaction import SECRETS

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping

_OK: Final = 200
#: Bodies are at most this large unless the caller says otherwise: many times the largest snapshot of any provider.
MAX_BODY_BYTES: Final = 64_000_000
_CHUNK_BYTES: Final = 65_536
_JSON_STARTS: Final = frozenset({b"{", b"["})
#: Statuses of redirects, which are never followed.
REDIRECTS: Final = range(300, 400)
#: Providers answer within a second; requests time out after ten by default.
_RESPONSE_BOUNDS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SECONDS: Final = re.compile(r"\d{1,9}(\.\d+)?", re.ASCII)
#: Response headers that codecs read; the others are discarded.
_KEPT_HEADERS: Final = frozenset({"retry-after", "x-requests-remaining", "x-requests-used", "date"})


class Request(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request to make.

    Attributes:
        name: the codec's name for it, such as `odds`.
        url: a path below the feed's base URL, or a full URL.
        key: what it is about, such as a sport.
        stand_in: set if the response is a secret: what a recording contains in its place.
        with_certificate: whether to present the client certificate.
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
    """A response, or the lack of one.

    Attributes:
        status: the HTTP status; 0 if there was no response.
        at_ms: when it arrived, Unix milliseconds.
        error: why there was no response, or none that is used.
    """

    request: Request
    status: int
    at_ms: int
    body: bytes = b""
    headers: dict[str, str] = {}
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return self.status == _OK and not self.error

    @property
    def error_text(self) -> str:
        """The error, with the beginning of the provider's message."""
        if self.error:
            return self.error
        return f"HTTP {self.status}: {excerpt(self.body)}"

    @property
    def retry_after_s(self) -> float | None:
        """The wait that the provider asks for, seconds, as a number or until a date (RFC 9110, 10.2.3); None for none."""
        asked = self.headers.get("retry-after", "").strip()
        if _SECONDS.fullmatch(asked):
            return float(asked)
        until_ms = http_date_ms(asked)
        if until_ms is None:
            return None
        # The date is by the provider's clock.
        now_ms = http_date_ms(self.headers.get("date")) or self.at_ms
        return max(0.0, (until_ms - now_ms) / 1000)


class HttpClient:
    """Makes the requests of one feed. Its secrets (key, password, headers) are added here and are visible nowhere else.

    Args:
        session: the connection pool; see `http_session`.
        base_url: the URL below which paths are.
        now_ms: the wall clock, Unix milliseconds.
        params: added to every query, such as a key.
        headers: returns the headers of a request.
        requests_per_s: the maximum rate; bursts may be twice as fast.
        certificate: the TLS context for requests with a client certificate.

    Attributes:
        response_seconds: the durations of the requests.
        statuses: how often each status was received; 0 counts the requests without a response.
        oversized: how many responses were larger than allowed.
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
        for value in self._params.values():
            SECRETS.add(value)
        self._limiter = AsyncLimiter(max(2 * requests_per_s, 1.0), max(2 * requests_per_s, 1.0) / requests_per_s)
        self._certificate = certificate
        self.response_seconds = Histogram(_RESPONSE_BOUNDS_S)
        self.statuses: dict[int, int] = {}
        self.oversized = 0

    async def fetch(self, request: Request, max_body_bytes: int = MAX_BODY_BYTES) -> Response:
        """Make a request within the rate limit. May be cancelled.

        A network error becomes a response of status 0; a body over the limit, which counts after decompression, becomes a
        response with an error and without a body.
        """
        async with self._limiter:
            began_s = time.perf_counter()
            response = await self._fetch(request, max_body_bytes)
            self.response_seconds.observe(time.perf_counter() - began_s)
        self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
        return response

    async def _fetch(self, request: Request, max_body_bytes: int) -> Response:
        url = request.url if "://" in request.url else self._base_url + request.url
        try:
            async with self._session.request(
                request.method,
                url,
                params={**dict(request.params), **self._params},
                data=request.body or None,
                headers={**self._headers(), **({"Content-Type": request.content_type} if request.body else {})},
                ssl=self._certificate if request.with_certificate and self._certificate is not None else True,
                # A redirect would send the key to whichever host it names.
                allow_redirects=False,
            ) as response:
                if response.status in REDIRECTS:
                    return Response(
                        request=request, status=response.status, at_ms=self._now_ms(), error=redirect_text(response, "url")
                    )
                body = await _read_body(response, max_body_bytes)
                error = ""
                if body is None:
                    self.oversized += 1
                    body, error = b"", f"HTTP {response.status}: the response has over {max_body_bytes} bytes"
                if response.status != _OK or body[:1] not in _JSON_STARTS:
                    # Error pages echo the URL with its key.
                    body = SECRETS.redact_bytes(body)
                headers = {key.lower(): value for key, value in response.headers.items() if key.lower() in _KEPT_HEADERS}
                at_ms = self._now_ms()
                return Response(request=request, status=response.status, at_ms=at_ms, body=body, headers=headers, error=error)
        except TimeoutError:
            return Response(request=request, status=0, at_ms=self._now_ms(), error="no response in time")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # aiohttp's error messages contain the URL, and with it the key.
            text = type(error).__name__ if not isinstance(error, aiohttp.ClientConnectorError) else _os_text(error)
            return Response(request=request, status=0, at_ms=self._now_ms(), error=f"no response: {text}")


def redirect_text(response: aiohttp.ClientResponse, key: str) -> str:
    """Describe a redirect, which is not followed, and what to do.

    Args:
        response: the redirect.
        key: the config key of the URL that was requested.
    """
    target = URL(response.headers.get("Location", ""))
    where = str(target.with_query(None)) if target.host else "another page"
    return f"HTTP {response.status}: redirected to {where}, which is not followed; if that is right, configure it as `{key}`"


async def _read_body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes | None:
    """Read a body to its end. None if it is larger than allowed; the connection is then closed with the response."""
    if response.content_length is not None and response.content_length > max_bytes:
        return None
    chunks: list[bytes] = []
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        size += len(chunk)
        if size > max_bytes:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _os_text(error: aiohttp.ClientConnectorError) -> str:
    return f"{type(error).__name__}: {error.os_error.strerror or type(error.os_error).__name__}"


@asynccontextmanager
async def http_session(timeout_s: float, tls_context: ssl.SSLContext | None = None) -> AsyncIterator[aiohttp.ClientSession]:
    """Open a connection pool for one feed.

    Args:
        timeout_s: the limit for a whole request; a third of it for connecting.
        tls_context: trusted certificates; None for the system's.
    """
    timeout = aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 3)
    connector = aiohttp.TCPConnector(ssl=tls_context if tls_context is not None else True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        yield session
