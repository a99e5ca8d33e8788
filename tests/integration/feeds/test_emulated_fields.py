"""Every adapter reads everything that its provider's emulator sends, also the fields that it does not use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from oddsengine.sourcing.source_book import SourceBook
from tests.support.providers.emulated import EVENTS, NullSink, emulated_feed
from tests.support.service import wait_until

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch

TYPES = {
    "pinnacle": {"match_odds", "total", "asian_handicap", "home_total", "away_total"},
    "theoddsapi": {"match_odds", "total"},
    "opticodds": {"match_odds", "total", "asian_handicap", "both_to_score"},
    "oddsapiio": {"match_odds", "total", "asian_handicap", "both_to_score"},
}


class Books(NullSink):
    def __init__(self) -> None:
        self.by_source: dict[str, SourceBook] = {}

    def receive(self, batch: UpdateBatch) -> None:
        book = self.by_source.setdefault(batch.source, SourceBook(batch.source))
        for update in batch.updates:
            book.apply(update, 0)


@pytest.mark.parametrize("provider", TYPES)
async def test_an_adapter_reads_all_that_its_emulator_sends(provider: str) -> None:
    books = Books()
    async with emulated_feed(provider, Supervision(), books) as (_, _, supervisor):
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live")
    assert 0 == supervisor.counters.rejected
    (book,) = books.by_source.values()
    definitions = [market.definition for market in book.markets.values() if market.definition is not None]
    assert TYPES[provider] == {definition.type for definition in definitions}
    assert EVENTS == len({definition.event for definition in definitions})
    assert any(event.in_play for event in book.events.values())
    assert not all(event.in_play for event in book.events.values())
