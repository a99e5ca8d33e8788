"""Verification of JSON Web Tokens (RFC 7519) against the configured keys.

Each key is valid for one algorithm, so a token cannot choose how it is verified: `none`, and a public key used as a shared
secret (RFC 8725, section 2.1), are rejected by construction.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from codecs import BOM_UTF8
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import jwt
import msgspec
import structlog

from oddsengine.common.settings.file_identity import file_identity
from oddsengine.gateway.access.grants import Access, Role, SessionLimits
from oddsengine.gateway.access.published_keys import KeysUnavailable, PublishedKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from oddsengine.common.settings.file_identity import FileIdentity
    from oddsengine.gateway.access.settings import AuthSettings, KeySettings

RoleName = Literal["subscriber", "service", "trader", "admin"]

#: Longer tokens are rejected unread.
MAX_TOKEN_CHARACTERS: Final = 8192
#: The end of the year 9999 in Unix seconds. A later time is not one in seconds.
_MAX_EXP_S: Final = 253_402_300_799
_MIN_SECRET_BYTES: Final = 32
_log = structlog.get_logger(__name__)


class UnusableKey(Exception):
    """A configured key that cannot be read or is not valid, with the reason."""


class Unauthorised(Exception):
    """A token that is not valid, with a reason that is safe to send to the client, and whether it has only expired."""

    def __init__(self, reason: str, *, is_expired: bool = False) -> None:
        self.is_expired = is_expired
        # Parts of the token may be in it, and those may be text that has no encoding.
        super().__init__(reason.encode(errors="replace").decode())


class Claims(msgspec.Struct, kw_only=True):
    """The claims that are read from a token; others are ignored."""

    exp: Annotated[float, msgspec.Meta(ge=0, le=_MAX_EXP_S)]
    sub: str = ""
    profile: str | None = None
    channels: list[str] | None = None
    commands: list[str] | None = None
    role: RoleName = "subscriber"
    limits: dict[str, Any] = {}


class Authenticator:
    """Verifies tokens and returns what they grant.

    Args:
        settings: the keys, and the role of clients without a token.
        limits: the limits of tokens that do not set their own. Its `sessions` limit is per token and does not apply to
            anonymous clients.
        clock: monotonic seconds, for the age of published keys.
        anonymous_commands: patterns of the commands that clients without a token may make.
    """

    def __init__(
        self,
        settings: AuthSettings,
        limits: SessionLimits,
        clock: Callable[[], float] = time.monotonic,
        anonymous_commands: tuple[str, ...] = ("*",),
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._keys: list[_LocalKey | PublishedKeys] = [
            PublishedKeys(key, clock) if key.jwks_url else _LocalKey(key) for key in settings.keys
        ]
        self.timeout_s = settings.timeout_s
        self.rejected = 0
        role = settings.role_without_token()
        anonymous_limits = msgspec.structs.replace(limits, sessions=0)
        self.anonymous: Access | None = None
        if role is not None:
            self.anonymous = Access(subject="anonymous", role=role, limits=anonymous_limits, commands=anonymous_commands)

    def validate_keys(self) -> None:
        """Read every key from a file or the environment. Raises UnusableKey for the first that is not valid."""
        for key in self._keys:
            if isinstance(key, _LocalKey):
                key.read()
        if self._settings.oidc is not None:
            try:
                self._settings.oidc.client_secret()
            except ValueError as error:
                raise UnusableKey(f"auth.oidc.{error}") from None

    async def renew_keys(self) -> None:
        """Keep the published keys up to date until cancelled; return at once if there are none."""
        published = [key for key in self._keys if isinstance(key, PublishedKeys)]
        await asyncio.gather(*(key.renew() for key in published))

    async def authenticate(self, token: str) -> Access:
        """Return what a token grants.

        Raises:
            Unauthorised: if it is not valid.
            KeysUnavailable: if that can't be decided until the identity provider answers.
        """
        try:
            return await self._authenticate(token)
        except Unauthorised:
            self.rejected += 1
            raise

    async def _authenticate(self, token: str) -> Access:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise Unauthorised("the token is too long")
        try:
            header = jwt.get_unverified_header(token)
        except Exception as error:  # noqa: BLE001 - whatever a library makes of hostile text: nesting, encodings, numbers
            raise Unauthorised(f"not a token: {error}") from None
        kid, algorithm = str(header.get("kid", "")), str(header.get("alg"))
        reason, unavailable = "no key for its algorithm and key id", False
        for key in self._keys:
            try:
                candidates = await key.candidates(kid, algorithm)
            except KeysUnavailable:
                unavailable = True
                continue
            for candidate in candidates:
                try:
                    return self._access(jwt.decode(token, candidate, **self._decode_options(algorithm)), token)
                except Unauthorised:
                    raise
                except Exception as error:  # noqa: BLE001 - as above
                    reason = str(error) or type(error).__name__
                    if _is_of_claims(error):
                        # It was signed with this key: what another key says of it is no reason.
                        raise Unauthorised(reason, is_expired=isinstance(error, jwt.ExpiredSignatureError)) from None
        if unavailable:
            raise KeysUnavailable
        raise Unauthorised(reason, is_expired=self._claims_to_be_expired(token))

    def _claims_to_be_expired(self, token: str) -> bool:
        """Check whether a token that no key verifies says that it has expired: its key may have been replaced since."""
        try:
            jwt.decode(token, options={"verify_signature": False, "verify_exp": True}, leeway=self._settings.leeway_s)
        except jwt.ExpiredSignatureError:
            return True
        except Exception:  # noqa: BLE001 - as above
            return False
        return False

    def _decode_options(self, algorithm: str) -> dict[str, Any]:
        settings = self._settings
        return {
            "algorithms": [algorithm],
            "issuer": settings.issuer or None,
            "audience": settings.audience or None,
            "leeway": settings.leeway_s,
            "options": {"require": ["exp"], "verify_aud": bool(settings.audience)},
        }

    def _named(self, claims: dict[str, Any]) -> dict[str, Any]:
        """Return the claims that are read by our names."""
        names: dict[str, str] = msgspec.structs.asdict(self._settings.claims)
        found = {ours: value for ours, name in names.items() if (value := _find(claims, name)) is not None}
        if isinstance(roles := found.get("role"), list):
            found["role"] = _highest(roles)
        return {"exp": claims["exp"], "sub": claims.get("sub", ""), **found}

    def _access(self, claims: dict[str, Any], token: str) -> Access:
        try:
            known = msgspec.convert(self._named(claims), Claims)
            limits = msgspec.convert({**msgspec.structs.asdict(self._limits), **known.limits}, SessionLimits)
            "".join([known.sub, known.profile or "", *(known.channels or ()), *(known.commands or ())]).encode()
        except (msgspec.ValidationError, UnicodeEncodeError) as error:
            raise Unauthorised(f"invalid claims: {error}") from None
        return Access(
            # Tokens without a subject must not share one session limit.
            subject=known.sub or f"bearer {hashlib.sha256(token.encode()).hexdigest()[:16]}",
            role=Role[known.role],
            profile=known.profile,
            channels=("*",) if known.channels is None else tuple(known.channels),
            commands=("*",) if known.commands is None else tuple(known.commands),
            limits=limits,
            expires_s=known.exp + self._settings.leeway_s,
        )


def _find(claims: dict[str, Any], name: str) -> Any:
    """Return a claim by its name, or by the names on the way to it; None if there is none."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found


def _highest(roles: list[Any]) -> str:
    """Return the highest role of a list. Others than ours are of other applications."""
    return max((Role[each] for each in roles if isinstance(each, str) and each in Role.__members__), default=Role.subscriber).name


def _is_of_claims(error: Exception) -> bool:
    """Check whether PyJWT found fault with claims, which it reads once the signature is verified."""
    return isinstance(error, jwt.InvalidTokenError) and not isinstance(error, (jwt.DecodeError, jwt.InvalidAlgorithmError))


def _content(file: str) -> bytes:
    return Path(file).read_bytes().removeprefix(BOM_UTF8).strip()


class _LocalKey:
    """A key from a file or the environment."""

    def __init__(self, settings: KeySettings) -> None:
        self._settings = settings
        #: the version of the file that was read, or could not be used
        self._tried: FileIdentity | None = None
        self._key: Any = None

    async def candidates(self, kid: str, algorithm: str) -> list[Any]:
        """Return the key if it may have signed a token with such a header."""
        settings = self._settings
        if algorithm != settings.algorithm or (settings.kid and kid != settings.kid):
            return []
        return [self.read()]

    def read(self) -> Any:
        """Return the key, reading its file again if that has changed.

        While the file is being replaced, or can't be used, the last key stays valid.

        Raises:
            UnusableKey: if there is none yet.
        """
        found = file_identity(self._settings.file) if self._settings.file else None
        if self._key is not None and found in (None, self._tried):
            return self._key
        self._tried = found
        try:
            self._key = self._load()
        except UnusableKey as error:
            if self._key is None:
                raise
            _log.error("key unusable, keeping the last one", error=str(error))
        return self._key

    def _load(self) -> Any:
        settings = self._settings
        algorithm = settings.algorithm or ""
        try:
            text = _content(settings.file) if settings.file else os.environ[settings.env].encode()
            key = jwt.get_algorithm_by_name(algorithm).prepare_key(text)
        except KeyError:
            raise UnusableKey(f"the environment variable {settings.env} of a key is not set") from None
        except (OSError, ValueError, jwt.PyJWTError) as error:
            reason = (isinstance(error, OSError) and error.strerror) or error
            raise UnusableKey(f"the {algorithm} key {settings.file or settings.env}: {reason}") from None
        if algorithm.startswith("HS") and len(text) < _MIN_SECRET_BYTES:
            raise UnusableKey(f"the secret {settings.file or settings.env} is under {_MIN_SECRET_BYTES} bytes (RFC 7518, 3.2)")
        return key
