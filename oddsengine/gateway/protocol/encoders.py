"""What clients are sent, as pure functions from changes to bytes, in JSON or MessagePack.

A change is encoded once into a fragment; a message is a join of fragments with a head and a tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import orjson

from oddsengine.domain.formats import FORMATTERS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oddsengine.domain.changes import EventChange, MarketChange, MarketRecord, Removal


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """A subprotocol's way of writing: `value` encodes anything, `array` and `table` join what is encoded already.

    There is one of each, and it is equal to itself alone.
    """

    name: str
    is_text: bool
    value: Callable[[Any], bytes]
    array: Callable[[Sequence[bytes]], bytes]
    table: Callable[[Sequence[tuple[str, bytes]]], bytes]


def _json_array(items: Sequence[bytes]) -> bytes:
    return b"[" + b",".join(items) + b"]"


def _json_table(fields: Sequence[tuple[str, bytes]]) -> bytes:
    return b"{" + b",".join([b'"%b":%b' % (key.encode(), value) for key, value in fields]) + b"}"


_msgpack_value = msgspec.msgpack.Encoder().encode


def _msgpack_array(items: Sequence[bytes]) -> bytes:
    """Join as the MessagePack specification's array family: fixarray, array 16, array 32."""
    count = len(items)
    if count < 1 << 4:
        head = bytes((0x90 | count,))
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(items)


def _msgpack_table(fields: Sequence[tuple[str, bytes]]) -> bytes:
    """Join as a fixmap: our messages have fewer than 16 fields."""
    return bytes((0x80 | len(fields),)) + b"".join([_msgpack_value(key) + value for key, value in fields])


JSON: Final = Encoding("json", True, orjson.dumps, _json_array, _json_table)
MSGPACK: Final = Encoding("msgpack", False, _msgpack_value, _msgpack_array, _msgpack_table)


def message(op: str, fields: Mapping[str, Any], encoding: Encoding = JSON) -> bytes:
    """Encode a small message with its operation first."""
    return encoding.value({"op": op, **fields})


def market_change(change: MarketChange, place: int | None, odds_format: str = "decimal", encoding: Encoding = JSON) -> bytes:
    """Encode what changed of a market, with the prices of one profile in one format.

    Args:
        change: what changed.
        place: the profile's place in `prices`; None where it is not published, then there are no prices.
        odds_format: how prices are written.
        encoding: how everything is.
    """
    printer = FORMATTERS[odds_format]
    fields: dict[str, Any] = {"id": change.id, "v": change.v}
    identity = change.identity
    if identity is not None:
        fields |= {
            "event": identity.event,
            "type": identity.type,
            "period": identity.period,
            "line": identity.line,
            "winners": identity.winners,
        }
    state = change.state
    if state is not None:
        fields |= {"status": state.status, "reason": state.reason, "in_play": state.in_play}
    selections: dict[str, Any] = {}
    for key, selection in change.selections.items():
        price = None if place is None else selection.prices[place]
        fields_of_selection: dict[str, Any] = {"price": None if price is None else printer(price)}
        if selection.name is not None:
            fields_of_selection["name"] = selection.name
        if selection.status is not None:
            fields_of_selection["status"] = selection.status
        selections[key] = fields_of_selection
    if selections or identity is not None:
        fields["selections"] = selections
    return encoding.value(fields)


def market(record: MarketRecord, place: int | None, odds_format: str = "decimal") -> bytes:
    """Encode a market whole in JSON, with the prices of one profile (see `market_change`) in one format."""
    printer = FORMATTERS[odds_format]
    identity, state = record.identity, record.state
    return orjson.dumps(
        {
            "id": record.id,
            "event": identity.event,
            "type": identity.type,
            "period": identity.period,
            "line": identity.line,
            "winners": identity.winners,
            "status": state.status,
            "reason": state.reason,
            "in_play": state.in_play,
            "v": record.v,
            "selections": {
                key: {
                    "name": selection.name,
                    "price": None if place is None or (price := selection.prices[place]) is None else printer(price),
                    "status": selection.status,
                }
                for key, selection in record.selections.items()
            },
        }
    )


def event_change(change: EventChange, encoding: Encoding = JSON) -> bytes:
    """Encode what changed of an event; one with its sport is the whole event."""
    fields: dict[str, Any] = {"id": change.id}
    description = change.description
    if description is not None:
        fields |= {
            "sport": description.sport,
            "competition": {"id": description.competition.id, "name": description.competition.name},
            "name": description.name,
            "participants": list(description.participants),
            "start": _iso(description.start_ms),
        }
    progress = change.progress
    if progress is not None:
        fields |= {"in_play": progress.in_play, "score": progress.score, "clock": progress.clock}
    return encoding.value(fields)


def removal(gone: Removal, encoding: Encoding = JSON) -> bytes:
    """Encode that a market or an event is no longer on offer."""
    return encoding.value({"id": gone.id, "removed": True})


def delta_head(channel: str, encoding: Encoding = JSON) -> bytes:
    """Encode what is the same in all deltas of a channel."""
    value = encoding.value
    if encoding is JSON:
        return b'{"op":"delta","channel":' + value(channel) + b',"at":"'
    return b"".join([value("op"), value("delta"), value("channel"), value(channel), value("at")])


def delta_stamp(at: str, ts_ms: int, encoding: Encoding = JSON) -> bytes:
    """Encode what is the same in the deltas of all channels at one position: that, and when it was published."""
    if encoding is JSON:
        return b'%b","ts":%d' % (at.encode(), ts_ms)
    value = encoding.value
    return b"".join([value(at), value("ts"), value(ts_ms)])


def delta(head: bytes, stamp: bytes, events: Sequence[bytes], markets: Sequence[bytes], encoding: Encoding = JSON) -> bytes:
    """Join encoded changes into a delta message.

    Args:
        head: the channel's `delta_head`.
        stamp: the position's `delta_stamp`.
        events: encoded changes of events, and removals.
        markets: those of markets.
        encoding: how all that is encoded.
    """
    if encoding is JSON:
        # Written out: with many small audiences this is an eighth of what a gateway does.
        if not events:
            return b"".join((head, stamp, b',"markets":[', b",".join(markets), b"]}")) if markets else head + stamp + b"}"
        if not markets:
            return b"".join((head, stamp, b',"events":[', b",".join(events), b"]}"))
        return b"".join((head, stamp, b',"events":[', b",".join(events), b'],"markets":[', b",".join(markets), b"]}"))
    # A fixmap (MessagePack specification, map family) of the four fields and what else there is.
    parts = [bytes((0x80 | 4 + bool(events) + bool(markets),)), head, stamp]
    if events:
        parts += [encoding.value("events"), encoding.array(events)]
    if markets:
        parts += [encoding.value("markets"), encoding.array(markets)]
    return b"".join(parts)


def snapshot(
    channel: str,
    at: str,
    events: Sequence[bytes],
    markets: Sequence[bytes],
    *,
    part: int = 1,
    last: bool = True,
    encoding: Encoding = JSON,
) -> bytes:
    """Join encoded events and markets into one part of a snapshot message."""
    value = encoding.value
    if encoding is JSON:
        # Written out: a large channel's would be copied five times over.
        head = b'{"op":"snapshot","channel":%b,"at":"%b","part":%d,"last":%b,"events":[' % (
            value(channel),
            at.encode(),
            part,
            value(last),
        )
        return b"".join((head, b",".join(events), b'],"markets":[', b",".join(markets), b"]}"))
    return encoding.table(
        [
            ("op", value("snapshot")),
            ("channel", value(channel)),
            ("at", value(at)),
            ("part", value(part)),
            ("last", value(last)),
            ("events", encoding.array(events)),
            ("markets", encoding.array(markets)),
        ]
    )


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
