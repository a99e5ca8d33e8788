"""What was on offer a moment ago: the last versions of each market, for bets that were placed on them with a delay."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from oddsengine.domain.ids import MarketId

if TYPE_CHECKING:
    from oddsengine.domain.changes import Batch


#: A version of a selection, when it was published (Unix milliseconds), and its prices. A plain tuple: the garbage collector
#: stops looking at those, and there are many.
Version: TypeAlias = tuple[int, int, tuple[int | None, ...]]


class WasOnOffer(NamedTuple):
    """When a price was on offer last: Unix milliseconds of the engine; `until_ms` None while it still is."""

    v: int
    from_ms: int
    until_ms: int | None


class PriceHistory:
    """The versions of the last while.

    Args:
        keep_ms: how long a version is kept after it was replaced; 0 keeps none.
    """

    def __init__(self, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._versions: dict[MarketId, dict[str, list[Version]]] = {}
        self._noted: list[Batch] = []

    def note(self, batch: Batch) -> None:
        """Take in what a batch has just changed; the work is done later, by `settle`."""
        if self._keep_ms:
            self._noted.append(batch)

    def settle(self) -> None:
        """Do what `note` left; call every few ms."""
        for batch in self._noted:
            self._take_in(batch)
        self._noted.clear()

    def _take_in(self, batch: Batch) -> None:
        now_ms = batch.ts_ms
        oldest_ms = now_ms - self._keep_ms
        for change in batch.markets:
            selections = self._versions.get(change.id)
            if selections is None:
                selections = self._versions[change.id] = {}
            for key, selection in change.selections.items():
                versions = selections.get(key)
                if versions is None:
                    selections[key] = [(change.v, now_ms, selection.prices)]
                    continue
                versions.append((change.v, now_ms, selection.prices))
                # What replaced the oldest was published so long ago that nobody may ask for the oldest any more.
                while versions[1][1] < oldest_ms:
                    del versions[0]
        for removal in batch.removals:
            if removal.what == "market":
                self._versions.pop(MarketId(removal.id), None)

    def forget(self) -> None:
        """Drop everything: what is on offer was loaded anew, and what was in between is not known."""
        self._versions.clear()
        self._noted.clear()

    def was_on_offer(
        self, market: MarketId, selection: str, price: int, profile: int, v: int | None, now_ms: int
    ) -> WasOnOffer | None:
        """Tell when a price was last on offer, within the time kept; None if it was not.

        Args:
            market: the market.
            selection: one of its selections.
            price: in thousandths.
            profile: the profile's place in `prices`.
            v: the version it came with, None for whichever.
            now_ms: Unix milliseconds.
        """
        self.settle()
        until_ms: int | None = None
        for version, from_ms, prices in reversed(self._versions.get(market, {}).get(selection, ())):
            if until_ms is not None and until_ms < now_ms - self._keep_ms:
                return None
            # What was quoted at v is what the last version up to v said.
            if prices[profile] == price and (v is None or version <= v or until_ms is None):
                return WasOnOffer(version, from_ms, until_ms)
            until_ms = from_ms
        return None
