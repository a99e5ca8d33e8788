"""The OpenAPI document of the HTTP API, generated from the table of routes and the types of messages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from oddsengine import __version__
from oddsengine.gateway.access.grants import Role
from oddsengine.gateway.documents.examples import REQUESTS
from oddsengine.gateway.documents.route import JSON, KEY_SET, Parameter, Route
from oddsengine.gateway.documents.routes import ROUTES, TAGS
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.codes import ErrorCode

#: The reference to a generated schema; the AsyncAPI document uses the same.
SCHEMA_REFERENCE: Final = "#/components/schemas/{name}"
SUMMARY: Final = "Live odds: snapshots, price checks and a stream of every change."
LICENCE_NAME: Final = "Apache 2.0"
_DESCRIPTION: Final = """A token is sent as `Authorization: Bearer`. Each operation names the role that it requires; the roles
are, in ascending order, {roles}. Where `auth.anonymous_role` is configured, clients without a token have that role. Every error
has the same body, with one of the codes of `ErrorCode`; an unknown parameter is an error. The messages of streams are in the
AsyncAPI document."""
#: Seconds.
_RETRY_AFTER: Final = {"Retry-After": {"description": "When to try again, in seconds.", "schema": {"type": "integer"}}}


class _Failure(NamedTuple):
    """A response that says why a request failed."""

    name: str
    text: str
    code: ErrorCode | None
    example: str
    headers: Mapping[str, Any] = MappingProxyType({})


_FAILURES: Final = {
    "304": _Failure("NotModified", "It is what the `ETag` in `If-None-Match` is of.", None, ""),
    "400": _Failure(
        "BadRequest", "The request is not valid; the message says why.", ErrorCode.BAD_REQUEST, "unknown parameter 'prot'"
    ),
    "401": _Failure("Unauthorised", "A token is required, or is not valid.", ErrorCode.UNAUTHORISED, "a token is required"),
    "403": _Failure(
        "Forbidden", "The token does not grant this.", ErrorCode.FORBIDDEN, "requires the role trader, not subscriber"
    ),
    "404": _Failure("NotFound", "There is no such thing, or not on offer.", ErrorCode.NOT_FOUND, "event 'e1' is not on offer"),
    "409": _Failure(
        "Conflict",
        "The command is in another state.",
        ErrorCode.BAD_REQUEST,
        "the command is lifted: there is nothing to confirm",
    ),
    "413": _Failure("TooLong", "The body is too long.", ErrorCode.BAD_REQUEST, "a command has at most 65536 bytes"),
    "422": _Failure(
        "KeyUsed", "The key was used before.", ErrorCode.BAD_REQUEST, "this Idempotency-Key was used for another command"
    ),
    "426": _Failure("UpgradeRequired", "It is for WebSockets.", ErrorCode.BAD_REQUEST, "the request is no WebSocket handshake"),
    "429": _Failure("OverLimit", "Over a limit.", ErrorCode.OVER_LIMIT, "too many requests; retry in 0.4 s", _RETRY_AFTER),
    "500": _Failure(
        "Internal", "A fault of the server, which has logged it.", ErrorCode.INTERNAL, "internal error; it has been logged"
    ),
    "503": _Failure("NotReady", "Not ready.", ErrorCode.NOT_READY, "shards not current: 0", _RETRY_AFTER),
}


@cache
def openapi(root: str = "..") -> dict[str, Any]:
    """Generate the OpenAPI 3.1 document.

    Args:
        root: the URL of the gateway, relative to that of the document.
    """
    types = [kind for route in ROUTES for kind in (*_answers(route), route.body) if kind is not None]
    schemas, components = msgspec.json.schema_components([*types, server.ErrorAnswer], ref_template=SCHEMA_REFERENCE)
    # The default of a list is a tuple here, and an array in the document.
    schemas, components = msgspec.json.decode(msgspec.json.encode((schemas, components)))
    by_type = {id(kind): schema for kind, schema in zip(types, schemas, strict=False)}
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method] = _operation(route, by_type)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "oddsengine",
            "version": __version__,
            "summary": SUMMARY,
            "description": _DESCRIPTION.format(roles=", ".join(f"`{role.name}`" for role in Role)),
            "license": {"name": LICENCE_NAME, "identifier": "Apache-2.0"},
        },
        "servers": [
            {"url": root, "description": "The gateway that serves this document."},
            {
                "url": "{gateway}",
                "description": "Another gateway.",
                "variables": {"gateway": {"default": "http://localhost:8080", "description": "Its URL."}},
            },
        ],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items()],
        "security": [{"bearer": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {failure.name: _failure(failure, schemas[-1]) for failure in _FAILURES.values()},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _answers(route: Route) -> tuple[Any, ...]:
    return route.answer if isinstance(route.answer, tuple) else (route.answer,)


def statuses(route: Route) -> set[str]:
    """Return every status that a route may answer with."""
    found = {*route.successes, *route.failures, "500"}
    if route.method == "get" and route.media in {JSON, KEY_SET}:
        found.add("304")
    if route.role:
        found |= {"401", "403", "429", "503"}
    if route.body is not None or any(parameter.where != "path" for parameter in route.parameters):
        found.add("400")
    if any(parameter.where == "path" for parameter in route.parameters):
        found.add("404")
    return found


def _operation(route: Route, by_type: dict[int, dict[str, Any]]) -> dict[str, Any]:
    example = REQUESTS.get(route.name, {})
    role = f"Role: `{route.role}`." if route.role else "Needs no token."
    served = "" if route.served_by == ("gateway",) else f"Served by the port of every {', '.join(route.served_by)}."
    operation: dict[str, Any] = {
        "tags": [route.tag],
        "summary": route.summary,
        "description": " ".join(filter(None, (role, route.notes, served))),
        "operationId": route.name,
        "parameters": [_parameter(each) for each in route.parameters],
        "responses": {
            status: _success(route, status, by_type, example.get("answers", {}))
            if status in route.successes
            else {"$ref": f"#/components/responses/{_FAILURES[status].name}"}
            for status in sorted(statuses(route))
        },
        "x-served-by": list(route.served_by),
    }
    if not route.role:
        operation["security"] = []
    if route.body is not None:
        content = {"schema": by_type[id(route.body)], **_requests(example)}
        operation["requestBody"] = {"required": True, "content": {JSON: content}}
    return operation


def _requests(example: dict[str, Any]) -> dict[str, Any]:
    """Return the example of a body, or its examples, by what each asks for."""
    more = example.get("requests")
    return {"examples": {name: {"value": body} for name, body in more.items()}} if more else {"example": example["request"]}


def _success(route: Route, status: str, by_type: dict[int, dict[str, Any]], examples: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {"description": route.successes[status]}
    if route.answer is not None:
        schemas = [by_type[id(kind)] for kind in _answers(route)]
        content = {"schema": schemas[0] if len(schemas) == 1 else {"oneOf": schemas}}
        described["content"] = {route.media: {**content, "example": examples[status]} if status in examples else content}
    return described


def _failure(failure: _Failure, schema: dict[str, Any]) -> dict[str, Any]:
    if failure.code is None:
        return {"description": failure.text}
    example = {"error": {"code": failure.code, "message": failure.example}}
    described = {"description": failure.text, "content": {JSON: {"schema": schema, "example": example}}}
    return {**described, "headers": failure.headers} if failure.headers else described


def _parameter(parameter: Parameter) -> dict[str, Any]:
    where, schema = parameter.where, parameter.schema
    described = {
        "name": parameter.name,
        "in": where,
        "description": parameter.text,
        "required": parameter.required,
        "schema": schema,
    }
    return described if parameter.example is None else {**described, "example": parameter.example}
