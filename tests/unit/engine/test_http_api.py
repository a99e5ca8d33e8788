"""The engine's own HTTP API, and the error answers that both roles share."""

from __future__ import annotations

from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from oddsengine.common.http import UNKNOWN_ROUTE, answer_errors
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.engine.http_api import engine_app

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

MARKET = "e1/match_odds"


class Engine:
    """An engine with one market."""

    def explain(self, market: str, _only_profile: str | None = None) -> dict[str, Any] | None:
        return {"market": market} if market == MARKET else None

    def feeds(self) -> list[dict[str, Any]]:
        return [{"feed": "src"}]

    def unmatched(self) -> list[dict[str, Any]]:
        return []

    def problems(self) -> dict[int, str]:
        return self.unpublished

    unpublished: ClassVar[dict[int, str]] = {}
    is_member = True
    ownership = SimpleNamespace(owned=[0, 1])


@asynccontextmanager
async def client_of(app: web.Application) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.fixture
def app() -> web.Application:
    engine: Any = Engine()
    return engine_app(engine, CollectorRegistry())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/healthz", {"status": "ok"}),
        ("/v1/feeds", {"feeds": [{"feed": "src"}]}),
        ("/v1/unmatched", {"unmatched": []}),
        ("/v1/markets/e1%2Fmatch_odds/explain", {"market": MARKET}),
        ("/v1/markets/e1/match_odds/explain", {"market": MARKET}),
    ],
)
async def test_it_answers_without_a_token(app: web.Application, path: str, body: dict[str, Any]) -> None:
    async with client_of(app) as client, client.get(path) as response:
        assert (200, body) == (response.status, await response.json())


async def test_an_engine_that_cannot_write_is_not_ready() -> None:
    engine: Any = Engine()
    async with client_of(engine_app(engine, CollectorRegistry())) as client:
        async with client.get("/readyz") as response:
            assert (200, [0, 1]) == (response.status, (await response.json())["shards"])
        engine.unpublished = {0: "Redis does not take its writes: OOM", 3: "nothing was written for 9 s"}
        async with client.get("/readyz") as response:
            error = (await response.json())["error"]
    assert (503, "not_ready") == (response.status, error["code"])
    assert "shards not published: 0, 3: Redis does not take its writes: OOM" == error["message"]


async def test_an_engine_without_a_lease_is_not_ready() -> None:
    engine: Any = Engine()
    engine.is_member = False
    async with client_of(engine_app(engine, CollectorRegistry())) as client, client.get("/readyz") as response:
        assert (503, "not_ready") == (response.status, (await response.json())["error"]["code"])


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/markets/e9%2Fmatch_odds/explain", 404, "not_found"),
        ("GET", "/v1/events", 404, "not_found"),
        ("POST", "/v1/feeds", 405, "bad_request"),
    ],
)
async def test_errors_have_a_code_and_a_message(app: web.Application, method: str, path: str, status: int, code: str) -> None:
    async with client_of(app) as client, client.request(method, path) as response:
        error = (await response.json())["error"]
        assert (status, code) == (response.status, error["code"])
        assert error["message"]
        assert (status == 405) == ("Allow" in response.headers)


async def test_an_unexpected_error_is_answered_without_its_text() -> None:
    async def fail(_request: web.Request) -> web.StreamResponse:
        raise RuntimeError("secret")

    app = web.Application()
    app.add_routes([web.get("/fails", answer_errors(fail, InternalErrors())), UNKNOWN_ROUTE])
    async with client_of(app) as client, client.get("/fails") as response:
        text = await response.text()
        assert (500, "internal") == (response.status, orjson.loads(text)["error"]["code"])
        assert "secret" not in text
