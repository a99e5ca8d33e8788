"""Which sources quote which market, and under which ids of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from oddsengine.domain.ids import MarketId


class MarketDirectory:
    """Maps the sources' own market ids to markets, and back.

    A source may have several ids for one market, as when it replaces one by another. The last one assigned quotes it; once that
    is withdrawn, the next one that is updated.

    Args:
        sources: source names.

    Attributes:
        unquoted: the sources and markets of which an id is withdrawn while others may be left.
    """

    def __init__(self, sources: Iterable[str]) -> None:
        self._markets: dict[str, dict[str, MarketId]] = {source: {} for source in sources}
        self._sources: dict[MarketId, dict[str, str]] = {}
        #: the ids that are left of the markets that a source has had several for
        self._several: dict[tuple[str, MarketId], set[str]] = {}
        self.unquoted: set[tuple[str, MarketId]] = set()

    def use_sources(self, sources: Iterable[str]) -> None:
        """Take over other sources. Those that are gone quote nothing any more."""
        self._markets = {source: self._markets.get(source, {}) for source in sources}

    def markets_of(self, source: str) -> Mapping[str, MarketId]:
        """Return a view of the markets that a source quotes, by its own ids."""
        return self._markets[source]

    def sources_of(self, market: MarketId) -> Mapping[str, str]:
        """Return the sources that quote a market, with their own ids for it."""
        return self._sources.get(market, {})

    def assign(self, source: str, source_id: str, market: MarketId) -> MarketId | None:
        """Assign a source's id to a market. Return the market it was assigned to before, if that was another one."""
        markets = self._markets[source]
        before = markets.get(source_id)
        sources = self._sources.setdefault(market, {})
        current = sources.get(source, source_id)
        if current != source_id:
            self._several.setdefault((source, market), set()).update((current, source_id))
        self.unquoted.discard((source, market))
        if before == market:
            sources.setdefault(source, source_id)
            return None
        if before is not None:
            self._remove_quote(source, source_id, before)
        markets[source_id] = market
        sources[source] = source_id
        return before

    def remove(self, source: str, source_id: str) -> MarketId | None:
        """Remove a market that its source has withdrawn. Return the market, None if the id is unknown."""
        market = self._markets[source].pop(source_id, None)
        if market is not None:
            self._remove_quote(source, source_id, market)
        return market

    def restore(self, source: str, source_id: str) -> None:
        """Restore a market by an updated id where another one that quoted it is withdrawn."""
        market = self._markets[source].get(source_id)
        if market is not None and (source, market) in self.unquoted:
            self.unquoted.discard((source, market))
            self._sources.setdefault(market, {}).setdefault(source, source_id)

    def _remove_quote(self, source: str, source_id: str, market: MarketId) -> None:
        sources = self._sources.get(market)
        if sources is not None and sources.get(source) == source_id:
            del sources[source]
        ids = self._several.get((source, market))
        if ids is None:
            return
        ids.discard(source_id)
        if not ids:
            del self._several[source, market]
            self.unquoted.discard((source, market))
        elif sources is not None and source not in sources:
            self.unquoted.add((source, market))

    def forget(self, market: MarketId) -> None:
        """Drop a market at all its sources."""
        for source, source_id in self._sources.pop(market, {}).items():
            self._markets[source].pop(source_id, None)
        for source in self._markets if self._several else ():
            self._several.pop((source, market), None)
            self.unquoted.discard((source, market))
