"""Turns rows of the history, in order, into what subscribers could see of each market. No I/O.

What no row says is part of it: a shard whose stream is silent is shown suspended, and while entries are missing nothing is known.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from oddsengine.domain.changes import MarketRecord, MarketState
from oddsengine.domain.ids import MarketId
from oddsengine.history.rows.cutting import record_in
from oddsengine.history.rows.tables import RecordKind
from oddsengine.repricing.views import Observation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Why a market of a silent shard is suspended.
STALE: Final = "stale"
_decode_record: Final = msgspec.msgpack.Decoder(MarketRecord).decode
_decode_profiles: Final = msgspec.msgpack.Decoder(tuple[str, ...]).decode


class RowKind(IntEnum):
    """The content of a row or a moment, in the order in which those of one time are taken."""

    #: the shard's stream is not silent any more
    HEARD = 0
    PROFILES = 1
    CHANGE = 2
    MARKET = 3
    MARKET_LEFT = 4
    #: the shard's stream has been silent for too long
    SILENT = 5
    #: entries are missing from here on
    LOST = 6
    #: the whole state is known again
    KNOWN = 7


_OF_RECORDS: Final = {
    RecordKind.PROFILES: RowKind.PROFILES,
    RecordKind.MARKET: RowKind.MARKET,
    RecordKind.MARKET_LEFT: RowKind.MARKET_LEFT,
}
#: The kinds of records that a timeline is made of.
RECORD_KINDS: Final = tuple(map(int, _OF_RECORDS))
#: What comes after all rows of its time, and where an order needs a position.
_LAST: Final = 2**62


class Row(NamedTuple):
    """A row or a moment of a shard. The fields, without the body, are their order."""

    at_ms: int
    is_last: bool
    shard: int
    epoch: int
    seq: int
    kind: RowKind
    number: int
    body: bytes = b""


class Unknown(NamedTuple):
    """From a time on it is not known what was published, or it is known again."""

    at_ms: int
    is_over: bool


def change_row(at_ms: int, shard: int, epoch: int, seq: int, ordinal: int, change: bytes) -> Row:
    """Return a row of `changes`."""
    return Row(at_ms, False, shard, epoch, seq, RowKind.CHANGE, ordinal, change)


def record_row(at_ms: int, shard: int, epoch: int, seq: int, kind: int, number: int, body: bytes) -> Row:
    """Return a row of `records` of one of `RECORD_KINDS`."""
    # Those of one position are in the order of their numbers, the profiles before markets.
    return Row(at_ms, False, shard, epoch, seq, _OF_RECORDS[RecordKind(kind)], number, body)


def moment(at_ms: int, shard: int, kind: RowKind) -> Row:
    """Return a moment: of those that end something before the rows of its time, else after them."""
    return Row(at_ms, kind is not RowKind.HEARD, shard, _LAST if kind is not RowKind.HEARD else -1, 0, kind, 0)


class _Shard:
    """The offer of a shard."""

    def __init__(self) -> None:
        self.profiles: tuple[str, ...] = ()
        self.markets: dict[MarketId, MarketRecord] = {}
        self.is_silent = False

    def seen(self, at_ms: int, market: MarketId) -> Observation:
        """Return what is seen of a market from a time on."""
        record = self.markets.get(market)
        if record is not None and self.is_silent and record.state.status == "open":
            state = MarketState("suspended", STALE, record.state.in_play)
            record = msgspec.structs.replace(record, state=state)
        return Observation(at_ms, market, record, self.profiles)


class Timeline:
    """Takes rows in their order."""

    def __init__(self) -> None:
        self._shards: dict[int, _Shard] = {}
        self._lost: set[int] = set()
        #: whether any row has said what the profiles are: without that there is no history
        self.is_known = False

    def take(self, row: Row) -> Iterator[Observation | Unknown]:
        """Yield what is seen from a row on.

        Raises:
            DecodeError, ValidationError: if the row can't be read.
        """
        shard = self._shards.get(row.shard)
        if shard is None:
            shard = self._shards[row.shard] = _Shard()
        at_ms = row.at_ms
        match row.kind:
            case RowKind.PROFILES:
                shard.profiles = _decode_profiles(row.body)
                self.is_known = True
            case RowKind.CHANGE | RowKind.MARKET:
                record = record_in(row.body) if row.kind is RowKind.CHANGE else _decode_record(row.body)
                shard.markets[record.id] = record
                yield shard.seen(at_ms, record.id)
            case RowKind.MARKET_LEFT:
                market = MarketId(row.body.decode())
                shard.markets.pop(market, None)
                yield shard.seen(at_ms, market)
            case RowKind.SILENT | RowKind.HEARD:
                shard.is_silent = row.kind is RowKind.SILENT
                for market in shard.markets:
                    yield shard.seen(at_ms, market)
            case RowKind.LOST | RowKind.KNOWN:
                before = bool(self._lost)
                (self._lost.add if row.kind is RowKind.LOST else self._lost.discard)(row.shard)
                if bool(self._lost) != before:
                    yield Unknown(at_ms, is_over=before)


def last_of_each(rows: Iterable[tuple[int, Row]]) -> list[Row]:
    """Return of changes and records, each with its key, the last of each market and of each shard's profiles, in their order."""
    last: dict[tuple[int, int, bool], Row] = {}
    for key, row in rows:
        of = (row.shard, key, row.kind is RowKind.PROFILES)
        if of not in last or last[of] < row:
            last[of] = row
    return sorted(last.values())
