"""The prices of the last seconds, to check bets that were placed on a price that has changed since."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from oddsengine.domain.changes import Batch


#: A version of a selection, when it was published (Unix milliseconds of the engine), its prices, and when it was received (Unix
#: milliseconds of this process). A plain tuple: the garbage collector untracks those, and there are many.
Version: TypeAlias = tuple[int, int, tuple[int | None, ...], int]


class OfferedPeriod(NamedTuple):
    """When a price was last on offer, in Unix milliseconds of the engine; `until_ms` is None if it still is."""

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
        self._versions: dict[MarketId, dict[str, list[Version]]] = {}
        self._recorded: list[tuple[Batch, int]] = []

    def use(self, keep_ms: int) -> None:
        """Keep prices for another time from now on."""
        self._keep_ms = keep_ms

    def record(self, batch: Batch, received_ms: int) -> None:
        """Record what a batch has changed. Only queues it: `process` does the work.

        Args:
            batch: the batch. Its own time is that of the engine, whose clock may be wrong or be set.
            received_ms: when it arrived, Unix milliseconds.
        """
        if self._keep_ms:
            self._recorded.append((batch, received_ms))

    def process(self) -> None:
        """Process recorded batches; call every few ms."""
        for batch, received_ms in self._recorded:
            self._process(batch, received_ms)
        self._recorded.clear()

    def _process(self, batch: Batch, received_ms: int) -> None:
        published_ms = batch.ts_ms
        oldest_ms = received_ms - self._keep_ms
        for change in batch.markets:
            selections = self._versions.get(change.id)
            if selections is None:
                selections = self._versions[change.id] = {}
            for key, selection in change.selections.items():
                versions = selections.get(key)
                if versions is None:
                    selections[key] = [(change.v, published_ms, selection.prices, received_ms)]
                    continue
                versions.append((change.v, published_ms, selection.prices, received_ms))
                # The oldest was replaced longer ago than prices are kept.
                while versions[1][3] < oldest_ms:
                    del versions[0]
        for removal in batch.removals:
            if removal.what == "market":
                self._versions.pop(MarketId(removal.id), None)

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
        for version, from_ms, prices, received_ms in reversed(self._versions.get(market, {}).get(selection, ())):
            if replaced_ms < now_ms - self._keep_ms:
                return None
            # The price at market version v is that of the selection's last version up to v.
            if prices[profile] == price and (v is None or version <= v or until_ms is None):
                return OfferedPeriod(version, from_ms, until_ms)
            until_ms, replaced_ms = from_ms, received_ms
        return None
