"""The OpenAPI document of the HTTP API, generated from the routes below and the message types."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from oddsengine import __version__
from oddsengine.commands.validation import CommandRequest
from oddsengine.domain.formats import FORMATS
from oddsengine.gateway.past.messages import CommandStepsAnswer, ExplanationThenAnswer, MarketChangesAnswer, MarketThenAnswer
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.client_messages import QuotesCheck
from oddsengine.gateway.protocol.command_messages import CommandAnswer, CommandsAnswer

#: The reference to a generated schema; the AsyncAPI document uses the same.
SCHEMA_REFERENCE: Final = "#/components/schemas/{name}"
SUMMARY: Final = "Live odds: snapshots, price checks and a stream of every change."
LICENCE_NAME: Final = "Apache 2.0"


class Parameter(NamedTuple):
    """A parameter of a route, in its path or its query."""

    name: str
    where: str
    text: str
    schema: dict[str, Any]


class Route(NamedTuple):
    """A route of the API and the role it requires."""

    method: str
    path: str
    summary: str
    role: str
    answer: Any
    parameters: tuple[Parameter, ...] = ()
    body: Any = None
    #: the statuses of success, and what they mean
    successes: Mapping[str, str] = MappingProxyType({"200": "Success."})


_TEXT: Final = {"type": "string"}
_INTERVALS: Final = {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 0}
_FORMATS: Final = {"type": "string", "enum": [*FORMATS], "default": "decimal"}
_FORMAT: Final = Parameter("format", "query", "The odds format of prices.", _FORMATS)
_MARKET: Final = Parameter("id", "path", "A market's id; its `/` may be percent-encoded.", _TEXT)
_CHANNEL: Final = Parameter("channel", "query", "`sport:<key>`, `competition:<id>`, `event:<id>` or `market:<id>`.", _TEXT)
_CHANNELS: Final = _CHANNEL._replace(text=f"{_CHANNEL.text[:-1]}; may be repeated.")
_RESUME: Final = Parameter("resume", "query", "The last `at` received on the channels.", _TEXT)
_CONFIRM: Final = Parameter(
    "confirm", "query", "Whether `live` (or `stale`) follows once everything missed was sent.", {"type": "boolean"}
)
_TICKET: Final = Parameter("ticket", "query", "A ticket, in place of a token.", _TEXT)
_INTERVAL: Final = Parameter("min_interval_ms", "query", "The shortest time between two updates.", _INTERVALS)

_INCLUDE: Final = Parameter(
    "include", "query", "`fair`: with the fair probabilities (role `service`).", {"type": "string", "enum": ["fair"]}
)
_COMMAND: Final = Parameter("id", "path", "A command's id.", _TEXT)
_REPEATED: Final = Parameter("Idempotency-Key", "header", "A request with the key of an earlier one makes nothing new.", _TEXT)
_TIME: Final = {"oneOf": [{"type": "integer"}, {"type": "string", "format": "date-time"}]}
_AT: Final = Parameter("at", "query", "When: Unix milliseconds or RFC 3339. Default: as late as the history reaches.", _TIME)
_FROM: Final = Parameter("from", "query", "The first time. Default: the beginning.", _TIME)
_TO: Final = Parameter("to", "query", "The last time. Default: as late as the history reaches.", _TIME)
_PROFILE: Final = Parameter("profile", "query", "Whose prices. Default: those that the client sees.", _TEXT)
_LIMIT: Final = Parameter(
    "limit", "query", "How many a page has at most.", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}
)
_CURSOR: Final = Parameter("cursor", "query", "The `next` of the page before.", _TEXT)
_ENDING: Final = {"200": "It is published in every shard that it concerns.", "202": "It is not published yet."}

ROUTES: Final = (
    Route(
        "get",
        "/v1/events",
        "List the events on offer.",
        "subscriber",
        server.EventsAnswer,
        (
            Parameter("sport", "query", "Only events of this sport.", {"type": "string"}),
            Parameter("competition", "query", "Only events of the competition with this id.", {"type": "string"}),
            Parameter("in_play", "query", "Only events that are in play, or only those that are not.", {"type": "boolean"}),
        ),
    ),
    Route(
        "get",
        "/v1/events/{id}",
        "Return an event with its markets.",
        "subscriber",
        server.EventWithMarkets,
        (Parameter("id", "path", "An event's id.", {"type": "string"}), _FORMAT),
    ),
    Route(
        "get",
        "/v1/markets/{id}",
        "Return a market, also one with results that has left the offer.",
        "subscriber",
        server.MarketAnswer,
        (_MARKET, _FORMAT, _INCLUDE),
    ),
    Route(
        "get",
        "/v1/markets/{id}/explain",
        "Explain how a market's prices were computed.",
        "trader",
        dict[str, Any],
        (_MARKET,),
    ),
    Route(
        "get",
        "/v1/snapshot",
        "Return a whole channel, as the body of one snapshot message.",
        "subscriber",
        server.Snapshot,
        (_CHANNEL, _FORMAT, _INCLUDE),
    ),
    Route(
        "post",
        "/v1/quotes/check",
        "Check for each quote whether its price is still on offer.",
        "service",
        server.QuotesChecked,
        (_INCLUDE,),
        body=QuotesCheck,
    ),
    Route(
        "post",
        "/v1/commands",
        "Make a command.",
        "trader",
        CommandAnswer,
        (_REPEATED,),
        body=CommandRequest,
        successes={
            "201": "It is published in every shard that it concerns.",
            "202": "It is not published yet, or must be confirmed.",
        },
    ),
    Route(
        "get",
        "/v1/commands",
        "List commands, newest first.",
        "trader",
        CommandsAnswer,
        (
            Parameter("active", "query", "Only those that hold, or only the others.", {"type": "boolean"}),
            Parameter("limit", "query", "How many, 250 by default.", {"type": "integer", "minimum": 1, "maximum": 1000}),
            Parameter("after", "query", "The `next` of the page before.", {"type": "string"}),
        ),
    ),
    Route("delete", "/v1/commands/{id}", "Lift a command.", "trader", CommandAnswer, (_COMMAND,), successes=_ENDING),
    Route(
        "post",
        "/v1/commands/{id}/confirm",
        "Confirm the proposal of somebody else.",
        "trader",
        CommandAnswer,
        (_COMMAND,),
        successes=_ENDING,
    ),
    Route(
        "get",
        "/v1/history/markets/{id}",
        "Return a market as the subscribers of a profile saw it at a time.",
        "service",
        MarketThenAnswer,
        (_MARKET, _AT, _PROFILE, _FORMAT, _INCLUDE),
    ),
    Route(
        "get",
        "/v1/history/markets/{id}/changes",
        "Return how a market has changed, as the subscribers of a profile saw it, page by page.",
        "service",
        MarketChangesAnswer,
        (_MARKET, _FROM, _TO, _PROFILE, _LIMIT, _CURSOR, _FORMAT, _INCLUDE),
    ),
    Route(
        "get",
        "/v1/history/markets/{id}/explain",
        "Explain how a market's prices of a time were computed.",
        "trader",
        ExplanationThenAnswer,
        (_MARKET, _AT),
    ),
    Route(
        "get",
        "/v1/history/commands",
        "Return what was done about commands, by whom and when, page by page.",
        "trader",
        CommandStepsAnswer,
        (_FROM, _TO, Parameter("author", "query", "Only commands of this author.", _TEXT), _LIMIT, _CURSOR),
    ),
    Route("get", "/v1/me", "Return who the client is, and what its token grants.", "subscriber", server.AccountAnswer),
    Route("get", "/v1/profiles", "List the profiles that the client may see and command.", "trader", server.ProfilesAnswer),
    Route("get", "/v1/feeds", "Return the status of every feed, since when, and why.", "trader", server.FeedsAnswer),
    Route("get", "/v1/unmatched", "List pairs of events that may be the same.", "trader", server.UnmatchedAnswer),
    Route(
        "post",
        "/v1/tickets",
        "Issue a ticket that opens one stream: for URLs, which must hold no token.",
        "subscriber",
        server.TicketAnswer,
        successes={"201": "Use it as `?ticket=`, once."},
    ),
    Route(
        "get",
        "/v1/sse",
        "Follow channels as server-sent events; of a single one, `Last-Event-ID` resumes.",
        "subscriber",
        str,
        (_CHANNELS, _FORMAT, _INTERVAL, _RESUME, _CONFIRM, _TICKET),
    ),
)
#: HTTP error statuses and their meaning.
_FAILURES: Final = {
    "400": "The request is not valid; the message says why.",
    "401": "A token is required, or the token is not valid.",
    "403": "The token does not grant this.",
    "404": "Not on offer.",
    "429": "Over a limit; `Retry-After` says when to retry.",
    "503": "Not ready.",
}


def openapi() -> dict[str, Any]:
    """Generate the OpenAPI 3.1 document."""
    types = [route.answer for route in ROUTES] + [route.body for route in ROUTES if route.body] + [server.ErrorAnswer]
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMA_REFERENCE)
    # The default of a list is a tuple here, and an array in the document.
    schemas, components = msgspec.json.decode(msgspec.json.encode((schemas, components)))
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        media = "text/event-stream" if route.answer is str else "application/json"
        operation: dict[str, Any] = {
            "summary": route.summary,
            "description": f"Role: `{route.role}`.",
            "operationId": f"{route.method}_{route.path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}",
            "parameters": [_parameter(each) for each in route.parameters],
            "responses": {
                **{
                    status: {"description": text, "content": {media: {"schema": by_type[id(route.answer)]}}}
                    for status, text in route.successes.items()
                },
                **{
                    status: {
                        "description": text,
                        "content": {"application/json": {"schema": by_type[id(server.ErrorAnswer)]}},
                    }
                    for status, text in _FAILURES.items()
                },
            },
        }
        if route.body is not None:
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": by_type[id(route.body)]}}}
        paths.setdefault(route.path, {})[route.method] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "oddsengine",
            "version": __version__,
            "summary": SUMMARY,
            "license": {"name": LICENCE_NAME, "identifier": "Apache-2.0"},
        },
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    required = parameter.where == "path" or parameter.name == "channel"
    described = {"name": parameter.name, "in": parameter.where, "description": parameter.text, "schema": parameter.schema}
    return {**described, "required": required}
