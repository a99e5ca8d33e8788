"""The `auth` and `limits` sections of the configuration. Imports neither aiohttp nor jwt: every command reads settings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from oddsengine.common.settings.secret_keys import check_secrets, read_secret_key
from oddsengine.gateway.access.grants import Role

Algorithm = Literal["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512"]


class KeySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key that tokens are verified with.

    Exactly one of `file`, `env` (an environment variable) and `jwks_url` (RS and ES algorithms only) holds the key. With
    `kid` set, the key verifies only tokens that name that key id. A file is read again when it changes.
    """

    algorithm: Algorithm | None = None
    file: str = ""
    env: str = ""
    jwks_url: str = ""
    kid: str = ""

    def __post_init__(self) -> None:
        if sum(bool(source) for source in (self.file, self.env, self.jwks_url)) != 1:
            raise ValueError("set exactly one of file, env and jwks_url")
        if not self.jwks_url and self.algorithm is None:
            raise ValueError("algorithm is missing; a key is valid for one algorithm only")
        if self.jwks_url and not self.jwks_url.startswith(("https://", "http://")):
            raise ValueError("jwks_url must begin with https://, or http:// within a private network")
        if self.jwks_url and self.algorithm is not None and self.algorithm.startswith("HS"):
            raise ValueError("a JWKS URL holds public keys: HS algorithms need a secret")


class ClaimNames(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The provider's names of the claims that are read: a name, or names with dots between them where one is inside of another.

    `role` may be a list of roles; the highest of those that are known counts.
    """

    role: str = "role"
    profile: str = "profile"
    channels: str = "channels"
    commands: str = "commands"
    limits: str = "limits"


class OidcSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sign-in to the console at an OpenID Connect provider, by the code flow with PKCE, as a public client.

    `issuer` is the URL below which the provider describes itself. `token` says which of the tokens that it issues is sent to this
    gateway: its ID token, or its access token where that is a JWT. `client_secret_env` and `client_secret_file` are for a
    provider that requires a secret of every client: an environment variable or a file of the gateway, which no browser sees.
    """

    issuer: str
    client_id: Annotated[str, Meta(min_length=1)]
    client_secret_env: str = ""
    client_secret_file: str = ""
    scopes: tuple[str, ...] = ("openid",)
    token: Literal["id", "access"] = "id"  # noqa: S105 - which of the tokens

    def __post_init__(self) -> None:
        check_secrets(self)
        if not self.issuer.startswith(("https://", "http://")) or "?" in self.issuer or "#" in self.issuer:
            raise ValueError("issuer must begin with https://, or http:// within a private network, and has no query")
        if "openid" not in self.scopes:
            raise ValueError("scopes: openid is missing, without which the provider issues no ID token")

    def client_secret(self) -> str:
        """Return the client's secret, empty if it has none. Raises ValueError if its variable or its file is missing."""
        return read_secret_key(self, "client_secret")


class AuthSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the authentication of clients.

    `anonymous_role` is the role of clients without a token; empty rejects them. The default is `trader` if no keys are
    configured (a demo: everything is visible, and commands can be made from this machine) and empty otherwise. `leeway_s` is the
    clock skew allowed when a token's times are checked.
    """

    keys: tuple[KeySettings, ...] = ()
    issuer: str = ""
    audience: str = ""
    claims: ClaimNames = ClaimNames()
    oidc: OidcSettings | None = None
    leeway_s: Annotated[float, Meta(ge=0, le=300)] = 10.0
    anonymous_role: Literal["subscriber", "service", "trader", "admin", ""] | None = None
    #: how long a socket may take to authenticate
    timeout_s: Annotated[float, Meta(gt=0, le=60)] = 5.0

    def __post_init__(self) -> None:
        if self.oidc is None:
            return
        if not self.keys:
            raise ValueError("oidc: needs keys, as [[auth.keys]] with the jwks_url of the provider")
        if not self.audience:
            raise ValueError("oidc: needs audience, so that tokens that the provider issues for others are refused")

    def role_without_token(self) -> Role | None:
        """Return the role of clients without a token, or None if they are rejected."""
        default = "" if self.keys else "trader"
        name = default if self.anonymous_role is None else self.anonymous_role
        return Role[name] if name else None


class LimitSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of one client; 0 means no limit.

    Per address: `sessions_per_address` open at once; `connections_per_address` open at once, whatever they carry, counted when
    they are accepted; `handshakes_per_s` and HTTP `requests_per_s`, each with bursts of twice the rate. Per connection:
    `handshake_timeout_s` for a request to arrive, `idle_timeout_s` between two HTTP requests, `message_bytes` for the longest
    message a client may send. `sessions`, `channels` and `messages_per_s` are the defaults of `grants.SessionLimits` for tokens
    that do not set their own.
    """

    sessions_per_address: Annotated[int, Meta(ge=0)] = 0
    connections_per_address: Annotated[int, Meta(ge=0)] = 0
    handshakes_per_s: Annotated[float, Meta(ge=0)] = 0.0
    requests_per_s: Annotated[float, Meta(ge=0)] = 0.0
    handshake_timeout_s: Annotated[float, Meta(ge=0)] = 10.0
    idle_timeout_s: Annotated[float, Meta(ge=0)] = 20.0
    message_bytes: Annotated[int, Meta(ge=1024, le=16 * 1024 * 1024)] = 256 * 1024
    sessions: Annotated[int, Meta(ge=0)] = 0
    channels: Annotated[int, Meta(ge=0)] = 2000
    messages_per_s: Annotated[float, Meta(ge=0)] = 100.0
    #: how long a socket may accept none of the bytes written to it
    slow_client_timeout_s: Annotated[float, Meta(gt=0)] = 30.0
