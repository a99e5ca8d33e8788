"""Pages of other origins: every route answers those that are allowed, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from aiohttp import hdrs

from oddsengine.common.http import UNKNOWN_PATH
from oddsengine.gateway.access.settings import AuthSettings, KeySettings
from tests.support.builders import a_definition, a_quote, market_updates
from tests.support.credentials import SECRET, write_key
from tests.support.service import RunningService, quick_settings, running_service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SHOP = "https://shop.example"
EVIL = "https://evil.example"
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> AuthSettings:
    folder: Path = tmp_path_factory.mktemp("keys")
    return AuthSettings(
        keys=(KeySettings(algorithm="HS256", file=write_key(folder / "key", SECRET)),), anonymous_role="subscriber"
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def named(keys: AuthSettings) -> AsyncIterator[RunningService]:
    async with running_service(quick_settings(allowed_origins=(SHOP,), auth=keys)) as service:
        service.feed(*market_updates(a_definition(), a_quote("home", 2.0), a_quote("away", 2.0)))
        await service.wait_published()
        yield service


def routes_of(service: RunningService) -> list[tuple[str, str]]:
    """Return the method and a path of every route, also of those that answer with errors."""
    found = [
        (route.method, route.resource.canonical.replace("{id}", "e1"))
        for route in service.gateway.app.router.routes()
        if route.resource is not None and route.resource.canonical != UNKNOWN_PATH
    ]
    return [*found, ("GET", "/nothing"), ("PATCH", "/v1/events"), ("GET", "/v1/snapshot?channel=event:none")]


async def answer(service: RunningService, method: str, path: str, **headers: str) -> tuple[int, Any]:
    """Return the status and the headers; the body of an event stream never ends."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with service.http.request(method, service.base + path, headers=sent, allow_redirects=False) as response:
        return response.status, response.headers


async def test_every_route_may_be_read_by_allowed_pages_only(named: RunningService) -> None:
    routes = routes_of(named)
    assert {"/v1/sse", "/v1/stream", "/client.js", "/docs/openapi.json", "/v1/commands"} <= {path for _, path in routes}
    for method, plain in routes:
        path = f"{plain}?channel=event:e1" if plain == "/v1/sse" else plain
        _, allowed = await answer(named, method, path, Origin=SHOP)
        assert (SHOP, "true") == (
            allowed[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN],
            allowed[hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS],
        ), path
        assert "Retry-After" in allowed[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS]
        for origin in ({"Origin": EVIL}, {}):
            _, refused = await answer(named, method, path, **origin)
            assert hdrs.ACCESS_CONTROL_ALLOW_ORIGIN not in refused, path
            assert hdrs.ORIGIN in refused.get(hdrs.VARY, ""), "a cache must not give it to another page"


async def test_every_route_answers_preflights(named: RunningService) -> None:
    for method, path in routes_of(named)[:-3]:
        asked = {"Access_Control_Request_Method": method, "Access_Control_Request_Headers": "authorization"}
        status, headers = await answer(named, "OPTIONS", path, Origin=SHOP, **asked)
        assert 204 == status, path
        assert method in headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS]
        assert SHOP == headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN]
        assert {"Authorization", "Idempotency-Key", "Last-Event-ID", "Traceparent"} <= set(
            headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS].split(", ")
        )
        status, headers = await answer(named, "OPTIONS", path, Origin=EVIL, **asked)
        assert (403, None) == (status, headers.get(hdrs.ACCESS_CONTROL_ALLOW_ORIGIN))
    assert 404 == (await answer(named, "OPTIONS", "/nothing", Origin=SHOP, Access_Control_Request_Method="GET"))[0]
    assert 405 == (await answer(named, "OPTIONS", "/v1/events"))[0], "it is no preflight"


async def test_without_named_origins_any_page_may_read_and_none_may_send_credentials() -> None:
    async with running_service() as service:
        status, headers = await answer(service, "GET", "/v1/events", Origin=EVIL)
        assert (200, "*") == (status, headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN])
        assert hdrs.ACCESS_CONTROL_ALLOW_CREDENTIALS not in headers
        status, _ = await answer(service, "GET", "/v1/commands", Origin=EVIL)
        assert 403 == status, "what traders see is not for every page that is open on their machine"
        status, _ = await answer(service, "GET", "/v1/commands", Origin=service.base)
        assert 200 == status
