"""The prices of the last seconds, to check bets that were placed on a price that has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import msgspec

from oddsengine.common import speedups
from oddsengine.common.decoding import DECODING_ERRORS
from oddsengine.domain.changes import MarketRecord
from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oddsengine.offer.entries.entry import Entry

#: What was published of a market: its record, when it was published (Unix milliseconds of the engine), and when it was received
#: (Unix milliseconds of this process). A plain tuple: the garbage collector untracks those, and there are many.
Version: TypeAlias = tuple[bytes, int, int]
_decode: Final = msgspec.msgpack.Decoder(MarketRecord).decode


class OfferedPeriod(NamedTuple):
    """The time at which a price was last on offer, in Unix milliseconds of the engine; `until_ms` is None if it still is."""

    v: int
    from_ms: int
    until_ms: int | None


class PriceHistory:
    """The recent prices of every selection.

    Args:
        keep_ms: how long a price is kept after it was replaced; 0 keeps none.
    """

    def __init__(self, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._versions: dict[MarketId, list[Version]] = {}
        self._recorded: list[tuple[Entry, int]] = []

    def use(self, keep_ms: int) -> None:
        """Keep prices for another time from now on."""
        self._keep_ms = keep_ms

    def record(self, entry: Entry, received_ms: int) -> None:
        """Record what an entry has changed. Only queues it: `process` does the work.

        Args:
            entry: the entry. Its own time is that of the engine, whose clock may be wrong or be set.
            received_ms: when it arrived, Unix milliseconds.
        """
        if self._keep_ms:
            self._recorded.append((entry, received_ms))

    def process(self) -> None:
        """Process recorded entries; call every few ms."""
        for entry, received_ms in self._recorded:
            self._process(entry, received_ms)
        self._recorded.clear()

    def _process(self, entry: Entry, received_ms: int) -> None:
        known = self._versions
        for removal in entry.removals:
            if removal.kind == "market":
                known.pop(MarketId(removal.id), None)
        keep = keep_versions_in_python if speedups.gateway_loops is None else speedups.gateway_loops.keep_versions
        keep(known, entry.markets, entry.records, entry.ts_ms, received_ms, received_ms - self._keep_ms)

    def clear(self) -> None:
        """Drop everything: the shards were loaded from a snapshot, and what was published before it is unknown."""
        self._versions.clear()
        self._recorded.clear()

    def was_on_offer(
        self, market: MarketId, selection: str, price: int, profile: int, v: int | None, now_ms: int
    ) -> OfferedPeriod | None:
        """Return when a price was last on offer within the time kept, or None if it was not.

        Args:
            market: the market.
            selection: one of its selections.
            price: decimal odds in thousandths.
            profile: the profile's index in `prices`.
            v: the market version that the price was shown with; None for any.
            now_ms: Unix milliseconds.
        """
        self.process()
        until_ms: int | None = None
        replaced_ms = now_ms
        for version, shown_from, offered, from_ms, received_ms in _changes_of(self._versions.get(market, []), selection, profile):
            if replaced_ms < now_ms - self._keep_ms:
                return None
            # The price at market version v is that of the selection's last version up to v.
            if offered == price and (v is None or shown_from <= v or until_ms is None):
                return OfferedPeriod(version, from_ms, until_ms)
            until_ms, replaced_ms = from_ms, received_ms
        return None


def keep_versions_in_python(
    known: dict[MarketId, list[Version]],
    ids: list[MarketId],
    records: list[bytes],
    published_ms: int,
    received_ms: int,
    oldest_ms: int,
) -> None:
    """Add a version to each market, and drop those that were replaced before a time."""
    for market, record in zip(ids, records, strict=True):
        versions = known.get(market)
        if versions is None:
            known[market] = [(record, published_ms, received_ms)]
            continue
        versions.append((record, published_ms, received_ms))
        while len(versions) > 1 and versions[1][2] < oldest_ms:
            del versions[0]


def _changes_of(versions: list[Version], selection: str, profile: int) -> Iterator[tuple[int, int, int | None, int, int]]:
    """Yield the versions in which a selection has changed, newest first: `v`, from which `v` on it was shown so, price, times.

    In the oldest version that is kept the selection may be as it was long before: which `v` that came with is not known any more.
    """
    changed: tuple[int, int, int | None, int, int] | None = None
    changed_at = -1
    for encoded, published_ms, received_ms in reversed(versions):
        try:
            record = _decode(encoded)
            found = record.selections.get(selection)
            price = None if found is None else found.prices[profile]
        except (*DECODING_ERRORS, IndexError):
            break
        if found is None:
            break
        if changed is not None and found.at != changed_at:
            yield changed
        changed, changed_at = (record.v, 0 if found.at < record.at else record.v, price, published_ms, received_ms), found.at
    if changed is not None:
        yield changed
