"""The AsyncAPI document of the streams, generated from their tables and the types of messages."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

import msgspec

from oddsengine import __version__
from oddsengine.gateway.documents.examples import MESSAGES
from oddsengine.gateway.documents.openapi import LICENCE_NAME, SCHEMA_REFERENCE, SUMMARY
from oddsengine.gateway.documents.route import TICKET
from oddsengine.gateway.documents.streams import (
    CENTRIFUGE,
    CENTRIFUGE_TYPES,
    OPERATIONS,
    STREAMS,
    SUBSCRIBABLE,
    Operation,
    Stream,
)
from oddsengine.gateway.protocol.codes import Close, ErrorCode

_TICKET: Final = {"type": "object", "properties": {TICKET.name: {"type": "string", "description": TICKET.text}}}
_SERVERS: Final = {"ws": ("gateway", "gateway_tls"), "http": ("gateway_http",)}


@cache
def asyncapi() -> dict[str, Any]:
    """Generate the AsyncAPI 3.0 document."""
    kinds = dict.fromkeys(kind for operation in OPERATIONS for kind in (*operation.types, *operation.replies))
    own, components = _schemas([kind for kind in kinds if kind not in CENTRIFUGE_TYPES])
    theirs, more = _schemas(list(CENTRIFUGE_TYPES), CENTRIFUGE)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "oddsengine",
            "version": __version__,
            "description": f"{SUMMARY} Channels are subscribed to on one of the streams: "
            f"{', '.join(f'`{each.pattern}`' for each in SUBSCRIBABLE)}. "
            f"Closing codes: {', '.join(f'{code.value} {_words(code.name)}' for code in Close)}.",
            "license": {"name": LICENCE_NAME, "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "servers": {
            "gateway": {**_server("ws"), "description": "A gateway of `oddsengine run` on this machine."},
            "gateway_tls": {**_server("wss"), "description": "A gateway behind TLS."},
            "gateway_http": {**_server("http"), "description": "A gateway, for server-sent events."},
        },
        "defaultContentType": "application/json",
        "channels": {stream.name: _channel(stream) for stream in STREAMS},
        "operations": {operation.name: _operation(operation) for operation in OPERATIONS},
        "components": {
            "messages": {
                name_of(kind): _message(kind, schema)
                for kind, schema in zip([*own, *theirs], [*own.values(), *theirs.values()], strict=True)
            },
            "schemas": {**components, **more},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
        "x-subscribable": [each._asdict() for each in SUBSCRIBABLE],
        "x-closing-codes": [{"code": code.value, "meaning": _words(code.name)} for code in Close],
        "x-error-codes": [code.value for code in ErrorCode],
    }


def name_of(kind: type) -> str:
    """Return the name of a type of messages in the document."""
    return f"{CENTRIFUGE * (kind in CENTRIFUGE_TYPES)}{kind.__name__}"


def _schemas(kinds: list[type], prefix: str = "") -> tuple[dict[type, Any], dict[str, Any]]:
    """Return the schema of each type, and the components that they refer to, whose names begin with the prefix."""
    reference = SCHEMA_REFERENCE.replace("{name}", f"{prefix}{{name}}")
    schemas, components = msgspec.json.schema_components(kinds, ref_template=reference)
    # The default of a list is a tuple here, and an array in the document.
    schemas, components = _named(msgspec.json.decode(msgspec.json.encode((schemas, components))))
    return dict(zip(kinds, schemas, strict=True)), {f"{prefix}{name}": schema for name, schema in components.items()}


def _named(schema: Any) -> Any:
    """Return a schema whose discriminators are names, as AsyncAPI 3.0 has them ("Schema Object"), and not OpenAPI's objects."""
    if isinstance(schema, list):
        return [_named(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    named = {key: _named(value) for key, value in schema.items()}
    if isinstance(kinds := named.get("discriminator"), dict) and "propertyName" in kinds and "mapping" in kinds:
        named["discriminator"] = kinds["propertyName"]
    return named


def _server(protocol: str) -> dict[str, Any]:
    return {"host": "localhost:8080", "protocol": protocol, "security": [{"$ref": "#/components/securitySchemes/bearer"}]}


def _channel(stream: Stream) -> dict[str, Any]:
    kinds = dict.fromkeys(kind for each in OPERATIONS if each.stream == stream.name for kind in (*each.types, *each.replies))
    binding = {"ws": {"method": "GET", "query": _TICKET}} if stream.protocol == "ws" else {}
    return {
        "address": stream.address,
        "title": stream.title,
        "description": stream.text,
        "servers": [{"$ref": f"#/servers/{name}"} for name in _SERVERS[stream.protocol]],
        "messages": {name_of(kind): {"$ref": f"#/components/messages/{name_of(kind)}"} for kind in kinds},
        "bindings": binding,
    }


def _operation(operation: Operation) -> dict[str, Any]:
    channel = {"$ref": f"#/channels/{operation.stream}"}

    def messages(kinds: tuple[type, ...]) -> list[dict[str, str]]:
        return [{"$ref": f"#/channels/{operation.stream}/messages/{name_of(kind)}"} for kind in kinds]

    described = {
        "action": "receive" if operation.is_received else "send",
        "channel": channel,
        "summary": operation.summary,
        "messages": messages(operation.types),
    }
    return (
        {**described, "reply": {"channel": channel, "messages": messages(operation.replies)}} if operation.replies else described
    )


def _message(kind: type, schema: dict[str, Any]) -> dict[str, Any]:
    name = name_of(kind)
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]
    summary = (kind.__doc__ or "").strip().partition("\n")[0]
    return {
        "name": tag or name,
        "title": tag or name,
        "summary": summary,
        "payload": schema,
        "examples": [{"payload": example} for example in MESSAGES[name]],
    }


def _words(name: str) -> str:
    return name.lower().replace("_", " ")
