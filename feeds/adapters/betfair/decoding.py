"""Decodes Betfair's messages; an invalid market costs only itself."""

from __future__ import annotations

import msgspec

from feeds.adapters.betfair.messages import MarketChange, MarketName, Message, RawMarketsMessage
from feeds.errors import BadMessage
from feeds.feed import Rejected
from oddsengine.common.excerpts import excerpt

_decode = msgspec.json.Decoder(Message).decode
#: Betfair's own samples hold some numbers as strings; this lax mode is used only after the strict one has failed.
_decode_markets = msgspec.json.Decoder(RawMarketsMessage, strict=False).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_market = msgspec.json.Decoder(MarketChange, strict=False).decode
_decode_name = msgspec.json.Decoder(MarketName, strict=False).decode


def decode_message(line: bytes) -> tuple[Message, list[Rejected]]:
    """Decode one message; each market that can't be decoded is rejected and left out.

    Raises:
        BadMessage: if the message as a whole can't be decoded.
    """
    try:
        return _decode(line), []
    except msgspec.DecodeError as error:
        return _decode_by_market(line, error)


def _decode_by_market(line: bytes, cause: msgspec.DecodeError) -> tuple[Message, list[Rejected]]:
    """Decode a message market by market, after it failed as a whole."""
    try:
        raw_markets = _decode_markets(line).mc
        # Field by field: a number that is out of range in a market is one in the whole message, too.
        envelope = {key: msgspec.json.decode(value) for key, value in _decode_fields(line).items() if key != "mc"}
        message = msgspec.convert(envelope, Message, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadMessage("message", str(cause)) from cause
    changes: list[MarketChange] = []
    rejected: list[Rejected] = []
    for raw in raw_markets:
        try:
            changes.append(_decode_one(raw))
        except msgspec.DecodeError as error:
            rejected.append(Rejected(f"market {_market_name(raw)}", str(error), excerpt(bytes(raw))))
    message.mc = changes
    return message, rejected


def _decode_one(raw: msgspec.Raw) -> MarketChange:
    """Decode one market. Where that fails, a null is taken for a field that is not there."""
    try:
        return _decode_market(raw)
    except msgspec.ValidationError:
        try:
            return msgspec.convert(_without_nulls(msgspec.json.decode(raw)), MarketChange, strict=False)
        except (msgspec.DecodeError, RecursionError):
            pass
        raise


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value


def _market_name(raw: msgspec.Raw) -> str:
    try:
        return _decode_name(raw).id
    except msgspec.DecodeError:
        return "?"
