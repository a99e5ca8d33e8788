"""The REST API: snapshots, events, markets and explanations, answered from memory; past results from Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote

import structlog
from aiohttp import web
from redis.exceptions import RedisError

from oddsengine.common.excerpts import echoed
from oddsengine.common.http import RequestRejected, error, json_answer
from oddsengine.common.reporting.line_limit import LineLimit
from oddsengine.domain.changes import EventChange
from oddsengine.domain.formats import FORMATS
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.gateway.access.grants import Access, Role
from oddsengine.gateway.console.engine_answers import NoAnswer
from oddsengine.gateway.http.whole_channels import answer_channels, named_channels
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.delivery import DeliveryOptions
from oddsengine.gateway.server.readiness import require_loaded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler

    from oddsengine.domain.changes import MarketRecord, SettledMarket
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.console.engine_answers import EngineAnswers
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.state.replica import Replica
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.replica_offer import LazyMarket

_log = structlog.get_logger(__name__)


class ResultFinder(Protocol):
    """Finds markets that have left the offer with their results."""

    async def find(self, market: str) -> SettledMarket | None:
        """Return a market, None if it is not kept. Raises RedisError or OSError if the store does not answer."""
        ...


class RestApi:
    """Request handlers over what the hub publishes.

    Args:
        hub: the replica, its caches, and the profile of each client.
        engines: answers of the engines; None if nobody can be asked.
        admission: authorises requests.
        results: finds markets that have left the offer; None if none are kept.
    """

    def __init__(
        self, hub: Hub, engines: EngineAnswers | None, admission: Admission, results: ResultFinder | None = None
    ) -> None:
        self._results = results
        self._unreachable_lines = LineLimit()
        self._replica = hub.replica
        self._engines = engines
        self._profile = hub.profile_of
        self._admission = admission
        self._hub = hub
        self._note_request = hub.note_http_request

    def routes(self) -> list[web.RouteDef]:
        """Return the API's routes."""
        return [
            web.get("/v1/events", self._require(Role.subscriber, self.events)),
            web.get("/v1/events/{id:.+}", self._require(Role.subscriber, self.event)),
            web.get("/v1/markets/{id:.+}/explain", self._require(Role.trader, self.explain)),
            # What the engine knows is needed most while nothing is loaded.
            web.get("/v1/feeds", self._require(Role.trader, self.feeds, when_loaded=False)),
            web.get("/v1/unmatched", self._require(Role.trader, self.unmatched, when_loaded=False)),
            web.get("/v1/markets/{id:.+}", self._require(Role.subscriber, self.market)),
            web.get("/v1/snapshot", self._require(Role.subscriber, self.snapshot)),
        ]

    def _require(
        self, role: Role, handler: Callable[[web.Request, Access], Awaitable[web.Response]], *, when_loaded: bool = True
    ) -> Handler:
        """Wrap a handler so that it serves only clients with at least this role, once every shard is loaded."""

        async def authorised(request: web.Request) -> web.Response:
            self._note_request()
            if when_loaded:
                require_loaded(self._replica)
            return await handler(request, await self._admission.authorise(request, role))

        return authorised

    async def events(self, request: web.Request, access: Access) -> web.Response:
        """List events, filtered by `sport`, `competition` and `in_play`."""
        sport, competition = request.query.get("sport"), request.query.get("competition")
        in_play = request.query.get("in_play")
        if in_play not in {None, "true", "false"}:
            return error(400, ErrorCode.BAD_REQUEST, f"in_play must be true or false, not {echoed(in_play)}")
        allow_parameters(request, "sport", "competition", "in_play")
        fragments = [
            encoders.event_change(_whole(entry))
            for entry in self._replica.events()
            if (sport is None or entry.record.description.sport == sport)
            and (competition is None or entry.record.description.competition.id == competition)
            and (in_play is None or entry.record.progress.in_play == (in_play == "true"))
            and _may_see(access, entry)
        ]
        return json_answer(encoders.event_list(fragments))

    async def event(self, request: web.Request, access: Access) -> web.Response:
        """Return an event with its markets."""
        allow_parameters(request, "format")
        key = unquote(request.match_info["id"])
        offer = self._replica.offers[self._replica.shard_of(key)]
        entry = offer.events.get(EventId(key))
        if entry is None or not _may_see(access, entry):
            return error(404, ErrorCode.NOT_FOUND, f"event {echoed(key)} is not on offer")
        odds_format = odds_format_of(request)
        profile_index = offer.profile_index(self._profile(access))
        records = [self._replica.effective(market.record) for market in entry.markets.values()]
        markets = [encoders.market(record, profile_index, odds_format) for record in records]
        return json_answer(encoders.event_with_markets(encoders.event_change(_whole(entry)), markets))

    async def market(self, request: web.Request, access: Access) -> web.Response:
        """Return a market, from the results if it has left the offer."""
        allow_parameters(request, "format", "include")
        with_fair = includes_fair(request, access)
        key = unquote(request.match_info["id"])
        record = self._market(key, access)
        if record is None:
            return await self._settled_market(key, request, access)
        profile_index = self._profile_index(record, access)
        effective = self._replica.effective(record)
        return json_answer(encoders.market(effective, profile_index, odds_format_of(request), with_fair=with_fair))

    async def _settled_market(self, key: str, request: web.Request, access: Access) -> web.Response:
        odds_format = odds_format_of(request)
        if self._results is None:
            return _no_market(key)
        try:
            settled = await self._results.find(key)
        except (RedisError, OSError) as problem:
            if (left_out := self._unreachable_lines.take()) is not None:
                _log.warning("results unreachable", market=key, error=str(problem), left_out=left_out)
            return error(503, ErrorCode.NOT_READY, f"market {echoed(key)} is not on offer, and its results can't be read now")
        if settled is None:
            return _no_market(key)
        gone = settled.removal
        channels = (f"market:{key}", f"event:{gone.event}", f"sport:{gone.sport}", f"competition:{gone.competition}")
        if not any(access.may_subscribe(channel) for channel in channels):
            return _no_market(key)
        return json_answer(encoders.market(settled.market, None, odds_format, is_on_offer=False))

    async def explain(self, request: web.Request, access: Access) -> web.Response:
        """Return how a market's prices were computed: of the token's profile, or of all if it names none."""
        key = unquote(request.match_info["id"])
        if self._market(key, access) is None:
            return _no_market(key)
        only_profile = None if access.role is Role.admin else access.profile
        engines = self._required_engines()
        try:
            explanation = await engines.explain(MarketId(key), only_profile)
        except NoAnswer as problem:
            return error(503, ErrorCode.NOT_READY, f"no explanation now: {problem}")
        return _no_market(key) if explanation is None else json_answer(explanation)

    async def feeds(self, _request: web.Request, _access: Access) -> web.Response:
        """Return the status of every feed."""
        try:
            return json_answer(await self._required_engines().feeds())
        except NoAnswer as problem:
            return error(503, ErrorCode.NOT_READY, f"no state of feeds now: {problem}")

    async def unmatched(self, _request: web.Request, _access: Access) -> web.Response:
        """List the pairs of events that may be the same."""
        try:
            return json_answer(await self._required_engines().unmatched())
        except NoAnswer as problem:
            return error(503, ErrorCode.NOT_READY, f"no pairs of events now: {problem}")

    def _required_engines(self) -> EngineAnswers:
        if self._engines is None:
            raise RequestRejected(error(503, ErrorCode.NOT_READY, "no engine can be asked"))
        return self._engines

    async def snapshot(self, request: web.Request, access: Access) -> web.Response:
        """Return whole channels: one as the body of its snapshot message, several as a list of these."""
        allow_parameters(request, "channel", "format", "include")
        with_fair = includes_fair(request, access)
        names = named_channels(request)
        options = DeliveryOptions(self._profile(access), odds_format_of(request), 0, with_fair=with_fair)
        return await answer_channels(self._hub, access, names, options)

    def _profile_index(self, record: MarketRecord, access: Access) -> int | None:
        return self._replica.offers[self._replica.shard_of(record.identity.event)].profile_index(self._profile(access))

    def _market(self, key: str, access: Access) -> MarketRecord | None:
        return find_market(self._replica, key, access)


def find_market(replica: Replica, key: str, access: Access) -> MarketRecord | None:
    """Return a market that is on offer and granted, by itself or with one of its event's channels."""
    offer = replica.offers[replica.shard_of(key.partition("/")[0])]
    record = offer.market(key)
    if record is None or access.may_subscribe(f"market:{key}"):
        return record
    return record if _may_see(access, offer.events[record.identity.event]) else None


def includes_fair(request: web.Request, access: Access) -> bool:
    """Parse the parameter `include`. Raises RequestRejected, with 403, if it asks for what a client may not see."""
    include = request.query.get("include")
    if include is None:
        return False
    if include != "fair":
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, f"include must be fair, not {echoed(include)}"))
    if access.role < Role.service:
        text = f"include=fair requires the role {Role.service.name}, not {access.role.name}"
        raise RequestRejected(error(403, ErrorCode.FORBIDDEN, text))
    return True


def _may_see(access: Access, entry: EventEntry[LazyMarket]) -> bool:
    """Check whether any channel of an event is granted."""
    if "*" in access.channels:
        return True
    return any(access.may_subscribe(channel) for channel in entry.channels)


def _no_market(key: str) -> web.Response:
    return error(404, ErrorCode.NOT_FOUND, f"market {echoed(key)} is not on offer")


def allow_parameters(request: web.Request, *known: str) -> None:
    """Raise RequestRejected, with 400, if a request has other parameters: a misspelt one must not be ignored."""
    unknown = request.query.keys() - set(known)
    if unknown:
        plural = "parameter is" if len(known) == 1 else "parameters are"
        text = f"unknown parameter {echoed(min(unknown))}; the {plural} {', '.join(known)}"
        raise RequestRejected(error(400, ErrorCode.BAD_REQUEST, text))


def odds_format_of(request: web.Request) -> str:
    """Parse the parameter `format`."""
    odds_format = request.query.get("format", "decimal")
    if odds_format not in FORMATS:
        raise web.HTTPBadRequest(reason=f"unknown format {echoed(odds_format)}; the formats are {', '.join(FORMATS)}")
    return odds_format


def _whole(entry: EventEntry[LazyMarket]) -> EventChange:
    return EventChange(entry.record.id, entry.record.description, entry.record.progress)
