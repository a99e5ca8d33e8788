"""The engine's own HTTP API: explanations, feeds and unmatched events.

`EngineApi` encodes the answers; a gateway in the same process serves them to those with the role, and an engine without a
gateway serves them on its own port (`engine_app`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote

import orjson
from aiohttp import web

from oddsengine.common.error_codes import ErrorCode
from oddsengine.common.excerpts import echoed
from oddsengine.common.http import UNKNOWN_ROUTE, admit, error, healthz, json_answer, metrics_handler
from oddsengine.common.internal_errors import InternalErrors
from oddsengine.domain.ids import MarketId
from oddsengine.streams.leases.keeper import LAPSED

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from oddsengine.common.http import Authorise
    from oddsengine.engine.engine import Engine


class EngineApi:
    """Answers of an engine as JSON.

    Args:
        engine: the engine.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def owns(self, market: MarketId) -> bool:
        """Check whether this engine publishes the shard of a market."""
        return self._engine.owns(market)

    def explain(self, market: MarketId, only_profile: str | None = None) -> bytes | None:
        """Encode how a market's prices were computed (None: for all profiles). Return None if it is not on offer."""
        explanation = self._engine.explain(market, only_profile)
        return None if explanation is None else orjson.dumps(explanation)

    def feeds(self) -> bytes:
        """Encode the status of every feed."""
        return orjson.dumps({"feeds": self._engine.feeds()})

    def unmatched(self) -> bytes:
        """Encode the pairs of events that may be the same."""
        return orjson.dumps({"unmatched": self._engine.unmatched()})


def engine_app(
    engine: Engine, registry: CollectorRegistry, authorise: Authorise | None = None, authorise_scrape: Authorise | None = None
) -> web.Application:
    """Build the application of an engine without a gateway.

    Args:
        engine: the engine.
        registry: the metrics of `/metrics`.
        authorise: admits requests for what only traders may see; None admits all.
        authorise_scrape: admits requests for the metrics; None admits all.
    """
    api = EngineApi(engine)

    async def explain(request: web.Request) -> web.Response:
        key = unquote(request.match_info["id"])
        explanation = api.explain(MarketId(key))
        if explanation is None:
            return error(404, ErrorCode.NOT_FOUND, f"market {echoed(key)} is not on offer")
        return json_answer(explanation)

    async def feeds(_request: web.Request) -> web.Response:
        return json_answer(api.feeds())

    async def unmatched(_request: web.Request) -> web.Response:
        return json_answer(api.unmatched())

    async def readyz(_request: web.Request) -> web.Response:
        problems = engine.problems()
        if not problems and not engine.is_member:
            return error(503, ErrorCode.NOT_READY, f"no shard can be given to this engine: {LAPSED}")
        if not problems:
            return web.json_response({"status": "ready", "shards": engine.ownership.owned})
        shards = ", ".join(map(str, problems))
        return error(503, ErrorCode.NOT_READY, f"shards not published: {shards}: {next(iter(problems.values()))}")

    errors = InternalErrors()
    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", admit(authorise_scrape, metrics_handler(registry), errors))
    app.router.add_get("/v1/markets/{id:.+}/explain", admit(authorise, explain, errors))
    app.router.add_get("/v1/feeds", admit(authorise, feeds, errors))
    app.router.add_get("/v1/unmatched", admit(authorise, unmatched, errors))
    app.add_routes([UNKNOWN_ROUTE])
    return app
