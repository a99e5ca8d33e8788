"""The HTTP API: snapshots, events, markets, explanations and price checks, all answered from memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import unquote

import msgspec
import orjson
from aiohttp import web

from oddsengine.domain.changes import EventChange
from oddsengine.domain.formats import FORMATS
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.odds import to_milli
from oddsengine.gateway.access.grants import Access, Role
from oddsengine.gateway.fanout.audience import DeliveryOptions
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol.client_messages import QuoteAnswer, QuotesCheck, QuoteToCheck
from oddsengine.gateway.protocol.codes import ErrorCode, error
from oddsengine.gateway.state.replica import UnknownChannel
from oddsengine.streams.positions import write_at

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiohttp.typedefs import Handler

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.gateway.access.admission import Admission
    from oddsengine.gateway.hub.hub import Hub
    from oddsengine.gateway.state.price_history import WasOnOffer
    from oddsengine.offer.change_index import EventEntry

_JSON: Final = "application/json"
_decode_check = msgspec.json.Decoder(QuotesCheck).decode


class EngineView(Protocol):
    """What only a process with an engine can tell."""

    def explain(self, market: MarketId) -> dict[str, Any] | None:
        """Say why a market's prices are what they are; None if it is not on offer."""
        ...

    def feeds(self) -> list[dict[str, Any]]:
        """Tell how every feed stands, since when and why."""
        ...

    def unmatched(self) -> list[dict[str, Any]]:
        """List the pairs of events that may be one."""
        ...


class HttpApi:
    """Handlers over what a hub tells its sessions.

    Args:
        hub: what is published, what was before, and whose prices somebody sees.
        engine: what only an engine knows; None where none runs in this process.
        door: who is let in.
    """

    def __init__(self, hub: Hub, engine: EngineView | None, door: Admission) -> None:
        self._replica = hub.replica
        self._engine = engine
        self._profile = hub.profile_of
        self._door = door
        self._renderings = hub.dispatcher.late.snapshot_cache
        self._history = hub.dispatcher.history
        self._now_ms = hub.now_ms
        self._asked = hub.dispatcher.pace.asked

    def routes(self) -> list[web.RouteDef]:
        """List the API's routes."""
        return [
            web.get("/v1/events", self._for(Role.subscriber, self.events)),
            web.get("/v1/events/{id:.+}", self._for(Role.subscriber, self.event)),
            web.get("/v1/markets/{id:.+}/explain", self._for(Role.trader, self.explain)),
            web.get("/v1/feeds", self._for(Role.trader, self.feeds)),
            web.get("/v1/unmatched", self._for(Role.trader, self.unmatched)),
            web.get("/v1/markets/{id:.+}", self._for(Role.subscriber, self.market)),
            web.get("/v1/snapshot", self._for(Role.subscriber, self.snapshot)),
            web.post("/v1/quotes/check", self._for(Role.service, self.check_quotes)),
        ]

    def _for(self, role: Role, handler: Callable[[web.Request, Access], Awaitable[web.Response]]) -> Handler:
        """Let only those in who have at least this role."""

        async def granted(request: web.Request) -> web.Response:
            self._asked()
            return await handler(request, await self._door.granted(request, role))

        return granted

    async def events(self, request: web.Request, access: Access) -> web.Response:
        """List events, filtered by `sport`, `competition` and `in_play`."""
        sport, competition = request.query.get("sport"), request.query.get("competition")
        wanted = request.query.get("in_play")
        if wanted not in {None, "true", "false"}:
            return error(400, ErrorCode.BAD_REQUEST, f"in_play is true or false, not {wanted!r}")
        unknown = request.query.keys() - {"sport", "competition", "in_play"}
        if unknown:
            text = f"unknown parameter {min(unknown)!r}; there are sport, competition and in_play"
            return error(400, ErrorCode.BAD_REQUEST, text)
        fragments = [
            encoders.event_change(_event(entry))
            for entry in self._replica.events()
            if (sport is None or entry.record.description.sport == sport)
            and (competition is None or entry.record.description.competition.id == competition)
            and (wanted is None or entry.record.progress.in_play == (wanted == "true"))
            and _may_see(access, entry)
        ]
        return _json(b'{"events":[' + b",".join(fragments) + b"]}")

    async def event(self, request: web.Request, access: Access) -> web.Response:
        """Give one event with its markets."""
        key = unquote(request.match_info["id"])
        offer = self._replica.offers[self._replica.shard_of(key)]
        entry = offer.events.get(EventId(key))
        if entry is None or not _may_see(access, entry):
            return error(404, ErrorCode.NOT_FOUND, f"no event {key!r} is on offer")
        odds_format = _format(request)
        place = offer.place(self._profile(access))
        markets = [encoders.market(self._replica.shown(record), place, odds_format) for record in entry.markets.values()]
        return _json(encoders.event_change(_event(entry))[:-1] + b',"markets":[' + b",".join(markets) + b"]}")

    async def market(self, request: web.Request, access: Access) -> web.Response:
        """Give one market."""
        key = unquote(request.match_info["id"])
        record = self._market(key, access)
        if record is None:
            return error(404, ErrorCode.NOT_FOUND, f"no market {key!r} is on offer")
        place = self._place(record, access)
        return _json(encoders.market(self._replica.shown(record), place, _format(request)))

    async def explain(self, request: web.Request, access: Access) -> web.Response:
        """Say why a market's prices are what they are."""
        key = unquote(request.match_info["id"])
        if self._engine is None:
            return _no_engine()
        explanation = self._engine.explain(MarketId(key)) if self._market(key, access) is not None else None
        if explanation is None:
            return error(404, ErrorCode.NOT_FOUND, f"no market {key!r} is on offer")
        return _json(orjson.dumps(explanation))

    async def feeds(self, _request: web.Request, _access: Access) -> web.Response:
        """Tell how every feed stands."""
        return _no_engine() if self._engine is None else _json(orjson.dumps({"feeds": self._engine.feeds()}))

    async def unmatched(self, _request: web.Request, _access: Access) -> web.Response:
        """List the pairs of events that may be one."""
        return _no_engine() if self._engine is None else _json(orjson.dumps({"unmatched": self._engine.unmatched()}))

    async def snapshot(self, request: web.Request, access: Access) -> web.Response:
        """Give a channel whole, as the body of one snapshot message."""
        name = request.query.get("channel")
        if name is None:
            return error(400, ErrorCode.BAD_REQUEST, "the parameter channel is missing")
        if not access.may_subscribe(name):
            return error(403, ErrorCode.FORBIDDEN, f"{name!r} is not granted")
        try:
            channel = self._replica.channel(name)
        except UnknownChannel as unknown:
            return error(404, ErrorCode.UNKNOWN_CHANNEL, str(unknown))
        content, at = await self._renderings.whole(channel, DeliveryOptions(self._profile(access), _format(request), 0))
        return _json(encoders.snapshot(channel.name, write_at(at), *content))

    async def check_quotes(self, request: web.Request, access: Access) -> web.Response:
        """Tell for each quote whether its price is still on offer."""
        try:
            body = _decode_check(await request.read())
        except msgspec.DecodeError as problem:
            return error(400, ErrorCode.BAD_REQUEST, str(problem))
        now_ms = self._now_ms()
        return _json(orjson.dumps({"quotes": [self._check(quote, access, now_ms) for quote in body.quotes]}))

    def _place(self, record: MarketRecord, access: Access) -> int | None:
        return self._replica.offers[self._replica.shard_of(record.identity.event)].place(self._profile(access))

    def _market(self, key: str, access: Access) -> MarketRecord | None:
        offer = self._replica.offers[self._replica.shard_of(key.partition("/")[0])]
        record = offer.markets.get(MarketId(key))
        if record is None or access.may_subscribe(f"market:{key}"):
            return record
        return record if _may_see(access, offer.events[record.identity.event]) else None

    def _check(self, quote: QuoteToCheck, access: Access, now_ms: int) -> dict[str, Any]:
        record = self._market(quote.market, access)
        selection = record.selections.get(quote.selection) if record is not None else None
        current: float | None = None
        was: WasOnOffer | None = None
        if record is None or selection is None:
            result: QuoteAnswer = "unknown"
        else:
            asked = to_milli(quote.price)
            place = self._place(record, access)
            price = None if place is None else selection.prices[place]
            current = None if price is None else price / 1000
            if place is not None:
                was = self._history.was_on_offer(record.id, quote.selection, asked, place, quote.v, now_ms)
            if self._replica.shard_of(record.identity.event) in self._replica.stale_since:
                result = "stale"
            elif record.state.status == "closed":
                result = "closed"
            elif price is None:
                result = "suspended"
            else:
                result = "ok" if price == asked else "price_changed"
        return {
            "market": quote.market,
            "selection": quote.selection,
            "result": result,
            "price": current,
            "v": record.v if record is not None else None,
            "was_on_offer": None if was is None else was._asdict(),
        }


def _may_see(access: Access, entry: EventEntry) -> bool:
    """Tell whether an event is in any channel that is granted."""
    if "*" in access.channels:
        return True
    return any(access.may_subscribe(channel) for channel in entry.channels)


def _no_engine() -> web.Response:
    return error(503, ErrorCode.NOT_READY, "no engine runs in this process; ask the one that does")


def _format(request: web.Request) -> str:
    """Read the parameter `format`."""
    wanted = request.query.get("format", "decimal")
    if wanted not in FORMATS:
        raise web.HTTPBadRequest(reason=f"no format {wanted!r}; the formats are {', '.join(FORMATS)}")
    return wanted


def _event(entry: EventEntry) -> EventChange:
    return EventChange(entry.record.id, entry.record.description, entry.record.progress)


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type=_JSON)
