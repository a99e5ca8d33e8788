"""The AsyncAPI document of the stream, generated from the message types."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from oddsengine import __version__
from oddsengine.gateway.protocol.client_messages import PROTOCOL_JSON, PROTOCOL_MSGPACK, ClientMessage
from oddsengine.gateway.protocol.codes import Close
from oddsengine.gateway.protocol.openapi import LICENCE_NAME, SCHEMA_REFERENCE, SUMMARY
from oddsengine.gateway.protocol.server_messages import ServerMessage

#: The names of the two operations.
RECEIVE_REQUESTS: Final = "receive_requests"
SEND_MESSAGES: Final = "send_messages"

_QUERY: Final = {
    "type": "object",
    "properties": {"ticket": {"type": "string", "description": "A ticket of `POST /v1/tickets`, in place of a token."}},
}


def asyncapi() -> dict[str, Any]:
    """Generate the AsyncAPI 3.0 document."""
    received, sent = get_args(ClientMessage), get_args(ServerMessage)
    types = (*received, *sent)
    schemas, components = msgspec.json.schema_components(types, ref_template=SCHEMA_REFERENCE)
    # The default of a list is a tuple here, and an array in the document.
    schemas, components = msgspec.json.decode(msgspec.json.encode((schemas, components)))
    messages = {
        kind.__name__: {"name": kind.__struct_config__.tag, "summary": _summary(kind), "payload": schema}
        for kind, schema in zip(types, schemas, strict=True)
    }
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "oddsengine",
            "version": __version__,
            "description": f"{SUMMARY} Subprotocols: `{PROTOCOL_JSON}` (text, the default) and `{PROTOCOL_MSGPACK}` (binary). "
            f"Closing codes: {', '.join(f'{code.value} {code.name.lower()}' for code in Close)}.",
            "license": {"name": LICENCE_NAME, "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": "/v1/stream",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "query": _QUERY}},
            }
        },
        "operations": {
            RECEIVE_REQUESTS: _operation("receive", received),
            SEND_MESSAGES: _operation("send", sent),
        },
        "components": {"messages": messages, "schemas": components},
    }


def _operation(action: str, types: tuple[type, ...]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": "#/channels/stream"},
        "messages": [{"$ref": f"#/channels/stream/messages/{kind.__name__}"} for kind in types],
    }


def _summary(kind: type) -> str:
    """Return the first line of a type's docstring."""
    return (kind.__doc__ or "").strip().partition("\n")[0]
