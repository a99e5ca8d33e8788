"""Signing in to the console at the operator's OpenID Connect provider: what the page needs to know of it, and its token requests.

The page runs the code flow with PKCE (RFC 7636) as a public client. It reaches the provider's token endpoint through this
gateway, so that it may connect to nothing else (`Content-Security-Policy`) and the provider needs no CORS. Only requests of the
flow are passed on, to the one endpoint that the provider names, and only tokens that this gateway accepts are passed back.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import quote_plus, urlsplit

import aiohttp
import msgspec
import orjson
import structlog
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import error
from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.gateway.access.authentication import Unauthorised
from oddsengine.gateway.access.published_keys import KeysUnavailable

if TYPE_CHECKING:
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.access.settings import OidcSettings

_TIMEOUT_S: Final = 5.0
_MAX_BYTES: Final = 256 * 1024
_MAX_BODY_BYTES: Final = 16 * 1024
#: How long what the provider says of itself is kept.
_KEEP_S: Final = 300.0
_OK: Final = 200
#: RFC 6749, section 5.1.
_NO_STORE: Final = {"Cache-Control": "no-store"}
_RETRY: Final = {"Retry-After": "5", **_NO_STORE}
_log = structlog.get_logger(__name__)


class Provider(msgspec.Struct):
    """The metadata of a provider (OpenID Connect Discovery 1.0, section 3), as far as it is needed."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None = None


class CodeRequest(msgspec.Struct, tag_field="grant_type", tag="authorization_code", forbid_unknown_fields=True):
    """A code to be exchanged for tokens (RFC 6749, section 4.1.3; RFC 7636, section 4.5)."""

    code: str
    code_verifier: Annotated[str, Meta(min_length=43, max_length=128)]
    redirect_uri: str


class RefreshRequest(msgspec.Struct, tag_field="grant_type", tag="refresh_token", forbid_unknown_fields=True):
    """Tokens to be renewed (RFC 6749, section 6)."""

    refresh_token: str


class SignInAnswer(msgspec.Struct, kw_only=True):
    """The parameters that the page signs in with."""

    issuer: str
    client_id: str
    scope: str
    token: Literal["id", "access"]
    authorization_endpoint: str
    end_session_endpoint: str | None


class Tokens(msgspec.Struct, omit_defaults=True):
    """The tokens that a provider issues (RFC 6749, section 5.1)."""

    access_token: str = ""
    id_token: str | UnsetType = UNSET
    refresh_token: str | UnsetType = UNSET
    expires_in: float | UnsetType = UNSET


_decode_request: Final = msgspec.json.Decoder(CodeRequest | RefreshRequest).decode


class ProviderUnavailable(Exception):
    """The provider does not answer, or answers what no provider would, with the reason."""


class SignInApi:
    """Request handlers of the sign-in.

    Args:
        settings: the provider; None if people sign in with a token only.
        admission: counts requests, and verifies the tokens that are issued.
    """

    def __init__(self, settings: OidcSettings | None, admission: Admission) -> None:
        self._settings = settings
        self._admission = admission
        self._provider: Provider | None = None
        self._fetched_s = 0.0
        self._lines = LineLimit()

    def use(self, settings: OidcSettings | None) -> None:
        """Use another provider for sign-ins from now on."""
        self._settings, self._provider = settings, None

    @property
    def has_provider(self) -> bool:
        """Whether people sign in at a provider."""
        return self._settings is not None

    def routes(self) -> list[web.RouteDef]:
        """Return the routes, which need no token."""
        return [web.get("/console/sign-in", self.describe), web.post("/console/token", self.exchange)]

    async def describe(self, request: web.Request) -> web.Response:
        """Answer where to sign in. 404 if that is not configured."""
        self._admission.check_rate(request)
        settings = self._settings
        if settings is None:
            return error(404, ErrorCode.NOT_FOUND, "no OpenID Connect provider is configured (auth.oidc)", _NO_STORE)
        try:
            provider = await self._discover(settings)
        except ProviderUnavailable as problem:
            return self._unavailable(problem)
        answer = SignInAnswer(
            issuer=settings.issuer,
            client_id=settings.client_id,
            scope=" ".join(settings.scopes),
            token=settings.token,
            authorization_endpoint=provider.authorization_endpoint,
            end_session_endpoint=provider.end_session_endpoint,
        )
        return web.json_response(body=msgspec.json.encode(answer), headers=_NO_STORE)

    async def exchange(self, request: web.Request) -> web.Response:
        """Exchange a code or a refresh token for tokens, of which the one that is sent to this gateway is valid here."""
        self._admission.check_rate(request)
        self._admission.require_own_page(request)
        settings = self._settings
        if settings is None:
            return error(404, ErrorCode.NOT_FOUND, "no OpenID Connect provider is configured (auth.oidc)", _NO_STORE)
        body = await request.content.read(_MAX_BODY_BYTES)
        try:
            asked = _decode_request(body)
        except DECODING_ERRORS as problem:
            return error(400, ErrorCode.BAD_REQUEST, str(problem), _NO_STORE)
        form = {**msgspec.to_builtins(asked), "client_id": settings.client_id}
        try:
            provider = await self._discover(settings)
            status, answer = await _fetch("POST", provider.token_endpoint, form, _credentials(settings))
        except ProviderUnavailable as problem:
            return self._unavailable(problem)
        if status != _OK:
            reason = answer.get("error_description") or answer.get("error") or f"answered {status}"
            return error(401, ErrorCode.UNAUTHORISED, f"the identity provider refused: {str(reason)[:500]}", _NO_STORE)
        return await self._checked(answer, settings)

    async def _checked(self, answer: dict[str, Any], settings: OidcSettings) -> web.Response:
        """Answer tokens if this gateway accepts the one that it will be sent."""
        try:
            tokens = msgspec.convert(answer, Tokens)
        except msgspec.ValidationError as problem:
            return self._unavailable(ProviderUnavailable(f"its tokens can't be read: {problem}"))
        used = tokens.id_token if settings.token == "id" else tokens.access_token  # noqa: S105 - which of the tokens
        if not used:
            return error(401, ErrorCode.UNAUTHORISED, f"the identity provider issued no {settings.token} token", _NO_STORE)
        try:
            await self._admission.authenticator.authenticate(used)
        except Unauthorised as problem:
            return error(401, ErrorCode.UNAUTHORISED, f"the provider's token is not valid here: {problem}", _NO_STORE)
        except KeysUnavailable:
            return self._unavailable(ProviderUnavailable("its keys can't be fetched"))
        return web.json_response(body=msgspec.json.encode(tokens), headers=_NO_STORE)

    async def _discover(self, settings: OidcSettings) -> Provider:
        now_s = time.monotonic()
        if self._provider is None or now_s - self._fetched_s > _KEEP_S:
            status, answer = await _fetch("GET", f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            try:
                provider = msgspec.convert(answer, Provider)
            except msgspec.ValidationError as problem:
                raise ProviderUnavailable(f"answered {status}, which does not describe a provider: {problem}") from None
            if provider.issuer.rstrip("/") != settings.issuer.rstrip("/"):
                raise ProviderUnavailable(f"calls itself {provider.issuer}")  # Discovery, section 4.3
            for endpoint in (provider.authorization_endpoint, provider.token_endpoint):
                if urlsplit(endpoint).scheme not in {"https", urlsplit(settings.issuer).scheme}:
                    raise ProviderUnavailable(f"has the endpoint {endpoint}, which is not a secure one")
            self._provider, self._fetched_s = provider, now_s
        return self._provider

    def _unavailable(self, problem: ProviderUnavailable) -> web.Response:
        if (left_out := self._lines.take()) is not None:
            _log.warning("identity provider unavailable", error=str(problem), left_out=left_out)
        return error(503, ErrorCode.NOT_READY, f"the identity provider can't be used now: {problem}", _RETRY)


def _credentials(settings: OidcSettings) -> dict[str, str]:
    """Return the header that authenticates the client, none for a public one."""
    try:
        secret = settings.client_secret()
    except ValueError as error:
        raise ProviderUnavailable("needs a secret, which this gateway lacks now") from error
    # RFC 6749, section 2.3.1: both are form-encoded first.
    return {"Authorization": aiohttp.encode_basic_auth(quote_plus(settings.client_id), quote_plus(secret))} if secret else {}


async def _fetch(
    method: str, url: str, form: dict[str, str] | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, Any]]:
    """Send a request to a provider. Raises ProviderUnavailable if no JSON object is answered."""
    headers = {"Accept": "application/json", **(headers or {})}
    try:
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, url, data=form, headers=headers, allow_redirects=False) as response,
        ):
            answer = orjson.loads(await response.content.read(_MAX_BYTES))
            status = response.status
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as problem:
        raise ProviderUnavailable(f"{urlsplit(url).hostname}: {str(problem) or type(problem).__name__}") from None
    if not isinstance(answer, dict):
        raise ProviderUnavailable(f"{urlsplit(url).hostname} answered no JSON object")
    return status, answer
