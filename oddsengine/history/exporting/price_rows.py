"""Turns the rows of the database into rows of an export: one for each price that a change of a market concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from oddsengine.commands.command import TRADER
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import EventDescription, EventRecord, MarketRecord
from oddsengine.domain.odds import to_decimal
from oddsengine.history.rows.cutting import record_in
from oddsengine.history.rows.tables import RecordKind
from oddsengine.offer.offer import BEGINNING, market_since

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.domain.changes import MarketChange, MarketState

#: The kind of a row of the table of changes; others are those of records.
CHANGE: Final = 0
#: The sport of what no archived event describes.
UNKNOWN: Final = "unknown"
_decode_market: Final = msgspec.msgpack.Decoder(MarketRecord).decode
_decode_event: Final = msgspec.msgpack.Decoder(EventRecord).decode
_decode_names: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class StoredRow(NamedTuple):
    """A row of the table of changes or of records."""

    at_ms: int
    shard: int
    epoch: int
    seq: int
    kind: int
    body: bytes


class PriceRow(NamedTuple):
    """A row of an export; docs/history.md describes the columns."""

    time: int
    kind: Literal["change", "state", "left"]
    shard: int
    epoch: int
    seq: int
    sport: str
    event: str
    market: str
    competition: str | None = None
    competition_name: str | None = None
    event_name: str | None = None
    start: int | None = None
    type: str | None = None
    period: str | None = None
    line: float | None = None
    unit: str | None = None
    profile: str | None = None
    selection: str | None = None
    selection_name: str | None = None
    odds: float | None = None
    fair: float | None = None
    status: str | None = None
    reason: str | None = None
    in_play: bool | None = None
    main_line: bool | None = None
    selection_status: str | None = None
    result: str | None = None
    v: int | None = None


class PriceRows:
    """Remembers events and profiles while rows are added in order, so that each price says whose it is."""

    def __init__(self) -> None:
        self._events: dict[str, EventDescription] = {}
        self._profiles: dict[int, tuple[str, ...]] = {}
        #: rows of the database that can't be read
        self.unreadable = 0

    def add(self, row: StoredRow) -> Iterator[PriceRow]:
        """Add a row, and yield the prices that it has."""
        try:
            yield from self._read(row)
        except DECODING_ERRORS:
            self.unreadable += 1

    def _read(self, row: StoredRow) -> Iterator[PriceRow]:
        if row.kind == CHANGE:
            record = record_in(row.body)
            yield from self._prices(row, "change", record, market_since(record, row.seq - 1))
        elif row.kind == RecordKind.MARKET:
            record = _decode_market(row.body)
            yield from self._prices(row, "state", record, market_since(record, BEGINNING))
        elif row.kind == RecordKind.MARKET_LEFT:
            market = row.body.decode()
            yield self._row(row, "left", market.partition("/")[0], market)
        elif row.kind == RecordKind.EVENT:
            event = _decode_event(row.body)
            self._events[event.id] = event.description
        elif row.kind == RecordKind.EVENT_LEFT:
            self._events.pop(row.body.decode(), None)
        elif row.kind == RecordKind.PROFILES:
            self._profiles[row.shard] = _decode_names(row.body)

    def _prices(
        self, row: StoredRow, kind: Literal["change", "state"], record: MarketRecord, change: MarketChange
    ) -> Iterator[PriceRow]:
        identity, state = record.identity, record.state
        of_market = self._row(row, kind, identity.event, record.id)._replace(
            type=identity.type,
            period=identity.period,
            line=identity.line,
            unit=identity.unit,
            in_play=state.in_play,
            main_line=state.main_line,
            v=record.v,
        )
        names: tuple[str | None, ...] = self._profiles.get(row.shard, ())
        # A change of the market's state concerns all of its prices.
        for key in change.selections if change.state is None else record.selections:
            selection = record.selections[key]
            of_selection = of_market._replace(
                selection=key,
                selection_name=selection.name,
                selection_status=selection.status,
                result=None if selection.result is None else selection.result.outcome,
            )
            if len(names) != len(selection.prices):
                names = (None,) * len(selection.prices)
            for index, (profile, price) in enumerate(zip(names, selection.prices, strict=True)):
                status, reason = _seen(state, index)
                yield of_selection._replace(
                    profile=profile,
                    odds=None if price is None else to_decimal(price),
                    fair=None if selection.fair is None or price is None else selection.fair / 1_000_000,
                    status=status,
                    reason=reason,
                )

    def _row(self, row: StoredRow, kind: Literal["change", "state", "left"], event: str, market: str) -> PriceRow:
        described = self._events.get(event)
        found = PriceRow(row.at_ms, kind, row.shard, row.epoch, row.seq, UNKNOWN, event, market)
        if described is None:
            return found
        competition = described.competition
        return found._replace(
            sport=described.sport,
            competition=competition.id,
            competition_name=competition.name,
            event_name=described.name,
            start=described.start_ms,
        )


def _seen(state: MarketState, index: int) -> tuple[str, str | None]:
    """Return the status of a market that subscribers of a profile saw, and its reason."""
    if state.status == "open" and state.terms and state.terms[index].suspended:
        return "suspended", TRADER
    return state.status, state.reason
