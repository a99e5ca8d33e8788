"""The AsyncAPI document has every message of every stream, in its direction, with examples."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from oddsengine.gateway.console.channels import CHANNELS as CONSOLE_CHANNELS
from oddsengine.gateway.dialects.centrifuge.dialect import CentrifugeDialect
from oddsengine.gateway.dialects.native import NativeDialect
from oddsengine.gateway.documents.asyncapi import asyncapi
from oddsengine.gateway.documents.openapi import openapi
from oddsengine.gateway.documents.streams import SUBSCRIBABLE
from oddsengine.gateway.protocol.client_messages import ClientMessage, decode_message
from oddsengine.gateway.protocol.codes import Close, ErrorCode
from oddsengine.gateway.protocol.server_messages import ServerMessage
from tests.support.documents.schemas import message_validator, resolve

DOCUMENT = asyncapi()
MESSAGES = DOCUMENT["components"]["messages"]


def names(action: str, stream: str = "stream") -> set[str]:
    """Return the names of the messages of one direction, replies among those that are sent."""
    found: set[str] = set()
    for operation in DOCUMENT["operations"].values():
        if operation["channel"]["$ref"] != f"#/channels/{stream}":
            continue
        replies = operation.get("reply", {}).get("messages", [])
        references = (operation["messages"] if operation["action"] == action else []) + (replies if action == "send" else [])
        found |= {resolve(DOCUMENT, resolve(DOCUMENT, each["$ref"])["$ref"])["name"] for each in references}
    return found


def tags(union: Any) -> set[str]:
    return {kind.__struct_config__.tag for kind in get_args(union)}


def test_every_message_of_both_directions_is_in_it() -> None:
    assert "3.0.0" == DOCUMENT["asyncapi"]
    assert tags(ClientMessage) == names("receive")
    assert tags(ServerMessage) == names("send")
    assert {"CentrifugeCommand"} == names("receive", "centrifuge")
    assert {"CentrifugeReply", "CentrifugePush"} == names("send", "centrifuge")


def discriminators(value: Any) -> list[Any]:
    if isinstance(value, list):
        return [each for part in value for each in discriminators(part)]
    if not isinstance(value, dict):
        return []
    own = [value["discriminator"]] if "anyOf" in value and "discriminator" in value else []
    return own + discriminators(list(value.values()))


def test_discriminators_are_names_as_in_asyncapi() -> None:
    assert {"kind", "op"} == {*discriminators(DOCUMENT)}


def test_every_stream_is_one_that_is_served() -> None:
    addresses = {channel["address"] for channel in DOCUMENT["channels"].values()}
    assert {NativeDialect.path, CentrifugeDialect.path, "/v1/sse"} == addresses
    assert addresses <= openapi()["paths"].keys()


def test_channels_and_codes_are_those_of_the_code() -> None:
    assert {*CONSOLE_CHANNELS} == {each.pattern for each in SUBSCRIBABLE if each.role == "trader"}
    assert [*Close] == [each["code"] for each in DOCUMENT["x-closing-codes"]]
    assert [*ErrorCode] == DOCUMENT["x-error-codes"]


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_what_they_are_examples_of(name: str) -> None:
    assert MESSAGES[name]["examples"]
    for example in MESSAGES[name]["examples"]:
        message_validator(name).validate(example["payload"])


def test_what_clients_send_can_be_read() -> None:
    import msgspec

    for kind in get_args(ClientMessage):
        for example in MESSAGES[kind.__name__]["examples"]:
            assert isinstance(decode_message(msgspec.json.encode(example["payload"]).decode()), kind)
