"""Limits per address behind a real proxy."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from feeds.feed import installed_feeds
from oddsengine.gateway.access.settings import AuthSettings, LimitSettings
from oddsengine.runtime.settings import Settings, load_settings
from tests.support.programs.nginx import needs_nginx, nginx
from tests.support.service import quick_settings, running_service

PRODUCTION = Path(__file__).parents[3] / "config" / "production.toml"
PROXIED = """location / { proxy_pass %s; proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade"; %s }"""
FORWARDED = "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"


def production() -> Settings:
    """Return the settings of the example, without its feed and its keys, on a free port."""
    settings = load_settings(PRODUCTION, {name: plugin.config_type for name, plugin in installed_feeds().items()})
    gateway = msgspec.structs.replace(settings.gateway, host="127.0.0.1", port=0)
    return msgspec.structs.replace(settings, gateway=gateway, auth=AuthSettings(), feeds={}, sourcing=())


async def sockets_of(url: str, addresses: list[str]) -> list[int]:
    """Open a socket from each address, and keep all of them open. Return the statuses."""
    statuses: list[int] = []
    sessions: list[aiohttp.ClientSession] = []
    sockets: list[aiohttp.ClientWebSocketResponse] = []
    try:
        for address in addresses:
            session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=(address, 0)))
            sessions.append(session)
            try:
                sockets.append(await session.ws_connect(f"{url}/v1/stream"))
                statuses.append(101)
            except aiohttp.WSServerHandshakeError as refused:
                statuses.append(refused.status)
    finally:
        for session in sessions:
            await session.close()
    return statuses


@needs_nginx
async def test_the_production_example_tells_clients_behind_a_proxy_apart(tmp_path: Path) -> None:
    settings = production()
    limits = msgspec.structs.replace(settings.limits, sessions_per_address=2)
    settings = msgspec.structs.replace(settings, limits=limits)
    async with running_service(settings) as service, nginx(tmp_path, PROXIED % (service.base, FORWARDED)) as proxy:
        everybody = [f"127.0.1.{number}" for number in range(1, 61)]
        assert [101] * 60 == await sockets_of(proxy, everybody)
        one = await sockets_of(proxy, ["127.0.2.1"] * 3)
        assert [101, 101, 429] == one, "the limit holds for each of them"


@needs_nginx
@pytest.mark.parametrize(("headers", "event"), [(FORWARDED, "proxy not trusted, its clients are limited as one"), ("", "")])
async def test_a_proxy_that_is_not_trusted_is_logged_once(tmp_path: Path, headers: str, event: str) -> None:
    """By its headers; one that sends none by the limit that its clients reach together."""
    settings = quick_settings(limits=LimitSettings(sessions_per_address=3))
    async with running_service(settings) as service, nginx(tmp_path, PROXIED % (service.base, headers)) as proxy:
        with capture_logs() as logs:
            statuses = await sockets_of(proxy, [f"127.0.1.{number}" for number in range(1, 7)])
        assert [101] * 3 + [429] * 3 == statuses
        (line,) = [line for line in logs if "trusted_proxies" in str(line)]
        assert ("127.0.0.1", event or "sessions of one address at the limit") == (line["address"], line["event"])


async def test_every_page_and_document_counts_towards_the_rate_of_an_address() -> None:
    for path in ("/", "/app.js", "/docs", "/docs/openapi.json", "/metrics", "/nowhere", "/v1/events"):
        async with running_service(quick_settings(limits=LimitSettings(requests_per_s=0.05))) as service:

            async def status(path: str) -> Any:
                async with service.http.get(service.base + path) as response:
                    return response.status

            assert {200, 404} >= {await status(path)}
            assert 429 == await status(path)
            assert [200] * 3 == [await status("/healthz") for _ in range(3)], "a load balancer asks often"


async def test_metrics_require_a_role_where_clients_need_a_token() -> None:
    for role, expected in (("trader", 200), ("subscriber", 403), ("", 401)):
        async with running_service(quick_settings(auth=AuthSettings(anonymous_role=role))) as service:  # type: ignore[arg-type]
            async with service.http.get(service.base + "/metrics") as response:
                assert expected == response.status
            await asyncio.sleep(0)
