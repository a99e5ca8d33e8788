"""Tokens: JSON Web Tokens (RFC 7519) checked against the config's keys, each of which is good for one algorithm only.

Since a key belongs to its algorithm, a token can't choose how it is checked: `none` and a public key used as a shared
secret (RFC 8725, section 2.1) are refused by construction.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import aiohttp
import jwt
import msgspec
import structlog

from oddsengine.gateway.access.grants import ROLES, Access, Role, SessionLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.gateway.access.settings import AuthSettings, KeySettings

RoleName = Literal["subscriber", "service", "trader", "admin"]

#: Tokens are short; a long one is not looked at.
MAX_TOKEN_CHARACTERS: Final = 8192
_JWKS_REFRESH_S: Final = 300.0
#: A token with an unknown key id makes us look for new keys, but not more often than this.
_JWKS_RETRY_S: Final = 5.0
_JWKS_TIMEOUT_S: Final = 5.0
_LEAST_SECRET_BYTES: Final = 32
#: The algorithms a published key may be for, by its type (RFC 7518, section 6.1); shared secrets are not published.
_ALGORITHMS_BY_TYPE: Final = {"RSA": ("RS256", "RS384", "RS512"), "EC": ("ES256", "ES384", "ES512")}
_log = structlog.get_logger(__name__)


class UnusableKey(Exception):
    """A configured key that can't be read or is none, with the reason."""


class Unauthorised(Exception):
    """A token that is not good, with the reason, which may be told."""


class Claims(msgspec.Struct, kw_only=True):
    """What we read of a token's claims; others are ignored."""

    exp: float
    sub: str = ""
    profile: str | None = None
    channels: list[str] | None = None
    role: RoleName = "subscriber"
    limits: dict[str, Any] = {}


class Authenticator:
    """Checks tokens.

    Args:
        settings: keys and who may come without a token.
        limits: of those whose token does not say otherwise; `sessions` are those of one token, so of nobody without one.
        now_s: the wall clock, Unix seconds.
    """

    def __init__(self, settings: AuthSettings, limits: SessionLimits, now_s: Callable[[], float] = time.time) -> None:
        self._settings = settings
        self._limits = limits
        self._keys: list[_FixedKey | _PublishedKeys] = [
            _PublishedKeys(key) if key.jwks_url else _FixedKey(key) for key in settings.keys
        ]
        self._now_s = now_s
        self.timeout_s = settings.timeout_s
        self.refused = 0
        role = settings.role_without_token()
        of_anybody = msgspec.structs.replace(limits, sessions=0)
        self.anonymous = None if role is None else Access(subject="anonymous", role=role, limits=of_anybody)

    def check_keys(self) -> None:
        """Read every key that is in a file or the environment. Raises UnusableKey naming the one that is none."""
        for key in self._keys:
            if isinstance(key, _FixedKey):
                key.read()

    async def access(self, token: str) -> Access:
        """Tell what the bearer of a token may do.

        Raises:
            Unauthorised: if it is not good.
        """
        try:
            return await self._access(token)
        except Unauthorised:
            self.refused += 1
            raise

    async def _access(self, token: str) -> Access:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthorised("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError as error:
            raise Unauthorised(f"not a token: {error}") from None
        kid, algorithm = header.get("kid", ""), header.get("alg")
        reason = "no key for its algorithm and key id"
        for key in self._keys:
            for candidate in [found async for found in _candidates(key, str(kid), str(algorithm))]:
                try:
                    return self._granted(jwt.decode(token, candidate, **self._checks(str(algorithm))), token)
                except jwt.PyJWTError as error:
                    reason = str(error) or type(error).__name__
        raise Unauthorised(reason)

    def _checks(self, algorithm: str) -> dict[str, Any]:
        settings = self._settings
        return {
            "algorithms": [algorithm],
            "issuer": settings.issuer or None,
            "audience": settings.audience or None,
            "leeway": settings.leeway_s,
            "options": {"require": ["exp"], "verify_aud": bool(settings.audience)},
        }

    def _granted(self, claims: dict[str, Any], token: str) -> Access:
        try:
            known = msgspec.convert(claims, Claims)
            limits = msgspec.convert({**msgspec.structs.asdict(self._limits), **known.limits}, SessionLimits)
        except msgspec.ValidationError as error:
            raise Unauthorised(f"its claims: {error}") from None
        return Access(
            # Those whose tokens name nobody are not all the same.
            subject=known.sub or f"bearer {hashlib.sha256(token.encode()).hexdigest()[:16]}",
            role=Role[known.role] if known.role in ROLES else Role.subscriber,
            profile=known.profile,
            channels=("*",) if known.channels is None else tuple(known.channels),
            limits=limits,
            expires_s=known.exp + self._settings.leeway_s,
        )


class _FixedKey:
    """A key from a file or the environment."""

    def __init__(self, settings: KeySettings) -> None:
        self._settings = settings
        self._read_at = -1
        self._key: Any = None

    def matching(self, kid: str, algorithm: str) -> Any:
        """Give the key if it may have signed such a token."""
        settings = self._settings
        if algorithm != settings.algorithm or (settings.kid and kid != settings.kid):
            return None
        return self.read()

    def read(self) -> Any:
        """Give the key, read anew if its file has changed. Raises UnusableKey if it is none."""
        changed_at = self._changed_at()
        if self._key is None or changed_at != self._read_at:
            self._key = self._prepared()
            self._read_at = changed_at
        return self._key

    def _changed_at(self) -> int:
        if not self._settings.file:
            return 0
        try:
            return Path(self._settings.file).stat().st_mtime_ns
        except OSError:
            # While it is being replaced the key of before holds.
            return self._read_at

    def _prepared(self) -> Any:
        settings = self._settings
        algorithm = settings.algorithm or ""
        try:
            text = Path(settings.file).read_bytes().strip() if settings.file else os.environ[settings.env].encode()
            key = jwt.get_algorithm_by_name(algorithm).prepare_key(text)
        except KeyError:
            raise UnusableKey(f"the environment variable {settings.env} of a key is not set") from None
        except (OSError, ValueError, jwt.PyJWTError) as error:
            raise UnusableKey(f"the {algorithm} key {settings.file or settings.env}: {error}") from None
        if algorithm.startswith("HS") and len(text) < _LEAST_SECRET_BYTES:
            raise UnusableKey(f"the secret {settings.file or settings.env} is under {_LEAST_SECRET_BYTES} bytes (RFC 7518, 3.2)")
        return key


class _PublishedKeys:
    """The keys that an identity provider publishes, fetched again as they rotate."""

    def __init__(self, settings: KeySettings) -> None:
        self._settings = settings
        self._keys: list[jwt.PyJWK] = []
        self._fetched_s = float("-inf")
        self._fetching = asyncio.Lock()

    async def matching(self, kid: str, algorithm: str) -> list[Any]:
        """Give the keys that may have signed such a token."""
        if self._is_due(kid, algorithm):
            # Everybody who comes back after a restart waits for the same answer.
            async with self._fetching:
                if self._is_due(kid, algorithm):
                    await self._fetch()
        return self._find(kid, algorithm)

    def _is_due(self, kid: str, algorithm: str) -> bool:
        age_s = time.monotonic() - self._fetched_s
        return age_s > _JWKS_REFRESH_S or (age_s > _JWKS_RETRY_S and not self._find(kid, algorithm))

    def _find(self, kid: str, algorithm: str) -> list[Any]:
        if self._settings.algorithm is not None and algorithm != self._settings.algorithm:
            return []
        return [
            key.key
            for key in self._keys
            if algorithm in _ALGORITHMS_BY_TYPE.get(key.key_type or "", ())
            and (key.key_id == kid or not kid)
            and key.algorithm_name == algorithm
        ]

    async def _fetch(self) -> None:
        url = self._settings.jwks_url
        try:
            timeout = aiohttp.ClientTimeout(total=_JWKS_TIMEOUT_S)
            async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as response:
                response.raise_for_status()
                published = await response.json(content_type=None)
            self._keys = list(jwt.PyJWKSet.from_dict(published).keys)
        except (aiohttp.ClientError, TimeoutError, ValueError, jwt.PyJWTError) as error:
            # The keys known so far stay good.
            _log.error("keys not fetched", url=url, error=repr(error))
        self._fetched_s = time.monotonic()


async def _candidates(key: _FixedKey | _PublishedKeys, kid: str, algorithm: str) -> Any:
    if isinstance(key, _PublishedKeys):
        for found in await key.matching(kid, algorithm):
            yield found
    else:
        try:
            found = key.matching(kid, algorithm)
        except UnusableKey as error:
            _log.error("key unusable", error=str(error))
            return
        if found is not None:
            yield found
