"""The client protocol `odds.v1` as types: what clients send, over sockets and over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.formats import OddsFormat

if TYPE_CHECKING:
    from collections.abc import Callable

#: Subprotocols, the preferred one first. A client that names none gets JSON.
PROTOCOL_JSON = "odds.v1.json"
PROTOCOL_MSGPACK = "odds.v1.msgpack"
VERSION = 1
MAX_CHANNELS_PER_MESSAGE = 1000
#: Intervals are rounded up to one of these, so that subscribers share audiences; milliseconds.
INTERVAL_CLASSES_MS = (0, 100, 250, 500, 1_000, 2_000, 5_000, 10_000)

Channels = Annotated[list[str], Meta(min_length=1, max_length=MAX_CHANNELS_PER_MESSAGE)]
#: Wider integers have no MessagePack.
RequestId = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | str | None
#: Above any odds of any ladder; its thousandths are exact.
MAX_PRICE: Final = 1_000_000_000.0


class Subscribe(msgspec.Struct, tag_field="op", tag="subscribe", kw_only=True):
    """Subscribe to channels; `resume` is the last `at` received on them.

    With `confirm`, `live` (or `stale`) follows for each channel once everything has been sent that the client has missed.
    """

    id: RequestId = None
    channels: Channels
    min_interval_ms: Annotated[int, Meta(ge=0, le=10_000)] = 0
    format: str = "decimal"
    resume: str | None = None
    confirm: bool = False


class Unsubscribe(msgspec.Struct, tag_field="op", tag="unsubscribe", kw_only=True):
    """Unsubscribe from channels; those not subscribed to are ignored."""

    id: RequestId = None
    channels: Channels


class Authenticate(msgspec.Struct, tag_field="op", tag="auth", kw_only=True):
    """Authenticate with a token, as the first message or again before the previous token expires."""

    id: RequestId = None
    token: str


class Ping(msgspec.Struct, tag_field="op", tag="ping", kw_only=True):
    """Request a pong."""

    id: RequestId = None


ClientMessage = Subscribe | Unsubscribe | Authenticate | Ping
_OPS: Final = ", ".join(str(each.__struct_config__.tag) for each in (Subscribe, Unsubscribe, Authenticate, Ping))


#: Which prices a bettor accepts instead of the one that was shown: none, longer ones, any.
Accept = Annotated[
    Literal["exact", "better", "any"],
    Meta(description="Which current price is accepted: the same, also a longer one, or any."),
]
Tolerance = Annotated[
    float,
    Meta(ge=0, le=1, description="Which share of the quoted odds the price may have become shorter; for `exact` also longer."),
]
QuotedPrice = Annotated[float | str, Meta(description="In the format of the quote: text for fractional, else a number.")]
Signed = Annotated[str, Meta(description="A signed quote, in place of market, selection, price, v and format.")]


class QuoteToCheck(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A price that was shown to a bettor, and the market's version it came with if known; or a quote that was signed.

    `format`, `accept` and `tolerance` are those of the request where they are left out.
    """

    market: str | UnsetType = UNSET
    selection: str | UnsetType = UNSET
    price: QuotedPrice | UnsetType = UNSET
    v: int | None = None
    format: OddsFormat | UnsetType = UNSET
    accept: Accept | UnsetType = UNSET
    tolerance: Tolerance | UnsetType = UNSET
    signed: Signed | UnsetType = UNSET


class QuotesCheck(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The body of `POST /v1/quotes/check`. With `sign` each answer that has a price carries it signed."""

    quotes: Annotated[list[QuoteToCheck], Meta(min_length=1, max_length=1000)]
    format: OddsFormat = "decimal"
    accept: Accept = "exact"
    tolerance: Tolerance = 0.0
    sign: bool = False


QuoteAnswer = Literal["ok", "price_changed", "suspended", "closed", "unknown", "stale", "expired", "invalid"]


class BadMessage(Exception):
    """A message of a client that can't be read, with the reason."""


_Content = TypeVar("_Content", str, bytes)
_Message = TypeVar("_Message")
_decode_json: Final[Callable[[str], ClientMessage]] = msgspec.json.Decoder(ClientMessage).decode
_decode_msgpack: Final[Callable[[bytes], ClientMessage]] = msgspec.msgpack.Decoder(ClientMessage).decode
_decode_check: Final[Callable[[bytes], QuotesCheck]] = msgspec.json.Decoder(QuotesCheck).decode


def decode_message(content: str | bytes) -> ClientMessage:
    """Decode a message: JSON text, or bytes of MessagePack. Raises BadMessage."""
    try:
        return _decode(_decode_json, content) if isinstance(content, str) else _decode(_decode_msgpack, content)
    except BadMessage as problem:
        is_of_op = str(problem).endswith(("`op`", "`$.op`"))
        raise BadMessage(f"{problem}; the values of `op` are {_OPS}") if is_of_op else problem from None


def decode_quotes_check(body: bytes) -> QuotesCheck:
    """Decode the body of a price check. Raises BadMessage."""
    return _decode(_decode_check, body)


def _decode(decode: Callable[[_Content], _Message], content: _Content) -> _Message:
    try:
        return decode(content)
    except RecursionError:
        raise BadMessage("nested too deeply") from None
    except DECODING_ERRORS as problem:
        raise BadMessage(str(problem)) from None
