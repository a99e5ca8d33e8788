"""What was on offer a moment ago: the last versions of each market, for bets that were placed on them with a delay."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from oddsengine.books.changes import Batch
    from oddsengine.markets.ids import MarketId


#: A market's version, when it was published (Unix milliseconds), and the selections whose prices it changed. Plain tuples:
#: the garbage collector stops looking at those, and there are many.
Version: TypeAlias = tuple[int, int, tuple[tuple[str, tuple[int | None, ...]], ...]]


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

    #: Versions kept however old: one may be the last word on a selection that hardly moves.
    _KEPT_ALWAYS: ClassVar = 4

    def __init__(self, keep_ms: int) -> None:
        self._keep_ms = keep_ms
        self._versions: dict[MarketId, deque[Version]] = {}

    def note(self, batch: Batch) -> None:
        """Take in what a batch has just changed."""
        if not self._keep_ms:
            return
        now_ms = batch.ts_ms
        for change in batch.markets:
            if not change.selections:
                continue
            versions = self._versions.get(change.id)
            if versions is None:
                versions = self._versions[change.id] = deque()
            prices = tuple([(key, selection.prices) for key, selection in change.selections.items()])
            versions.append((change.v, now_ms, prices))
            # What replaced the oldest was published so long ago that nobody may ask for the oldest any more.
            while len(versions) > self._KEPT_ALWAYS and versions[self._KEPT_ALWAYS][1] < now_ms - self._keep_ms:
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
        for version, from_ms, changed in reversed(self._versions.get(market, ())):
            if until_ms is not None and until_ms < now_ms - self._keep_ms:
                return None
            for key, prices in changed:
                if key == selection:
                    # What was quoted at v is what the last version up to v said of this selection.
                    if prices[profile] == price and (v is None or version <= v or until_ms is None):
                        return WasOnOffer(version, from_ms, until_ms)
                    until_ms = from_ms
        return None
