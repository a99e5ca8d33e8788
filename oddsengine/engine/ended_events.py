"""Which events have had no market to bet on for so long that they leave the offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.commands.command import TRADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.ids import EventId, MarketId
    from oddsengine.offer.change_index import EventEntry
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.sourcing.source_book import SourceBook, SourceMarket

#: Why a market is suspended after a change of owner, until its sources have confirmed it.
RECOVERING: Final = "recovering"
#: Why a market is suspended whose engine has stopped, until another one takes over.
STOPPED: Final = "engine_stopped"
#: Why a market is suspended that no source offers any more.
WITHDRAWN: Final = "withdrawn"
#: How much longer an ended event is kept while a source still offers it.
_MAX_KEEP_FOR_SOURCES_MS: Final = 24 * 3600 * 1000


class EndedEvents:
    """Keeps when each event was first seen without a market to bet on.

    Args:
        quoting: returns the sources that quote a market, with their books of it.
    """

    def __init__(self, quoting: Callable[[MarketId], Iterable[tuple[SourceBook, SourceMarket]]]) -> None:
        self._quoting = quoting
        #: Unix milliseconds
        self._since: dict[EventId, int] = {}

    def due(self, offer: OwnedOffer, now_ms: int, keep_ms: int) -> Iterator[EventId]:
        """Yield the events to remove from an offer.

        One that was closed stays up to a day longer while some source still offers it: without what is known of it, that
        source would open it again.

        Args:
            offer: the offer.
            now_ms: Unix milliseconds.
            keep_ms: how long an event without a market to bet on stays on offer, in milliseconds.
        """
        for event, entry in list(offer.events.items()):
            if self._has_market(entry):
                self._since.pop(event, None)
                continue
            dead_ms = now_ms - self._since.setdefault(event, now_ms)
            if dead_ms >= keep_ms + _MAX_KEEP_FOR_SOURCES_MS or (dead_ms >= keep_ms and not self._is_still_offered(entry)):
                yield event

    def forget(self, event: EventId) -> None:
        """Drop an event that is gone."""
        self._since.pop(event, None)

    def _has_market(self, entry: EventEntry[MarketRecord]) -> bool:
        # Most have, and at once: no generator for each of them.
        for market in entry.markets.values():  # noqa: SIM110
            if not self._is_dead(market):
                return True
        return False

    def _is_still_offered(self, entry: EventEntry[MarketRecord]) -> bool:
        return any(
            held.definition is not None and held.definition.status != "closed"
            for market, record in entry.markets.items()
            if record.state.status == "closed"
            for _, held in self._quoting(market)
        )

    def _is_dead(self, market: MarketRecord) -> bool:
        if market.state.status == "closed" or market.state.reason in {WITHDRAWN, RECOVERING}:
            return True
        return market.state.reason == TRADER and not any(self._quoting(market.id))
