"""Old gateways beside new engines, and the other way round: fields are added at the end, and tolerated there."""

from __future__ import annotations

from typing import Any

import msgspec

from oddsengine.domain.changes import MarketIdentity, MarketState, MarketTerms, SelectionChange, SelectionRecord
from oddsengine.domain.ids import EventId
from oddsengine.domain.results import WON

#: The fields of the last release, without results, names, terms, main lines, orders and fair probabilities.
EARLIER_FIELDS: dict[type[Any], int] = {MarketIdentity: 5, MarketState: 3, SelectionChange: 3, SelectionRecord: 6}
VALUES: tuple[Any, ...] = (
    MarketIdentity(EventId("e1"), "total", "ft", 2.5, 1, "Total goals"),
    MarketState("open", None, True, (MarketTerms(False, 50.0, 5.0),), True),
    SelectionChange("Home", "winner", (None,), WON, 2, 500_000),
    SelectionRecord("Home", "winner", (None,), 3, 2, 1, WON, 3, 2, 500_000),
)


def earlier(kind: type[Any]) -> type[Any]:
    """The type as the last release had it."""
    fields = [(field.name, field.type) for field in msgspec.structs.fields(kind)[: EARLIER_FIELDS[kind]]]
    return msgspec.defstruct(kind.__name__, fields, array_like=True)


def test_an_earlier_release_ignores_the_fields_added_since() -> None:
    for value in VALUES:
        read = msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=earlier(type(value)))
        assert msgspec.structs.astuple(value)[: EARLIER_FIELDS[type(value)]] == msgspec.structs.astuple(read)


def test_what_an_earlier_release_wrote_has_none_of_them() -> None:
    for value in VALUES:
        old = earlier(type(value))(*msgspec.structs.astuple(value)[: EARLIER_FIELDS[type(value)]])
        read = msgspec.msgpack.decode(msgspec.msgpack.encode(old), type=type(value))
        added = [field.default for field in msgspec.structs.fields(type(value))[EARLIER_FIELDS[type(value)] :]]
        assert added == list(msgspec.structs.astuple(read)[EARLIER_FIELDS[type(value)] :])
