"""Make a pipeline forget what it keeps from one flush to the next, and compare what pipelines offer."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from oddsengine.domain.changes import MarketTerms
from oddsengine.domain.results import TAKEN_BACK
from oddsengine.engine.ended_events import WITHDRAWN

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from oddsengine.domain.changes import MarketRecord
    from oddsengine.domain.ids import MarketId
    from oddsengine.engine.pipeline import Pipeline
    from oddsengine.offer.owned_offer import OwnedOffer
    from oddsengine.pricing.pricer import Pricer

#: By how much fair probabilities may differ, in millionths: those that move less are not published.
_FAIR_MOVE = 10_100


def skip_nothing(pipeline: Pipeline) -> None:
    """Make the next flush price what is dirty, whatever it follows from, and form every opinion again."""
    pipeline._dirty.chosen.clear()
    pipeline._consensus_markets._opinions.clear()
    for book in pipeline.pricer._books.values():
        book._moves = -1
        for group in (each for groups in book.groups.values() for each in groups):
            group._best_offers = [None] * len(group._best_offers)
            incremental = group.incremental
            size, count = incremental._size, len(incremental._independent)
            incremental._range_lows, incremental._range_highs = [inf] * size, [-inf] * size
            incremental._floors = [inf] * size
            incremental._own_floors = [[inf] * count for _ in range(size)]


def rebuild(pipeline: Pipeline, pricer: Pricer) -> None:
    """Make the next flush describe all events and price all markets, as a new pipeline with these sources would."""
    pipeline._consensus_markets.__init__()  # type: ignore[misc] # in place: others hold it
    pipeline._dirty.chosen.clear()
    pipeline.adopt(pricer)
    # Whether `adopt` does that too is a question.
    pipeline._sources.use(pricer)
    for book in pipeline.books.values():
        for event in book.events:
            pipeline.mark_event(event)


def on_offer(here: OwnedOffer, there: OwnedOffer, besides: AbstractSet[MarketId] = frozenset()) -> list[Any]:
    """Return what differs between two offers, but for what follows from when it was published, and some markets."""
    found: list[Any] = []
    for market in sorted({*here.markets, *there.markets} - besides):
        one, other = here.markets.get(market), there.markets.get(market)
        if (one is None or other is None) and WITHDRAWN in {each.state.reason for each in (one, other) if each is not None}:
            # It was withdrawn before a flush of one of them came to it.
            continue
        if one is None or other is None or _bettable(one) != _bettable(other) or _differ(one, other):
            found.append((market, one and _bettable(one), other and _bettable(other)))
    for event in sorted({*here.events, *there.events}):
        first, second = here.events.get(event), there.events.get(event)
        if first is None or second is None or first.record.progress != second.record.progress:
            found.append((event, first, second))
    return found


def _bettable(record: MarketRecord) -> Any:
    selections = {
        # One that was published is taken back in so many words.
        key: (
            each.name,
            each.order,
            each.status,
            each.prices,
            None if each.result == TAKEN_BACK else each.result,
            each.fair is None,
        )
        for key, each in record.selections.items()
    }
    state = record.state
    # A suspended market keeps the terms that it had, and one that had some has to be published without.
    terms = state.terms if state.status == "open" and any(each != MarketTerms() for each in state.terms) else ()
    return record.identity, state.status, state.reason, state.in_play, terms, selections


def _differ(one: MarketRecord, other: MarketRecord) -> bool:
    """Check whether fair probabilities do, by more than what is not published."""
    return any(abs((each.fair or 0) - (other.selections[key].fair or 0)) > _FAIR_MOVE for key, each in one.selections.items())
