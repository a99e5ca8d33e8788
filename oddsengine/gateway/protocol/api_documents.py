"""The API's documents, generated from the types: OpenAPI for HTTP, AsyncAPI for the stream, and a page to read them."""

from __future__ import annotations

import re
from html import escape
from typing import Any, Final, NamedTuple, get_args

import msgspec

from oddsengine import __version__
from oddsengine.domain.formats import FORMATS
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.client_messages import PROTOCOL_JSON, PROTOCOL_MSGPACK, ClientMessage, QuotesCheck
from oddsengine.gateway.protocol.codes import Close

_CODE: Final = re.compile(r"`([^`]+)`")
_REFS: Final = "#/components/schemas/{name}"
_LICENCE: Final = {"name": "Apache 2.0", "identifier": "Apache-2.0"}
_SUMMARY: Final = "Live odds: snapshots, price checks and a stream of every change."


class _Parameter(NamedTuple):
    name: str
    where: str
    text: str
    schema: dict[str, Any]


class _Route(NamedTuple):
    method: str
    path: str
    summary: str
    role: str
    answer: Any
    parameters: tuple[_Parameter, ...] = ()
    body: Any = None


_TEXT: Final = {"type": "string"}
_INTERVALS: Final = {"type": "integer", "minimum": 0, "maximum": 10_000, "default": 0}
_FORMATS: Final = {"type": "string", "enum": [*FORMATS], "default": "decimal"}
_FORMAT: Final = _Parameter("format", "query", "How prices are written.", _FORMATS)
_MARKET: Final = _Parameter("id", "path", "A market's id, its `/` percent-encoded or not.", _TEXT)
_CHANNEL: Final = _Parameter("channel", "query", "`sport:<key>`, `competition:<id>`, `event:<id>` or `market:<id>`.", _TEXT)
_INTERVAL: Final = _Parameter("min_interval_ms", "query", "How often to be told at most.", _INTERVALS)

ROUTES: Final = (
    _Route(
        "get",
        "/v1/events",
        "List the events on offer.",
        "subscriber",
        server.EventsAnswer,
        (
            _Parameter("sport", "query", "Only of this sport.", {"type": "string"}),
            _Parameter("competition", "query", "Only of this competition, by id.", {"type": "string"}),
            _Parameter("in_play", "query", "Only those in play, or those not.", {"type": "boolean"}),
        ),
    ),
    _Route(
        "get",
        "/v1/events/{id}",
        "Give an event with its markets.",
        "subscriber",
        server.EventWithMarkets,
        (_Parameter("id", "path", "An event's id.", {"type": "string"}), _FORMAT),
    ),
    _Route("get", "/v1/markets/{id}", "Give a market.", "subscriber", server.MarketWhole, (_MARKET, _FORMAT)),
    _Route(
        "get", "/v1/markets/{id}/explain", "Say why a market's prices are what they are.", "trader", dict[str, Any], (_MARKET,)
    ),
    _Route(
        "get",
        "/v1/snapshot",
        "Give a channel whole, as the body of one snapshot message.",
        "subscriber",
        server.Snapshot,
        (_CHANNEL, _FORMAT),
    ),
    _Route(
        "post",
        "/v1/quotes/check",
        "Tell for each quote whether its price is still on offer.",
        "service",
        server.QuotesChecked,
        body=QuotesCheck,
    ),
    _Route("get", "/v1/feeds", "Tell how every feed stands, since when and why.", "trader", server.FeedsAnswer),
    _Route("get", "/v1/unmatched", "List pairs of events that may be one.", "trader", server.UnmatchedAnswer),
    _Route(
        "get",
        "/v1/sse",
        "Follow a channel as server-sent events; `Last-Event-ID` resumes.",
        "subscriber",
        str,
        (_CHANNEL, _FORMAT, _INTERVAL),
    ),
)
#: What each HTTP status that is no success means.
_FAILURES: Final = {
    "400": "The request is wrong; the message says how.",
    "401": "A token is needed, or this one is not good.",
    "403": "The token does not grant this.",
    "404": "There is no such thing on offer.",
    "429": "Over a limit; `Retry-After` says when to come back.",
    "503": "Not ready.",
}


def openapi() -> dict[str, Any]:
    """Generate the OpenAPI 3.1 document of the HTTP API."""
    types = [route.answer for route in ROUTES] + [route.body for route in ROUTES if route.body] + [server.ErrorAnswer]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REFS)
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
                "200": {"description": "As asked.", "content": {media: {"schema": by_type[id(route.answer)]}}},
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
        "info": {"title": "oddsengine", "version": __version__, "summary": _SUMMARY, "license": _LICENCE},
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _parameter(parameter: _Parameter) -> dict[str, Any]:
    required = parameter.where == "path" or parameter is _CHANNEL
    described = {"name": parameter.name, "in": parameter.where, "description": parameter.text, "schema": parameter.schema}
    return {**described, "required": required}


def asyncapi() -> dict[str, Any]:
    """Generate the AsyncAPI 3.0 document of the stream."""
    sent, received = get_args(ClientMessage), get_args(server.ServerMessage)
    schemas, components = msgspec.json.schema_components([*sent, *received], ref_template=_REFS)
    named = {kind.__name__: schema for kind, schema in zip((*sent, *received), schemas, strict=True)}
    messages = {
        kind.__name__: {"name": kind.__struct_config__.tag, "summary": _first_line(kind), "payload": named[kind.__name__]}
        for kind in (*sent, *received)
    }
    channel = {"$ref": "#/channels/stream"}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "oddsengine",
            "version": __version__,
            "description": f"{_SUMMARY} Subprotocols: `{PROTOCOL_JSON}` (text, the default) and `{PROTOCOL_MSGPACK}` (binary). "
            f"Closing codes: {', '.join(f'{code.value} {code.name.lower()}' for code in Close)}.",
            "license": {"name": _LICENCE["name"], "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": "/v1/stream",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "ask": {
                "action": "receive",
                "channel": channel,
                "messages": [{"$ref": f"#/channels/stream/messages/{kind.__name__}"} for kind in sent],
            },
            "tell": {
                "action": "send",
                "channel": channel,
                "messages": [{"$ref": f"#/channels/stream/messages/{kind.__name__}"} for kind in received],
            },
        },
        "components": {"messages": messages, "schemas": components},
    }


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").strip().partition("\n")[0]


def page() -> str:
    """Write the documents as a page for people; it needs no script."""
    stream = asyncapi()
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'><title>oddsengine API</title>",
        "<meta name='viewport' content='width=device-width'><link rel='stylesheet' href='/style.css'></head>",
        f"<body class='docs'><main><h1>oddsengine {escape(__version__)}</h1><p>{escape(_SUMMARY)}</p>",
        "<p><a href='/docs/openapi.json'>OpenAPI</a> · <a href='/docs/asyncapi.json'>AsyncAPI</a></p><h2>HTTP</h2>",
        "<table><tr><th>Request</th><th>Answer</th><th>Role</th></tr>",
    ]
    for route in ROUTES:
        query = "&amp;".join(f"{each.name}=" for each in route.parameters if each.where == "query")
        request = f"{route.method.upper()} {escape(route.path)}{'?' + query if query else ''}"
        parts.append(_row(f"<code>{request}</code>", _text(route.summary), route.role))
    parts.append("</table>")
    for heading, operation in (("What clients send", "ask"), ("What gateways send", "tell")):
        parts.append(f"<h2>{heading}</h2><table><tr><th>op</th><th>Meaning</th><th>Fields</th></tr>")
        for reference in stream["operations"][operation]["messages"]:
            name = reference["$ref"].rpartition("/")[2]
            message = stream["components"]["messages"][name]
            fields = [field for field in stream["components"]["schemas"][name]["properties"] if field != "op"]
            codes = " ".join(f"<code>{escape(field)}</code>" for field in fields)
            parts.append(_row(f"<code>{message['name']}</code>", _text(message["summary"]), codes))
        parts.append("</table>")
    codes = "".join(_row(f"<code>{code.value}</code>", code.name.lower().replace("_", " ")) for code in Close)
    parts.append(f"<h2>Closing codes</h2><table>{codes}</table></main></body></html>")
    return "".join(parts)


def _text(text: str) -> str:
    """Escape a text, and set what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(text))


def _row(*cells: str) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
