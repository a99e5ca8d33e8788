"""The engine's own HTTP API: explanations, feeds and unmatched events.

`EngineApi` encodes the answers; a gateway in the same process serves them to those with the role, and an engine without a
gateway serves them to its own network (`engine_app`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import orjson
from aiohttp import web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.http import UNKNOWN_ROUTE, answer_errors, error, healthz, json_answer, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from oddsengine.engine.engine import Engine


class EngineApi:
    """Answers of an engine as JSON.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def explain(self, market: MarketId) -> bytes | None:
        """Encode how a market's prices were computed. Return None if the market is not on offer."""
        explanation = self._engine.explain(market)
        return None if explanation is None else orjson.dumps(explanation)

    def feeds(self) -> bytes:
        """Encode the status of every feed."""
        return orjson.dumps({"feeds": self._engine.feeds()})

    def unmatched(self) -> bytes:
        """Encode the pairs of events that may be the same."""
        return orjson.dumps({"unmatched": self._engine.unmatched()})


def engine_app(engine: Engine, registry: CollectorRegistry) -> web.Application:
    """Build the application of an engine without a gateway. It requires no token: serve it to the internal network only.

    Args:
        engine: the engine.
        registry: the metrics of `/metrics`.
    """
    api = EngineApi(engine)

    async def explain(request: web.Request) -> web.Response:
        key = unquote(request.match_info["id"])
        explanation = api.explain(MarketId(key))
        if explanation is None:
            return error(404, ErrorCode.NOT_FOUND, f"market {key!r} is not on offer")
        return json_answer(explanation)

    async def feeds(_request: web.Request) -> web.Response:
        return json_answer(api.feeds())

    async def unmatched(_request: web.Request) -> web.Response:
        return json_answer(api.unmatched())

    errors = InternalErrors()
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/metrics", metrics_handler(registry))
    app.router.add_get("/v1/markets/{id:.+}/explain", answer_errors(explain, errors))
    app.router.add_get("/v1/feeds", answer_errors(feeds, errors))
    app.router.add_get("/v1/unmatched", answer_errors(unmatched, errors))
    app.add_routes([UNKNOWN_ROUTE])
    return app
