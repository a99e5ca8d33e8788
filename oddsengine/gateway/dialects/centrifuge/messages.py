"""Centrifuge's commands and replies as types; what is not used here is ignored."""

from __future__ import annotations

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from oddsengine.common.decoding import DECODING_ERRORS

#: What a client may claim to have: no integer that JavaScript can't hold.
_Offset = Annotated[int, Meta(ge=0, le=2**63 - 1)]


class Options(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The `data` of a subscription: how the channel is delivered."""

    format: str = "decimal"
    min_interval_ms: Annotated[int, Meta(ge=0, le=10_000)] = 0


class Connect(msgspec.Struct):
    """The first command; the token may be empty where none is required."""

    token: str = ""


class Subscribe(msgspec.Struct):
    """Subscribe to a channel, from a position if `recover`."""

    channel: str
    recover: bool = False
    epoch: str = ""
    offset: _Offset = 0
    data: Options | None = None


class Unsubscribe(msgspec.Struct):
    """Unsubscribe from a channel."""

    channel: str


class Refresh(msgspec.Struct):
    """A new token."""

    token: str = ""


class Command(msgspec.Struct):
    """A command; without any field, the answer to a ping. Exactly one is set otherwise."""

    id: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    connect: Connect | None = None
    subscribe: Subscribe | None = None
    unsubscribe: Unsubscribe | None = None
    refresh: Refresh | None = None
    ping: dict[str, Any] | None = None
    send: dict[str, Any] | None = None

    @property
    def is_pong(self) -> bool:
        """Whether it answers a ping of the server."""
        return not self.id


class BadCommand(Exception):
    """A message of a client that can't be read, with the reason.

    Attributes:
        number: the command's, if all of it can be read but the `data` of a subscription, which an application has written, not
            its SDK; None otherwise.
    """

    def __init__(self, text: str, number: int | None = None) -> None:
        self.number = number
        super().__init__(text)


_decode: Final = msgspec.json.Decoder(Command).decode
_encode: Final = msgspec.json.Encoder().encode


def decode_command(line: str) -> Command:
    """Decode one line. Raises BadCommand."""
    try:
        return _decode(line)
    except RecursionError:
        raise BadCommand("nested too deeply") from None
    except DECODING_ERRORS as problem:
        raise BadCommand(str(problem), _number_without_data(line)) from None


def _number_without_data(line: str) -> int | None:
    """Return the number of a subscription that can be read without its `data`; None if there is no such thing."""
    try:
        command = msgspec.json.decode(line)
        del command["subscribe"]["data"]
        return msgspec.convert(command, Command).id or None
    except (*DECODING_ERRORS, KeyError, TypeError):
        return None


def reply(number: int, **result: Any) -> bytes:
    """Encode the reply to a command."""
    return _encode({"id": number, **result})


def push_unsubscribe(channel: str, code: int, reason: str) -> bytes:
    """Encode that the server has ended a subscription."""
    return _encode({"push": {"channel": channel, "unsubscribe": {"code": code, "reason": reason}}})
