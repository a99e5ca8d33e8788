"""The keys that an identity provider publishes at a URL (RFC 7517), fetched again as they rotate."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import aiohttp
import jwt
import orjson
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.access.settings import KeySettings

_REFRESH_S: Final = 300.0
#: A fetch that failed is repeated, and an unknown key id triggers one, but no more often than this.
_RETRY_S: Final = 5.0
_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 1024 * 1024
_MIN_RSA_BITS: Final = 2048  # RFC 7518, section 3.3
#: The algorithms that a key may be used with, by key type and curve (RFC 7518, section 3.1). Shared secrets are never published.
_RSA: Final = ("RS256", "RS384", "RS512")
_BY_CURVE: Final = {"P-256": ("ES256",), "P-384": ("ES384",), "P-521": ("ES512",)}
_log = structlog.get_logger(__name__)


class KeysUnavailable(Exception):
    """The keys that a token needs can't be fetched now: whether it is valid is not known."""


class _Key(NamedTuple):
    kid: str | None
    algorithms: tuple[str, ...]
    key: Any


class PublishedKeys:
    """The keys of one URL.

    A known key serves at once, while `renew` fetches the keys again. Only a token with an unknown key id waits for a fetch.

    Args:
        settings: the URL, and the only algorithm to accept if there is one.
        clock: monotonic seconds.
    """

    def __init__(self, settings: KeySettings, clock: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = clock
        self._keys: list[_Key] = []
        self._fetched_s = float("-inf")
        self._fetching = asyncio.Lock()
        #: whether the last fetch succeeded; None before the first
        self._is_available: bool | None = None

    async def candidates(self, kid: str, algorithm: str) -> list[Any]:
        """Return the keys that may have signed a token with such a header. May be cancelled.

        Raises:
            KeysUnavailable: if there is none, and the keys could not be fetched.
        """
        if not self._may_have(algorithm):
            return []
        found = self._find(kid, algorithm)
        if not found and self._is_due() and not (self._fetching.locked() and self._is_available is False):
            # All clients that reconnect after a restart share one fetch.
            async with self._fetching:
                if self._is_due():
                    await self._fetch()
            found = self._find(kid, algorithm)
        if not found and not self._is_available:
            raise KeysUnavailable
        return found

    async def renew(self) -> None:
        """Fetch the keys now, and again as long as this is not cancelled."""
        while True:
            async with self._fetching:
                await self._fetch()
            await asyncio.sleep(_REFRESH_S if self._is_available else _RETRY_S)

    def _is_due(self) -> bool:
        return self._clock() - self._fetched_s > _RETRY_S

    def _may_have(self, algorithm: str) -> bool:
        if self._settings.algorithm is not None:
            return algorithm == self._settings.algorithm
        return algorithm in _RSA or (algorithm,) in _BY_CURVE.values()

    def _find(self, kid: str, algorithm: str) -> list[Any]:
        # A key without an id may be that of any token.
        return [key.key for key in self._keys if algorithm in key.algorithms and (not kid or key.kid in {kid, None})]

    async def _fetch(self) -> None:
        url = self._settings.jwks_url
        try:
            timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as response:
                response.raise_for_status()
                keys = parse_jwks(await _read(response))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            # The keys fetched before stay valid.
            if self._is_available is not False:
                _log.error("JWKS unavailable", url=url, error=repr(error), known_keys=len(self._keys))
            self._is_available = False
        else:
            if self._is_available is not True:
                _log.info("JWKS fetched", url=url, keys=len(keys))
            self._keys, self._is_available = keys, True
        self._fetched_s = self._clock()


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read a body. Raises ValueError if it is far longer than any JWK Set."""
    body = bytearray()
    async for part in response.content.iter_any():
        body += part
        if len(body) > _MAX_BYTES:
            raise ValueError(f"the answer is longer than {_MAX_BYTES} bytes")
    return bytes(body)


def parse_jwks(body: bytes) -> list[_Key]:
    """Parse a JWK Set. Keys that can't verify tokens here are left out.

    Raises:
        ValueError: if it is none.
    """
    document = orjson.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("not a JWK Set (RFC 7517, section 5): it has no keys")  # noqa: TRY004 - the document is wrong
    return [key for entry in entries if isinstance(entry, dict) and (key := _parse_key(entry)) is not None]


def _parse_key(entry: dict[str, Any]) -> _Key | None:
    """Parse a JWK. Return None if it is not one for signatures that we know."""
    kid, named = entry.get("kid"), entry.get("alg")
    operations = entry.get("key_ops")
    if entry.get("use") not in (None, "sig") or (isinstance(operations, list) and "verify" not in operations):
        return None
    algorithms = _RSA if entry.get("kty") == "RSA" else _BY_CURVE.get(str(entry.get("crv")), ())
    if named is not None:
        # RFC 7517, section 4.4: a key without `alg` may be used with any algorithm of its type.
        algorithms = (str(named),) if named in algorithms else ()
    if not algorithms:
        return None
    try:
        key = jwt.PyJWK(entry, algorithm=algorithms[0]).key
    except Exception as error:  # noqa: BLE001 - whatever a library makes of a foreign document
        _log.warning("published key unusable", kid=kid, error=repr(error))
        return None
    if algorithms[0] in _RSA and key.key_size < _MIN_RSA_BITS:
        _log.warning("published key unusable", kid=kid, error=f"{key.key_size} bits, at least {_MIN_RSA_BITS} are required")
        return None
    return _Key(None if kid is None else str(kid), algorithms, key)
