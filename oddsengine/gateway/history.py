"""What was on offer a moment ago: the last versions of each market, for bets that were placed on them with a delay."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from oddsengine.books.changes import Batch, MarketRecord
    from oddsengine.markets.ids import MarketId


class Version(NamedTuple):
    """A market's prices as of one version; each selection's has one entry a profile, thousandths."""

    v: int
    from_ms: int
    prices: dict[str, tuple[int | None, ...]]


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
        self._versions: dict[MarketId, deque[Version]] = {}

    def note(self, batch: Batch, markets: Mapping[MarketId, MarketRecord]) -> None:
        """Take in what a batch has just changed.

        Args:
            batch: the batch, which has been applied.
            markets: the markets as they now stand.
        """
        if not self._keep_ms:
            return
        for change in batch.markets:
            record = markets.get(change.id)
            if record is None:
                continue
            versions = self._versions.setdefault(change.id, deque())
            prices = {key: selection.prices for key, selection in record.selections.items()}
            versions.append(Version(change.v, batch.ts_ms, prices))
            # The second oldest is when the oldest ended.
            while len(versions) > 1 and versions[1].from_ms < batch.ts_ms - self._keep_ms:
                versions.popleft()
        for removal in batch.removals:
            self._versions.pop(removal.id, None)  # type: ignore[call-overload]

    def forget(self) -> None:
        """Drop everything: what is on offer was loaded anew, and what was in between is not known."""
        self._versions.clear()

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
        until_ms: int | None = None
        for version in reversed(self._versions.get(market, ())):
            if until_ms is not None and until_ms < now_ms - self._keep_ms:
                return None
            prices = version.prices.get(selection)
            # A version may say nothing new of this selection: what was quoted at v holds for every later one alike.
            if prices is not None and prices[profile] == price and (v is None or version.v <= v or until_ms is None):
                return WasOnOffer(version.v, version.from_ms, until_ms)
            until_ms = version.from_ms
        return None
