"""What clients are sent, as pure functions from changes to JSON bytes.

A change is encoded once into a fragment; a message is a join of fragments with a head and a tail. WebSocket framing is
here too (RFC 6455, section 5.2), because a frame is built once for a whole audience.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from oddsengine.markets.formats import PRINTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oddsengine.books.changes import EventChange, MarketChange, MarketRecord, Removal

_FIN_TEXT = 0x81
_LENGTH_16 = 126
_LENGTH_64 = 127


def frame(payload: bytes) -> bytes:
    """Wrap a text message into one unmasked WebSocket frame."""
    length = len(payload)
    if length < _LENGTH_16:
        return bytes((_FIN_TEXT, length)) + payload
    if length < 1 << 16:
        return bytes((_FIN_TEXT, _LENGTH_16)) + length.to_bytes(2, "big") + payload
    return bytes((_FIN_TEXT, _LENGTH_64)) + length.to_bytes(8, "big") + payload


def message(op: str, fields: Mapping[str, Any]) -> bytes:
    """Encode a small message with its operation first."""
    return orjson.dumps({"op": op, **fields})


def market_change(change: MarketChange, profile: int, odds_format: str = "decimal") -> bytes:
    """Encode what changed of a market, with the prices of one profile (its place in `prices`) in one format."""
    printer = PRINTERS[odds_format]
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
        price = selection.prices[profile]
        fields_of_selection: dict[str, Any] = {"price": None if price is None else printer(price)}
        if selection.name is not None:
            fields_of_selection["name"] = selection.name
        if selection.status is not None:
            fields_of_selection["status"] = selection.status
        selections[key] = fields_of_selection
    if selections or identity is not None:
        fields["selections"] = selections
    return orjson.dumps(fields)


def market(record: MarketRecord, profile: int, odds_format: str = "decimal") -> bytes:
    """Encode a market whole, with the prices of one profile in one format."""
    printer = PRINTERS[odds_format]
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
                    "price": None if (price := selection.prices[profile]) is None else printer(price),
                    "status": selection.status,
                }
                for key, selection in record.selections.items()
            },
        }
    )


def event_change(change: EventChange) -> bytes:
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
    return orjson.dumps(fields)


def removal(gone: Removal) -> bytes:
    """Encode that a market or an event is no longer on offer."""
    return orjson.dumps({"id": gone.id, "removed": True})


def delta(channel: str, at: str, ts_ms: int, events: Sequence[bytes], markets: Sequence[bytes]) -> bytes:
    """Join encoded changes into a delta message."""
    parts = [b'{"op":"delta","channel":', orjson.dumps(channel), b',"at":"', at.encode(), b'","ts":', b"%d" % ts_ms]
    if events:
        parts += (b',"events":[', b",".join(events), b"]")
    if markets:
        parts += (b',"markets":[', b",".join(markets), b"]")
    parts.append(b"}")
    return b"".join(parts)


def snapshot(
    channel: str, at: str, events: Iterable[bytes], markets: Iterable[bytes], *, part: int = 1, last: bool = True
) -> bytes:
    """Join encoded events and markets into one part of a snapshot message."""
    return b"".join(
        (
            b'{"op":"snapshot","channel":',
            orjson.dumps(channel),
            b',"at":"',
            at.encode(),
            b'","part":%d,"last":%s,"events":[' % (part, b"true" if last else b"false"),
            b",".join(events),
            b'],"markets":[',
            b",".join(markets),
            b"]}",
        )
    )


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
