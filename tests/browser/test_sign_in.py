"""Signing in to the console at a real OpenID Connect provider, in headless Chromium."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import pytest_asyncio

from oddsengine.gateway.access.settings import AuthSettings, ClaimNames, KeySettings, OidcSettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET
from tests.support.programs.identity_provider import identity_provider
from tests.support.service import RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CLIENT = "the-console"
ROLE = "https://floor.example/roles"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def floor() -> AsyncIterator[RunningService]:
    """A service with one market, for people whom an identity provider knows: a trader and somebody else."""
    people = {"sub": "ann", ROLE: ["accounting", "trader"]}, {"sub": "bob", ROLE: ["accounting"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONSOLE_SECRET", SECRET)
        async with identity_provider(*people) as issuer, signed_in_at(issuer) as service:
            yield service


@asynccontextmanager
async def signed_in_at(issuer: str) -> AsyncIterator[RunningService]:
    """Run a service for those whom a provider knows."""
    auth = AuthSettings(
        keys=(KeySettings(jwks_url=f"{issuer}/jwks"), KeySettings(algorithm="HS256", env="CONSOLE_SECRET")),
        issuer=issuer,
        audience=CLIENT,
        claims=ClaimNames(role=ROLE),
        # This provider has no public clients, and takes any secret.
        oidc=OidcSettings(issuer=issuer, client_id=CLIENT, client_secret_env="CONSOLE_SECRET"),
    )
    async with running_service(quick_settings(auth=auth)) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        yield service


async def sign_in(page: Any, who: str) -> None:
    await page.locator("#sign-in-at-provider").click()
    await page.get_by_role("button", name=who, exact=True).first.click()


async def test_a_trader_signs_in_by_the_code_flow_and_stays_signed_in(page: Any, floor: RunningService) -> None:
    asked: list[dict[str, list[str]]] = []
    exchanged: list[dict[str, Any]] = []
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))

    def note(request: Any) -> None:
        if "/oauth2/authorize" in request.url:
            asked.append(parse_qs(urlsplit(request.url).query))
        elif "/console/token" in request.url:
            exchanged.append(json.loads(request.post_data))

    page.on("request", note)
    await page.clock.install()
    await page.goto(f"{floor.base}/console#trouble")
    await sign_in(page, "ann")
    await page.locator("#person", has_text="ann (trader)").wait_for()
    await page.locator(".trouble").wait_for()
    assert f"{floor.base}/console#trouble" == page.url
    challenge = urlsafe_b64encode(hashlib.sha256(exchanged[0]["code_verifier"].encode()).digest()).decode().rstrip("=")
    assert ([challenge], ["S256"], ["code"]) == tuple(
        asked[0][name] for name in ("code_challenge", "code_challenge_method", "response_type")
    )
    stored = await page.evaluate("({...sessionStorage})")
    token = stored["oddsengine.token"]
    assert not [url for url in visited if token in url]
    assert "{}" == await page.evaluate("JSON.stringify({...localStorage})")
    # A reload signs nobody out.
    await page.reload()
    await page.locator("#person", has_text="ann (trader)").wait_for()

    # It is renewed before its end, while the provider does that.
    claims = jwt.decode(token, options={"verify_signature": False})
    renewed = jwt.encode({**claims, "exp": claims["exp"] + 3600}, SECRET)
    await page.route("**/console/token", lambda route: route.fulfill(json={"id_token": renewed, "refresh_token": "next"}))
    await page.clock.fast_forward("50:00")
    await page.wait_for_function("token => sessionStorage['oddsengine.token'] === token", arg=renewed)
    # This one renews access tokens only, which are none for the gateway: the person is told in time.
    await page.unroute("**/console/token")
    await page.clock.fast_forward("01:00:00")
    await page.locator("#ending", has_text="Your sign-in ends at").get_by_role("button").click()
    await page.get_by_role("button", name="ann", exact=True).first.click()
    await page.locator("#person", has_text="ann (trader)").wait_for()


async def test_what_the_provider_did_not_answer_to_this_tab_is_refused(page: Any, floor: RunningService) -> None:
    await page.goto(f"{floor.base}/console?code=stolen&state=guessed")
    await page.locator("#login-problem", has_text="does not belong to this tab").wait_for()
    assert f"{floor.base}/console" == page.url
    await page.locator("#sign-in-at-provider").click()
    await page.get_by_role("button", name="Deny", exact=True).click()
    await page.locator("#login-problem", has_text="The identity provider refused").wait_for()
    await sign_in(page, "bob")
    await page.locator("#login-problem", has_text="requires the role trader, not subscriber").wait_for()


async def test_a_code_of_another_sign_in_is_no_use(page: Any, floor: RunningService) -> None:
    """The nonce of the ID token must be that of this flow, and the tokens those of this gateway's provider."""
    await page.goto(f"{floor.base}/console")
    await page.locator("#sign-in-at-provider").wait_for()
    await page.evaluate("document.querySelector('#sign-in-at-provider').click()")
    await page.get_by_role("button", name="ann", exact=True).first.wait_for()
    other = page.url.replace(parse_qs(urlsplit(page.url).query)["nonce"][0], "the-nonce-of-somebody-else")
    await page.goto(other)
    await page.get_by_role("button", name="ann", exact=True).first.click()
    await page.locator("#login-problem", has_text="(nonce)").wait_for()
    assert await page.evaluate("sessionStorage.getItem('oddsengine.token')") is None
