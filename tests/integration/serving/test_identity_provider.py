"""Tokens while the identity provider is down, hangs, or publishes keys in another way than we would."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from aiohttp import web
from websockets.exceptions import ConnectionClosed, InvalidStatus

from oddsengine.gateway.access.authentication import Authenticator, Unauthorised
from oddsengine.gateway.access.grants import SessionLimits
from oddsengine.gateway.access.published_keys import KeysUnavailable, parse_jwks
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.credentials import a_token, ec_key, jwks_document, rsa_key
from tests.support.service import PATIENCE_S, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEY = rsa_key()


class Provider:
    """An identity provider that answers, fails or hangs."""

    def __init__(self) -> None:
        self.document = jwks_document(a=KEY)
        self.status = 200
        self.requests = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self.url = ""

    async def handle(self, _request: web.Request) -> web.Response:
        self.requests += 1
        await self.answering.wait()
        return web.Response(status=self.status, body=self.document)


@asynccontextmanager
async def provider_running() -> AsyncIterator[Provider]:
    provider = Provider()
    app = web.Application()
    app.add_routes([web.get("/keys", provider.handle)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.url = f"http://127.0.0.1:{runner.addresses[0][1]}/keys"
    try:
        yield provider
    finally:
        provider.answering.set()
        await runner.cleanup()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_good_tokens_are_told_to_retry_while_the_provider_is_down_at_the_start() -> None:
    good, nonsense = a_token(KEY, "RS256", kid="a"), "nonsense"
    async with provider_running() as provider:
        provider.status = 500
        auth = AuthSettings(keys=(KeySettings(jwks_url=provider.url),))
        async with running_service(quick_settings(auth=auth)) as service:
            for path in ("/v1/events", "/v1/sse?channel=sport:football", "/metrics"):
                async with service.http.get(service.base + path, headers=bearer(good)) as response:
                    assert (503, True) == (response.status, int(response.headers["Retry-After"]) > 0), path
                async with service.http.get(service.base + path, headers=bearer(nonsense)) as response:
                    assert 401 == response.status, path
            with pytest.raises(InvalidStatus) as refused:
                async with service.socket(additional_headers=bearer(good)):
                    pass
            assert 503 == refused.value.response.status_code
            async with service.socket() as socket:
                await socket.send(op="auth", id=3, token=good)
                answer = await socket.receive_until("error")
                assert (3, "not_ready") == (answer["id"], answer["code"])
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.receive()
                assert 1013 == closed.value.rcvd.code  # type: ignore[union-attr]
            provider.status = 200
            async with asyncio.timeout(PATIENCE_S):  # it is asked again by itself
                while True:
                    async with service.http.get(service.base + "/v1/events", headers=bearer(good)) as response:
                        if response.status == 200:
                            break
                    await asyncio.sleep(0.2)


async def test_known_keys_serve_while_the_provider_hangs() -> None:
    now_s = 0.0
    async with provider_running() as provider:
        settings = AuthSettings(keys=(KeySettings(jwks_url=provider.url),))
        authenticator = Authenticator(settings, SessionLimits(), clock=lambda: now_s)
        token = a_token(KEY, "RS256", kid="a")
        assert await authenticator.authenticate(token)
        provider.answering.clear()
        renewing = asyncio.create_task(authenticator.renew_keys())
        try:
            while provider.requests < 2:
                await asyncio.sleep(0.01)
            now_s = 100_000.0
            for _ in range(3):
                assert await authenticator.authenticate(token), "it does not wait for the answer"
            assert 2 == provider.requests
        finally:
            renewing.cancel()


async def test_whether_an_unknown_key_exists_is_not_known_while_the_provider_is_down() -> None:
    now_s = 0.0
    async with provider_running() as provider:
        settings = AuthSettings(keys=(KeySettings(jwks_url=provider.url),))
        authenticator = Authenticator(settings, SessionLimits(), clock=lambda: now_s)
        assert await authenticator.authenticate(a_token(KEY, "RS256", kid="a"))
        provider.status, now_s = 503, 10.0
        with pytest.raises(KeysUnavailable):
            await authenticator.authenticate(a_token(rsa_key(), "RS256", kid="new"))
        assert await authenticator.authenticate(a_token(KEY, "RS256", kid="a")), "keys fetched before stay valid"
        with pytest.raises(Unauthorised):
            await authenticator.authenticate(a_token("x" * 40, "HS256", kid="new"))


def a_jwk(key: Any = KEY, **changed: Any) -> dict[str, Any]:
    """Return a key's JWK with some members changed, or left out (None)."""
    algorithm = jwt.algorithms.RSAAlgorithm if hasattr(key, "decrypt") else jwt.algorithms.ECAlgorithm
    jwk = {**json.loads(algorithm.to_jwk(key.public_key())), "kid": "a", **changed}
    return {name: value for name, value in jwk.items() if value is not None}


async def accepted(*jwks: Any, algorithm: Any = None, key: Any = KEY, signed: str = "RS256", kid: str | None = "a") -> bool:
    """Check whether a token is accepted with these published keys."""
    async with provider_running() as provider:
        provider.document = json.dumps({"keys": list(jwks)}).encode()
        settings = AuthSettings(keys=(KeySettings(jwks_url=provider.url, algorithm=algorithm),))
        try:
            await Authenticator(settings, SessionLimits()).authenticate(a_token(key, signed, kid=kid))
        except Unauthorised:
            return False
        return True


async def test_a_published_key_without_alg_is_used_with_the_algorithms_of_its_type() -> None:
    """RFC 7517, section 4.4: `alg` is optional."""
    assert await accepted(a_jwk(), algorithm="RS512", signed="RS512")
    assert await accepted(a_jwk(), signed="RS384")
    assert not await accepted(a_jwk(), algorithm="RS512", signed="RS256")
    assert not await accepted(a_jwk(alg="RS256"), algorithm="RS512", signed="RS512")
    assert await accepted(a_jwk(alg="RS512"), algorithm="RS512", signed="RS512")
    curve = ec_key()
    assert await accepted(a_jwk(curve), key=curve, signed="ES256")
    assert not await accepted(a_jwk(curve, alg="ES512"), key=curve, signed="ES256")


async def test_only_published_keys_for_signatures_are_used() -> None:
    """RFC 7517, sections 4.2 and 4.3."""
    for use in ({"use": "enc"}, {"key_ops": ["encrypt"]}, {"use": ["sig"]}, {"kty": "oct"}, {"alg": "RSA-OAEP"}):
        assert not await accepted(a_jwk(**use)), use
    assert await accepted(a_jwk(use="sig", key_ops=["verify"]))


async def test_a_key_that_cannot_be_read_does_not_affect_the_others() -> None:
    for bad in (5, {}, {"kty": "RSA"}, a_jwk(n="***"), a_jwk(n=7), a_jwk(e=None), a_jwk(x5c=[1]), a_jwk(ec_key(), x="AA")):
        assert await accepted(bad, a_jwk()), bad
    assert await accepted(a_jwk(kid=None)), "a key without an id may be that of any token"
    assert await accepted(a_jwk(), kid=None)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys":{}}', b"[" * 100_000, b"\xff", b'{"keys":"a"}'])
def test_a_document_that_is_no_key_set_is_an_error_with_a_reason(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_jwks(body)
