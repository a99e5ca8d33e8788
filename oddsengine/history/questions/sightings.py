"""The meaning of a market's rows: its state after each, and whether a subscriber of a profile could tell two of them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

import msgspec

from oddsengine.domain.changes import MarketRecord
from oddsengine.history.questions.cursors import Place
from oddsengine.history.rows.cutting import record_in
from oddsengine.history.rows.tables import RecordKind
from oddsengine.offer.entries.fragments import changed_market
from oddsengine.offer.offer import BEGINNING, market_since

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from oddsengine.domain.changes import MarketChange
    from oddsengine.offer.entries.wire_types import MarketChanged

#: The kind of a row that is a change; others are those of records.
CHANGE: Final = 0
_decode_record: Final = msgspec.msgpack.Decoder(MarketRecord).decode


class Sighting(NamedTuple):
    """A market after a row; `record` is None once it has left the offer."""

    place: Place
    kind: int
    record: MarketRecord | None

    @property
    def position(self) -> tuple[int, int]:
        """Epoch and seq of the entry."""
        return self.place.epoch, self.place.seq


class Gap(NamedTuple):
    """A time of which the state of a shard is not known: from the last entry before what is missing until a snapshot.

    `until` is the position of the first entry after it; `known_ms` is None while it is not known again.
    """

    after_ms: int
    until: tuple[int, int]
    known_ms: int | None
    reason: str

    def has(self, at_ms: int) -> bool:
        """Check whether a time is in the gap."""
        return self.after_ms <= at_ms and (self.known_ms is None or at_ms < self.known_ms)


class Absence(NamedTuple):
    """The reason why there is no answer.

    Attributes:
        why: `ahead`: the history does not reach so far yet; `before`: it begins later; `dropped`: it is not kept any more; `gap`;
            `left`: the market had left the offer; `later`: it was not seen yet; `never`: it is not in the history at all.
        at_ms: until when, from when or since when, as far as that is known.
        until_ms: the end of a gap, None if there is none.
        reason: that of a gap.
    """

    why: Literal["ahead", "before", "dropped", "gap", "left", "later", "never"]
    at_ms: int | None = None
    until_ms: int | None = None
    reason: str = ""


class Profiles:
    """The profiles of a shard over a time.

    Args:
        rows: position and names, in order.
    """

    def __init__(self, rows: Iterable[tuple[tuple[int, int], tuple[str, ...]]]) -> None:
        self._rows = list(rows)

    def of(self, position: tuple[int, int]) -> tuple[str, ...]:
        """Return the names in the order of all prices at a position."""
        names: tuple[str, ...] = ()
        for at, found in self._rows:
            if at > position:
                break
            names = found
        return names

    @property
    def every(self) -> list[str]:
        """All names that there were."""
        return list(dict.fromkeys(name for _, names in self._rows for name in names))


def place_in(profiles: Sequence[str], profile: str | None) -> int | None:
    """Return where the prices of a profile are: 0 for None, None if there was no such profile."""
    if profile is None:
        return 0
    return profiles.index(profile) if profile in profiles else None


def sighting_of(row: Mapping[str, object], market: str) -> Sighting | None:
    """Return what a row says of a market; None if it is about another one, whose id has the same key."""
    kind, body = row["kind"], row["body"]
    assert isinstance(kind, int)  # noqa: S101 - as the columns are
    assert isinstance(body, bytes)  # noqa: S101 - the same
    place = Place(row["at_ms"], row["epoch"], row["seq"], row["number"])  # type: ignore[arg-type]
    if kind == RecordKind.MARKET_LEFT:
        return Sighting(place, kind, None) if body == market.encode() else None
    record = record_in(body) if kind == CHANGE else _decode_record(body)
    return Sighting(place, kind, record) if record.id == market else None


def view_of(record: MarketRecord, index: int | None, *, with_fair: bool = False) -> MarketChanged:
    """Return what a subscriber sees of a market, without its version: that grows with changes in other profiles too."""
    seen = changed_market(market_since(record, BEGINNING), index, with_fair=with_fair)
    seen.v = 0
    return seen


def change_from(before: Sighting | None, after: Sighting) -> MarketChange:
    """Return how a market has changed since an earlier sighting of the same epoch; the whole market if that was none."""
    assert after.record is not None  # noqa: S101 - what has left has not changed
    same_epoch = before is not None and before.record is not None and before.place.epoch == after.place.epoch
    return market_since(after.record, before.place.seq if before is not None and same_epoch else BEGINNING)


def with_ends(gaps: Sequence[Gap]) -> list[Gap]:
    """Return gaps, in order, each with its end: one that another gap has followed ends with that."""
    ended: list[Gap] = []
    known_ms: int | None = None
    for gap in reversed(gaps):
        known_ms = gap.known_ms if gap.known_ms is not None else known_ms
        ended.append(gap._replace(known_ms=known_ms))
    return ended[::-1]


def crossed(gaps: Sequence[Gap], before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Check whether entries are missing between two positions."""
    return any(before < gap.until <= after for gap in gaps)
