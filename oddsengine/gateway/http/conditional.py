"""Validators and compression of HTTP answers (RFC 9110, sections 8.8, 12.5.3 and 13.1.2).

A client that has an answer already is told so (304), one that accepts gzip gets it. What a client keeps it must revalidate each
time: no price is ever shown from a cache that has not asked.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from gzip import compress
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, TypeVar

from aiohttp import ETag, hdrs, web

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.typedefs import Handler

Result = TypeVar("Result")
Body = TypeVar("Body", bytes, memoryview)
#: Less than this goes into one packet anyway.
_MIN_GZIP_BYTES: Final = 1024
#: More than this would make other clients wait: it is compressed in a thread.
_MAX_INLINE_BYTES: Final = 32 * 1024
#: An eighth of the size in a quarter of the time that the default level takes for a twelfth.
_FAST: Final = 1
_SMALL: Final = 9
#: What an answer depends on beside its URL: prices are those of the token's profile, as far as it grants them.
_VARY_BY_CLIENT: Final = "Accept-Encoding, Authorization"
_VARY: Final = "Accept-Encoding"
_REVALIDATE: Final = "no-cache"
_NOT_ACCEPTED: Final = re.compile(r"q\s*=\s*0(\.0*)?")


def conditional(handler: Handler, *, is_fixed: bool = False) -> Handler:
    """Wrap a handler so that its answers to GET and HEAD have an entity tag, and are compressed for clients that accept it.

    Answers that are no success, that are streamed, or that a handler has negotiated by itself are passed on as they are. Tags are
    weak: they are the same for all encodings of a body, and on every gateway.

    Args:
        handler: the handler; one that knows a better tag than the digest of the whole body sets `ETag`.
        is_fixed: whether its answers are the same for everybody until the process ends, so that they are compressed once.
    """
    vary = _VARY if is_fixed else _VARY_BY_CLIENT

    async def wrapped(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        if not isinstance(response, web.Response) or response.status != web.HTTPOk.status_code or hdrs.VARY in response.headers:
            return response
        body = response.body
        if not isinstance(body, bytes):
            return response
        response.headers[hdrs.VARY] = vary
        response.headers.setdefault(hdrs.CACHE_CONTROL, _REVALIDATE)
        if response.etag is None:
            response.etag = ETag(await in_time(body, _fixed_tag if is_fixed else tag_of), is_weak=True)
        if _matches(request, response.etag):
            return _not_modified(response)
        if len(body) >= _MIN_GZIP_BYTES and accepts_gzip(request.headers.getall(hdrs.ACCEPT_ENCODING, ())):
            response.body = await in_time(body, _fixed_gzip if is_fixed else _gzip)
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
        return response

    return wrapped


def tag_of(body: bytes | memoryview) -> str:
    """Return the digest of a body, for an entity tag."""
    return blake2b(body, digest_size=16).hexdigest()


def accepts_gzip(accepted: list[str] | tuple[()]) -> bool:
    """Check whether a client accepts gzip, by the values of its `Accept-Encoding` headers. One that names nothing may not."""
    weights: dict[str, bool] = {}
    for coding in ",".join(accepted).lower().split(","):
        name, _, parameters = coding.partition(";")
        weights[name.strip()] = _NOT_ACCEPTED.fullmatch(parameters.strip()) is None
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _matches(request: web.Request, etag: ETag) -> bool:
    """Check whether a client names the tag of what it has, by weak comparison."""
    return any(each.value in {etag.value, "*"} for each in request.if_none_match or ())


def _not_modified(response: web.Response) -> web.Response:
    headers = {name: response.headers[name] for name in (hdrs.ETAG, hdrs.VARY, hdrs.CACHE_CONTROL) if name in response.headers}
    return web.Response(status=web.HTTPNotModified.status_code, headers=headers)


async def in_time(body: Body, work: Callable[[Body], Result]) -> Result:
    """Work on a body, in a thread if it is large."""
    if len(body) <= _MAX_INLINE_BYTES:
        return work(body)
    return await asyncio.get_running_loop().run_in_executor(None, work, body)


def _gzip(body: bytes) -> bytes:
    return compress(body, _FAST, mtime=0)


@lru_cache(maxsize=128)
def _fixed_gzip(body: bytes) -> bytes:
    return compress(body, _SMALL, mtime=0)


@lru_cache(maxsize=128)
def _fixed_tag(body: bytes) -> str:
    return tag_of(body)
