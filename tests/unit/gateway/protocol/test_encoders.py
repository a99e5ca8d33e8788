"""What a client decodes is what was encoded, in both encodings."""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from oddsengine.domain.changes import (
    EventChange,
    EventDescription,
    EventProgress,
    MarketChange,
    MarketIdentity,
    MarketRecord,
    MarketState,
    MarketTerms,
    Removal,
    SelectionChange,
    SelectionRecord,
)
from oddsengine.domain.events import Competition
from oddsengine.domain.formats import FORMATS, FORMATTERS
from oddsengine.domain.ids import EventId, MarketId
from oddsengine.domain.market_types import place_of
from oddsengine.domain.results import Outcome, SelectionResult
from oddsengine.domain.taxonomy import MarketStatus, MarketType, SelectionStatus
from oddsengine.gateway.protocol import encoders
from oddsengine.gateway.protocol import server_messages as server
from oddsengine.gateway.protocol.codes import ErrorCode
from oddsengine.gateway.protocol.encoders import JSON, MSGPACK, Encoding
from oddsengine.offer.entries.wire_types import MarketChanged

T = TypeVar("T")

ENCODINGS = (JSON, MSGPACK)
encodings = st.sampled_from(ENCODINGS)
names = st.text(max_size=8)
optional_names = st.none() | names
milliseconds = st.integers(0, 2**41)
prices = st.tuples(*[st.none() | st.integers(1001, 1_000_000)] * 2)
profile_indexes = st.none() | st.integers(0, 1)
formats = st.sampled_from(list(FORMATS))
identities = st.builds(
    MarketIdentity,
    names.map(EventId),
    st.sampled_from(get_args(MarketType)),
    optional_names,
    st.none() | st.integers(-400, 400).map(lambda quarters: quarters / 4),
    st.integers(1, 9),
    names.filter(bool),
)
factors = st.none() | st.floats(0, 1)
results = st.none() | st.builds(SelectionResult, st.none() | st.sampled_from(get_args(Outcome)), factors, factors)
terms = st.builds(MarketTerms, st.booleans(), st.none() | st.floats(0, 1000), st.none() | st.floats(0, 60))
states = st.builds(
    MarketState,
    st.sampled_from(get_args(MarketStatus)),
    optional_names,
    st.booleans(),
    st.just(()) | st.tuples(terms, terms),
    st.none() | st.booleans(),
)


def state_fields(state: MarketState | None, profile_index: int | None) -> tuple[Any, ...]:
    """What a subscriber of a profile is told of a market's state: status, reason, in play, main line, limit and bet delay.

    A change names both terms where a whole market does, so that merging one into the other gives the state.
    """
    if state is None:
        return (UNSET,) * 6
    own = state.terms[profile_index] if state.terms and profile_index is not None else None
    shown_state = ("suspended", "trader") if own is not None and own.suspended and state.status == "open" else None
    limits = (UNSET, UNSET) if own is None else (own.limit, own.bet_delay_s)
    return (*(shown_state or (state.status, state.reason)), state.in_play, unset(state.main_line), *limits)


selection_statuses = st.sampled_from(get_args(SelectionStatus))
orders = st.none() | st.integers(0, 99)
fairs = st.none() | st.integers(1, 999_999)


def shown_fair(selection: SelectionChange | SelectionRecord, profile_index: int | None, *, with_fair: bool) -> Any:
    """The fair probability, where it was asked for and there is a price to bet on."""
    has_price = profile_index is not None and selection.prices[profile_index] is not None
    return selection.fair / 1_000_000 if with_fair and has_price and selection.fair is not None else UNSET


market_changes = st.builds(
    MarketChange,
    names.map(MarketId),
    st.integers(0, 2**40),
    st.none() | identities,
    st.none() | states,
    st.dictionaries(
        names,
        st.builds(SelectionChange, optional_names, st.none() | selection_statuses, prices, results, orders, fairs),
        max_size=4,
    ),
)
market_records = st.builds(
    MarketRecord,
    names.map(MarketId),
    identities,
    st.just(1),
    states,
    st.just(1),
    st.integers(0, 2**40),
    st.just(1),
    st.dictionaries(
        names,
        st.builds(SelectionRecord, names, selection_statuses, prices, *[st.just(1)] * 3, results, st.just(1), orders),
        max_size=4,
    ),
)
descriptions = st.builds(
    EventDescription,
    names,
    st.builds(Competition, names, names),
    names,
    st.lists(names, max_size=3).map(tuple),
    st.none() | milliseconds,
)
progresses = st.builds(EventProgress, st.booleans(), optional_names, optional_names)
event_changes = st.builds(EventChange, names.map(EventId), st.none() | descriptions, st.none() | progresses)
request_ids = st.none() | st.integers(-(2**63), 2**63 - 1) | names
channels = st.lists(names, max_size=3)
small_messages = st.one_of(
    st.builds(server.Welcome, st.integers(1, 9), names, milliseconds),
    st.builds(server.Authenticated, request_ids, st.none() | milliseconds),
    st.builds(server.Subscribed, request_ids, channels, st.booleans()),
    st.builds(server.Unsubscribed, request_ids, channels),
    st.builds(server.Pong, request_ids),
    st.builds(server.Heartbeat, names, milliseconds),
    st.builds(server.Stale, names, milliseconds),
    st.builds(server.Live, names),
    st.builds(server.Failed, request_ids, st.sampled_from(ErrorCode), names),
    st.builds(server.Bye, names, milliseconds),
)


def decode(encoded: bytes, kind: type[T] | Any, encoding: Encoding) -> Any:
    return msgspec.json.decode(encoded, type=kind) if encoding is JSON else msgspec.msgpack.decode(encoded, type=kind)


def shown(price: int | None, odds_format: str) -> Any:
    return None if price is None else FORMATTERS[odds_format](price)


def result_fields(result: SelectionResult | None) -> tuple[Any, ...]:
    """The fields of an encoded selection's result."""
    return (UNSET,) * 3 if result is None else msgspec.structs.astuple(result)


def unset(value: Any) -> Any:
    return UNSET if value is None else value


@given(message=small_messages, encoding=encodings)
def test_messages_are_decoded_as_what_they_were(message: Any, encoding: Encoding) -> None:
    assert message == decode(encoding.value(message), server.ServerMessage, encoding)


def test_a_request_id_of_any_size_is_echoed_in_json() -> None:
    assert b'{"op":"pong","id":1180591620717411303424}' == JSON.value(server.Pong(2**70))


@given(change=market_changes, profile_index=profile_indexes, odds_format=formats, encoding=encodings, with_fair=st.booleans())
def test_a_market_change_is_decoded_as_its_changed_fields(
    change: MarketChange, profile_index: int | None, odds_format: str, encoding: Encoding, with_fair: bool
) -> None:
    encoded = encoders.market_change(change, profile_index, odds_format, encoding, with_fair=with_fair)
    decoded = decode(encoded, MarketChanged, encoding)
    assert (change.id, change.v) == (decoded.id, decoded.v)
    identity, state = change.identity, change.state
    found_identity = (decoded.event, decoded.type, decoded.period, decoded.line, decoded.winners, decoded.name, decoded.unit)
    assert (msgspec.structs.astuple(identity) if identity else (UNSET,) * 7) == found_identity
    place = place_of(identity.type, identity.period, identity.line, identity.unit) if identity else (UNSET, UNSET)
    assert place == (decoded.group, decoded.order)
    found_state = (decoded.status, decoded.reason, decoded.in_play, decoded.main_line, decoded.limit, decoded.bet_delay_s)
    assert state_fields(state, profile_index) == found_state
    if not change.selections and identity is None:
        assert decoded.selections is UNSET
        return
    assert change.selections.keys() == decoded.selections.keys()
    for key, selection in change.selections.items():
        price = None if profile_index is None else selection.prices[profile_index]
        found = decoded.selections[key]
        expected = (shown(price, odds_format), unset(selection.name), unset(selection.status))
        order = UNSET if selection.name is None else unset(selection.order)
        last = (order, shown_fair(selection, profile_index, with_fair=with_fair))
        assert (*expected, *result_fields(selection.result), *last) == msgspec.structs.astuple(found)


@given(record=market_records, profile_index=profile_indexes, odds_format=formats, with_fair=st.booleans())
def test_a_market_over_http_is_the_whole_market(
    record: MarketRecord, profile_index: int | None, odds_format: str, with_fair: bool
) -> None:
    decoded = decode(encoders.market(record, profile_index, odds_format, with_fair=with_fair), server.MarketWhole, JSON)
    assert (record.id, record.v) == (decoded.id, decoded.v)
    found_identity = (decoded.event, decoded.type, decoded.period, decoded.line, decoded.winners, decoded.name, decoded.unit)
    assert msgspec.structs.astuple(record.identity) == found_identity
    found_state = (decoded.status, decoded.reason, decoded.in_play, decoded.main_line, decoded.limit, decoded.bet_delay_s)
    assert state_fields(record.state, profile_index) == found_state
    assert record.selections.keys() == decoded.selections.keys()
    for key, selection in record.selections.items():
        price = None if profile_index is None else selection.prices[profile_index]
        expected = (selection.name, shown(price, odds_format), selection.status, *result_fields(selection.result))
        last = (unset(selection.order), shown_fair(selection, profile_index, with_fair=with_fair))
        assert (*expected, *last) == msgspec.structs.astuple(decoded.selections[key])


def test_a_market_without_a_name_is_named_after_its_type() -> None:
    """Nameless ones come from an engine of an earlier release."""
    whole = MarketChange(MarketId("m"), 1, MarketIdentity(EventId("e"), "both_to_score"), None, {})
    assert "Both to score" == decode(encoders.market_change(whole, 0), MarketChanged, JSON).name


@given(change=event_changes, encoding=encodings)
def test_an_event_change_is_decoded_as_its_changed_fields(change: EventChange, encoding: Encoding) -> None:
    decoded = decode(encoders.event_change(change, encoding), server.EventChanged, encoding)
    assert change.id == decoded.id
    described, progress = change.description, change.progress
    if described is None:
        assert (UNSET,) * 4 == (decoded.sport, decoded.name, decoded.participants, decoded.start)
    else:
        assert (described.sport, described.name, list(described.participants)) == (
            decoded.sport,
            decoded.name,
            decoded.participants,
        )
        assert (described.competition.id, described.competition.name) == (decoded.competition.id, decoded.competition.name)
        assert (described.start_ms is None) == (decoded.start is None)
    expected = (UNSET,) * 3 if progress is None else (progress.in_play, progress.score, progress.clock)
    assert expected == (decoded.in_play, decoded.score, decoded.clock)


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
def test_the_start_is_iso_8601_in_utc_with_milliseconds(encoding: Encoding) -> None:
    described = EventDescription("football", Competition("cup", "Cup"), "A v B", (), 1_750_000_000_123)
    decoded = decode(encoders.event_change(EventChange(EventId("e"), described, None), encoding), server.EventChanged, encoding)
    assert "2025-06-15T15:06:40.123Z" == decoded.start


@given(
    # More than 15 are another kind of list in MessagePack.
    changes=st.lists(market_changes, max_size=20),
    events=st.lists(event_changes, max_size=20),
    gone=names,
    encoding=encodings,
)
def test_a_delta_is_decoded_as_its_fragments(
    changes: list[MarketChange], events: list[EventChange], gone: str, encoding: Encoding
) -> None:
    removal = Removal("market", gone, EventId("e"), "football", "cup")
    encoded_events = [encoders.event_change(event, encoding) for event in events]
    markets = [encoders.market_change(change, 0, "decimal", encoding) for change in changes]
    if gone:
        markets.append(encoders.removal(removal, encoding))
    head, stamp = encoders.delta_head("sport:football", encoding), encoders.delta_stamp("0:1:2", 3, encoding)
    decoded = decode(encoders.delta(head, stamp, encoded_events, markets, encoding), server.ServerMessage, encoding)
    expected = server.Delta(
        "sport:football",
        "0:1:2",
        3,
        [decode(event, server.EventChanged, encoding) for event in encoded_events] or UNSET,
        [decode(market, MarketChanged, encoding) for market in markets] or UNSET,
    )
    assert expected == decoded


@pytest.mark.parametrize("encoding", ENCODINGS, ids=lambda encoding: encoding.name)
@pytest.mark.parametrize("count", [0, 1, 15, 16, 0xFFFF, 0x10000])
def test_a_snapshot_holds_any_number_of_markets(encoding: Encoding, count: int) -> None:
    whole = MarketRecord(MarketId("m"), MarketIdentity(EventId("e"), "total"), 1, MarketState("open", None, False), 1, 1, 1, {})
    state, identity = whole.state, whole.identity
    fragment = encoders.market_change(MarketChange(whole.id, whole.v, identity, state, {}), 0, "decimal", encoding)
    encoded = encoders.snapshot("sport:x", "0:1:2", [], [fragment] * count, part=2, last=False, encoding=encoding)
    decoded = decode(encoded, server.ServerMessage, encoding)
    assert ("sport:x", "0:1:2", 2, False, []) == (decoded.channel, decoded.at, decoded.part, decoded.last, decoded.events)
    assert count == len(decoded.markets)


@given(changes=st.lists(event_changes, min_size=1, max_size=5))
def test_bodies_of_events_are_valid_json(changes: list[EventChange]) -> None:
    events = [encoders.event_change(change) for change in changes]
    assert [msgspec.json.decode(event) for event in events] == msgspec.json.decode(encoders.event_list(events))["events"]
    whole = msgspec.json.decode(encoders.event_with_markets(events[0], [b'{"id":"m"}']))
    assert {**msgspec.json.decode(events[0]), "markets": [{"id": "m"}]} == whole
