"""Encoders of everything that clients are sent: pure functions to bytes, in JSON or MessagePack.

A change is encoded once, into a fragment, and shared by all messages that contain it: deltas and snapshots are joins of
fragments between a head and a tail. Small messages are encoded from their types (`server_messages`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import UNSET

from oddsengine.commands.command import TRADER
from oddsengine.common.clock import iso_time
from oddsengine.domain.formats import FORMATTERS
from oddsengine.domain.market_types import default_name, place_of
from oddsengine.gateway.protocol.server_messages import CompetitionNamed, EventChanged, MarketAnswer, SelectionWhole
from oddsengine.offer.entries.fragments import changed_market
from oddsengine.offer.entries.wire_types import MarketChanged

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.domain.changes import EventChange, MarketChange, MarketRecord, Removal, SelectionRecord
    from oddsengine.domain.results import SelectionResult


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """The encoding of a subprotocol; `value` encodes any value. There is one instance of each, compared by identity."""

    name: str
    is_text: bool
    value: Callable[[Any], bytes]


JSON: Final = Encoding("json", True, msgspec.json.Encoder().encode)
MSGPACK: Final = Encoding("msgpack", False, msgspec.msgpack.Encoder().encode)


def market_change(
    change: MarketChange,
    profile_index: int | None,
    odds_format: str = "decimal",
    encoding: Encoding = JSON,
    *,
    with_fair: bool = False,
) -> bytes:
    """Encode the change of a market, with the prices of one profile.

    Args:
        change: the change.
        profile_index: the profile's index in `prices`; None if the profile is not published, all prices are null then.
        odds_format: the format of the prices.
        encoding: the encoding of the fragment.
        with_fair: whether to include the fair probabilities of what has a price.
    """
    return encoding.value(changed_market(change, profile_index, odds_format, with_fair=with_fair))


def market(
    record: MarketRecord,
    profile_index: int | None,
    odds_format: str = "decimal",
    *,
    is_on_offer: bool = True,
    with_fair: bool = False,
) -> bytes:
    """Encode a whole market in JSON, with the prices of one profile; the other arguments are those of `market_change`."""
    formatter = FORMATTERS[odds_format]
    identity, state = record.identity, record.state
    terms = state.terms[profile_index] if state.terms and profile_index is not None else None
    is_suspended = terms is not None and terms.suspended and state.status == "open"
    place = place_of(identity.type, identity.period, identity.line, identity.unit)
    return JSON.value(
        MarketAnswer(
            id=record.id,
            event=identity.event,
            type=identity.type,
            name=identity.name or default_name(identity.type, identity.period, identity.line, identity.unit),
            period=identity.period,
            line=identity.line,
            unit=identity.unit,
            winners=identity.winners,
            status="suspended" if is_suspended else state.status,
            reason=TRADER if is_suspended else state.reason,
            in_play=state.in_play,
            v=record.v,
            group=place.group,
            order=place.order,
            main_line=UNSET if state.main_line is None else state.main_line,
            limit=UNSET if terms is None else terms.limit,
            bet_delay_s=UNSET if terms is None else terms.bet_delay_s,
            selections={
                key: _selection(selection, profile_index, formatter, with_fair=with_fair)
                for key, selection in record.selections.items()
            },
            on_offer=UNSET if is_on_offer else False,
        )
    )


def _selection(
    selection: SelectionRecord, profile_index: int | None, formatter: Callable[[int], float | str], *, with_fair: bool
) -> SelectionWhole:
    price = None if profile_index is None else selection.prices[profile_index]
    return SelectionWhole(
        selection.name,
        None if price is None else formatter(price),
        selection.status,
        order=UNSET if selection.order is None else selection.order,
        fair=selection.fair / 1_000_000 if with_fair and selection.fair and price is not None else UNSET,
        **({} if selection.result is None else _result(selection.result)),
    )


def _result(result: SelectionResult) -> dict[str, Any]:
    return {
        "result": result.outcome,
        "void_factor": result.void_factor,
        "dead_heat_factor": result.dead_heat_factor,
    }


def event_change(change: EventChange, encoding: Encoding = JSON) -> bytes:
    """Encode the change of an event. One with a description is the whole event."""
    changed = EventChanged(id=change.id)
    description, progress = change.description, change.progress
    if description is not None:
        changed.sport, changed.name = description.sport, description.name
        changed.competition = CompetitionNamed(description.competition.id, description.competition.name)
        changed.participants = list(description.participants)
        changed.start = iso_time(description.start_ms, "milliseconds") if description.start_ms is not None else None
    if progress is not None:
        changed.in_play, changed.score, changed.clock = progress.in_play, progress.score, progress.clock
    return encoding.value(changed)


def removal(gone: Removal, encoding: Encoding = JSON) -> bytes:
    """Encode the removal of a market or an event."""
    kind = MarketChanged if gone.kind == "market" else EventChanged
    return encoding.value(kind(id=gone.id, removed=True))


def event_list(events: Sequence[bytes]) -> bytes:
    """Join encoded events into the JSON body of an `EventsAnswer`."""
    return b'{"events":[' + b",".join(events) + b"]}"


def event_with_markets(event: bytes, markets: Sequence[bytes]) -> bytes:
    """Join an encoded event and its encoded markets into the JSON body of an `EventWithMarkets`."""
    return event[:-1] + b',"markets":[' + b",".join(markets) + b"]}"


def delta_head(channel: str, encoding: Encoding = JSON) -> bytes:
    """Encode what all deltas of a channel begin with."""
    value = encoding.value
    if encoding is JSON:
        return b'{"op":"delta","channel":' + value(channel) + b',"at":"'
    return b"".join([value("op"), value("delta"), value("channel"), value(channel), value("at")])


def delta_stamp(at: str, ts_ms: int, encoding: Encoding = JSON) -> bytes:
    """Encode what the deltas of all channels at one position share: the position, and when it was published."""
    if encoding is JSON:
        return b'%b","ts":%d' % (at.encode(), ts_ms)
    value = encoding.value
    return b"".join([value(at), value("ts"), value(ts_ms)])


def delta(head: bytes, stamp: bytes, events: Sequence[bytes], markets: Sequence[bytes], encoding: Encoding = JSON) -> bytes:
    """Join encoded changes into a delta message.

    Args:
        head: the channel's `delta_head`.
        stamp: the position's `delta_stamp`.
        events: encoded changes and removals of events.
        markets: encoded changes and removals of markets.
        encoding: the encoding of all fragments.
    """
    if encoding is JSON:
        # Written out: with many small audiences this is an eighth of a gateway's CPU time.
        if not events:
            return b"".join((head, stamp, b',"markets":[', b",".join(markets), b"]}")) if markets else head + stamp + b"}"
        if not markets:
            return b"".join((head, stamp, b',"events":[', b",".join(events), b"]}"))
        return b"".join((head, stamp, b',"events":[', b",".join(events), b'],"markets":[', b",".join(markets), b"]}"))
    # The four fields in head and stamp, and events and markets if any.
    parts = [_msgpack_map_head(4 + bool(events) + bool(markets)), head, stamp]
    if events:
        parts += [encoding.value("events"), _msgpack_array(events)]
    if markets:
        parts += [encoding.value("markets"), _msgpack_array(markets)]
    return b"".join(parts)


#: What a delta in JSON ends with that has markets.
MARKETS_TAIL: Final = b"]}"


def markets_head(stamp: bytes) -> bytes:
    """Encode what a delta in JSON, of markets only, has between its head and the first of them."""
    return stamp + b',"markets":['


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
        head = b'{"op":"snapshot","channel":%b,"at":"%b","part":%d,"last":%b,"events":[' % (
            value(channel),
            at.encode(),
            part,
            value(last),
        )
        return b"".join((head, b",".join(events), b'],"markets":[', b",".join(markets), b"]}"))
    fields = {"op": "snapshot", "channel": channel, "at": at, "part": part, "last": last}
    parts = [_msgpack_map_head(len(fields) + 2), *(value(key) + value(field) for key, field in fields.items())]
    return b"".join((*parts, value("events"), _msgpack_array(events), value("markets"), _msgpack_array(markets)))


def _msgpack_map_head(fields: int) -> bytes:
    """Encode the head of a fixmap (MessagePack specification, map family): messages have fewer than 16 fields."""
    return bytes((0x80 | fields,))


def _msgpack_array(items: Sequence[bytes]) -> bytes:
    """Join items as an array (MessagePack specification, array family): fixarray, array 16 or array 32."""
    count = len(items)
    if count < 1 << 4:
        head = bytes((0x90 | count,))
    elif count < 1 << 16:
        head = b"\xdc" + count.to_bytes(2, "big")
    else:
        head = b"\xdd" + count.to_bytes(4, "big")
    return head + b"".join(items)
