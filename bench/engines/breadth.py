"""Messages per second where ten sources price a market together, and where there are 50,000 markets.

Everything is flushed, committed and encoded after each message. Of ten bookmakers each message changes the quotes of one, and
the prices are those of all; the reference is the same messages of one bookmaker alone. Of many markets each message is of another
one, as far apart in memory as they can be; the reference is as many messages of 100 markets.
"""

from __future__ import annotations

import time
from itertools import cycle, islice
from typing import TYPE_CHECKING, Final

from bench.reporting.row import Row, compared
from oddsengine.domain.feed_updates import BookChange, EventUpdate, MarketUpdate, SourceStatus, UpdateBatch
from oddsengine.engine.pipeline import Pipeline
from oddsengine.pricing.pricer import Pricer
from oddsengine.pricing.profiles.profile import Profile
from oddsengine.sourcing.sourcing_rule import SourcingRule
from oddsengine.streams.publisher import prepare
from tests.support.builders import a_definition, an_event

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_KEYS: Final = ("home", "draw", "away")
#: Markets of an event.
_EACH: Final = 5
_SOURCES: Final = 10
_FEW: Final = 100
MANY: Final = 50_000
_MESSAGES: Final = 5_000
_CONSENSUS_GOAL: Final = 0.25
_MANY_MARKETS_GOAL: Final = 0.75


class _Engine:
    """A pipeline with the markets of many events, each quoted by all of its sources.

    Args:
        sources: how many bookmakers there are, all of one feed.
        markets: how many markets.
    """

    def __init__(self, sources: int, markets: int) -> None:
        self._sources = [f"books.{number}" for number in range(sources)]
        rules = [SourcingRule(mode="consensus")] if sources > 1 else []
        self._pipeline = Pipeline(Pricer({"default": Profile(book_sum=1.05)}), self._sources, sourcing=rules)
        self._markets = [f"e{number // _EACH}/match_odds/{number % _EACH}" for number in range(markets)]
        for source in self._sources:
            self._receive(source, SourceStatus("live", "bench"))
            for number, market in enumerate(self._markets):
                if not number % _EACH:
                    self._receive(source, EventUpdate(an_event(f"e{number // _EACH}")))
                self._receive(source, MarketUpdate(market, True, a_definition(market, _KEYS), _quotes(number)))
        self._publish()
        opened = sum(each.state.status == "open" for each in self._pipeline.offers[0].markets.values())
        if opened < markets:
            raise RuntimeError(f"only {opened} of {markets} markets are open")
        #: coprime with the number of markets, so that all have their turn, in an order that no cache likes
        self._turns = cycle([number * 7_919 % markets for number in range(markets)])

    def messages_per_s(self) -> float:
        """Return how many messages a second are received and published, each by itself."""
        batches = list(islice(self._moves(), _MESSAGES))
        began_s = time.perf_counter()
        for batch in batches:
            self._pipeline.receive(batch, 0)
            self._publish()
        return len(batches) / (time.perf_counter() - began_s)

    def _moves(self) -> Iterator[UpdateBatch]:
        for number, (turn, source) in enumerate(zip(self._turns, cycle(self._sources), strict=False)):
            yield UpdateBatch(source, number, [MarketUpdate(self._markets[turn], books=_quotes(number))])

    def _receive(self, source: str, update: EventUpdate | MarketUpdate | SourceStatus) -> None:
        self._pipeline.receive(UpdateBatch(source, 0, [update]), 0)

    def _publish(self) -> None:
        offer = self._pipeline.offers[0]
        self._pipeline.flush(0, 0)
        batch = offer.commit(0)
        if batch is not None:
            prepare(offer, batch)


def _quotes(number: int) -> list[BookChange]:
    quotes = (2.0 + number % 7 / 50, 3.4 + number % 5 / 50, 3.9 + number % 3 / 50)
    return [BookChange(f"s-{key}", quote=round(quote, 2)) for key, quote in zip(_KEYS, quotes, strict=True)]


def run(rounds: int, markets: int = MANY) -> list[Row]:
    """Measure both. Return a row for each, and for what it is compared with.

    Args:
        rounds: how often; the best round of each counts.
        markets: how many markets many are.
    """
    return [
        *_compare("consensus of 10 sources", (_SOURCES, _FEW), "one source", rounds, _CONSENSUS_GOAL),
        *_compare(f"{markets:,} markets", (1, markets), f"{_FEW} markets", rounds, _MANY_MARKETS_GOAL),
    ]


def _compare(metric: str, size: tuple[int, int], reference: str, rounds: int, goal: float) -> Sequence[Row]:
    engine, other = _Engine(*size), _Engine(1, _FEW)
    values = [(engine.messages_per_s(), other.messages_per_s()) for _ in range(rounds)]
    value, reference_value = max(each for each, _ in values), max(each for _, each in values)
    row = Row(scenario="pipeline", metric=metric, value=value, unit="messages/s", reference=reference, goal=goal)
    return [
        Row(scenario="pipeline", metric=reference, value=reference_value, unit="messages/s"),
        compared(row, reference_value),
    ]
