"""Markets that no source quotes any more: they are published as they were last defined, until one does again.

What a source says just before it withdraws a market counts like what it said a flush earlier: a result that it takes back is not
left to stand because nobody looked in between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from oddsengine.domain.feed_updates import MarketDefinition, SelectionDefinition
from oddsengine.domain.ids import SelectionKey
from oddsengine.domain.results import TAKEN_BACK
from oddsengine.sourcing.final_results import RESULTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from oddsengine.commands.ruling import Ruling
    from oddsengine.domain.changes import MarketRecord, SelectionRecord
    from oddsengine.domain.ids import MarketId
    from oddsengine.domain.taxonomy import SelectionStatus
    from oddsengine.engine.commanded_markets import CommandedMarkets
    from oddsengine.engine.sources.market_sources import MarketSources
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.pricing.pricer import Pricer

#: The status of a selection that was taken for resulted.
_UNDECIDED: Final[SelectionStatus] = "suspended"


class WithdrawnMarkets:
    """Keeps the last definition of each market on offer that a source withdraws.

    Args:
        sources: chooses among the sources of a market.
        offers: what is published, by shard.
        shard_of_market: returns the shard of a market.
    """

    def __init__(self, sources: MarketSources, offers: Sequence[OwnedOffer], shard_of_market: Callable[[MarketId], int]) -> None:
        self._sources = sources
        self._offers = offers
        self._shard_of_market = shard_of_market
        #: by market; those that are quoted again are dropped when they are priced
        self.definitions: dict[MarketId, MarketDefinition] = {}

    def note(self, market: MarketId, now_ms: int) -> None:
        """Keep the definition that a market on offer is published by, before a source withdraws it."""
        if self._published(market) is not None:
            definition = self._sources.definition_of(market, now_ms)
            if definition is not None:
                self.definitions[market] = definition

    def retract(self, market: MarketId) -> None:
        """Keep a market without its results: the source that it has them from does not quote it, as it turns out."""
        record = self._published(market)
        if record is not None:
            self.definitions[market] = _definition_of(record, has_results=False)

    def forget(self, market: MarketId) -> None:
        """Drop what is kept of a market that is quoted again, or gone."""
        self.definitions.pop(market, None)

    def _published(self, market: MarketId) -> MarketRecord | None:
        return self._offers[self._shard_of_market(market)].markets.get(market)

    def stage(
        self, market: MarketId, offer: OwnedOffer, commands: CommandedMarkets, pricer: Pricer, now_ms: int
    ) -> set[MarketId]:
        """Stage a market that no source quotes, with what is commanded of it. Return the others to be priced because of it."""
        record = offer.markets.get(market)
        definition = self.definitions.get(market)
        ruling: Ruling | None = None
        if record is not None and commands.is_active:
            ruling = commands.rule(definition or _definition_of(record), offer, now_ms, pricer)
            if ruling is not None and definition is None:
                # The last owner published it. Results that are commanded leave with the command.
                definition = self.definitions[market] = _definition_of(record, has_results=ruling.results is None)
        reason = commands.reason_without_source(market, now_ms)
        if record is None or definition is None:
            offer.suspend(market, reason)
        else:
            withdrawn = pricer.suspended(definition, reason)
            offer.stage_market(withdrawn if ruling is None else ruling.applied(withdrawn))
        return pricer.withdraw(market)


def _definition_of(record: MarketRecord, *, has_results: bool = True) -> MarketDefinition:
    """Return the definition by which a market would be published as it is, with or without its results."""
    identity, state = record.identity, record.state
    return MarketDefinition(
        id=record.id,
        event=identity.event,
        type=identity.type,
        period=identity.period,
        line=identity.line,
        winners=identity.winners,
        status="closed" if has_results and state.status == "closed" else "suspended",
        selections=tuple(_selection_of(key, each, has_results=has_results) for key, each in record.selections.items()),
        in_play=state.in_play,
        name=identity.name,
        unit=identity.unit,
    )


def _selection_of(key: str, record: SelectionRecord, *, has_results: bool) -> SelectionDefinition:
    status = _UNDECIDED if record.status in RESULTED and not has_results else record.status
    result = None if record.result == TAKEN_BACK or not has_results else record.result
    return SelectionDefinition(key, SelectionKey(key), record.name, status, result=result)
