"""Every adapter reads everything that its provider's emulator sends, also the fields that it does not use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from feeds.emulators.core.market_model import MarketModel
from feeds.emulators.emulator import load_emulator
from feeds.feed import installed_feeds
from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from feeds.supervision.supervisor import Supervisor
from oddsengine.common.clock import wall_clock_ms
from oddsengine.sourcing.source_book import SourceBook
from tests.support.service import wait_until
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch

EVENTS = 4
TYPES = {
    "pinnacle": {"match_odds", "total", "asian_handicap", "home_total", "away_total"},
    "theoddsapi": {"match_odds", "total"},
    "opticodds": {"match_odds", "total", "asian_handicap", "both_to_score"},
    "oddsapiio": {"match_odds", "total", "asian_handicap", "both_to_score"},
}


class Books:
    def __init__(self) -> None:
        self.by_source: dict[str, SourceBook] = {}

    def receive(self, batch: UpdateBatch) -> None:
        book = self.by_source.setdefault(batch.source, SourceBook(batch.source))
        for update in batch.updates:
            book.apply(update, 0)

    def agrees(self, batch: UpdateBatch) -> bool:
        del batch
        return True


@pytest.mark.parametrize("provider", TYPES)
async def test_an_adapter_reads_all_that_its_emulator_sends(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, emulated = installed_feeds()[provider], load_emulator(provider)
    for name, value in emulated.secrets.items():
        monkeypatch.setenv(name, value)
    emulator: Any = emulated.build(MarketModel(1, EVENTS, wall_clock_ms()))
    await emulator.start()
    try:
        config = msgspec.convert(emulator.config(), plugin.config_type)
        books = Books()
        async with plugin.open("f", config) as feed:
            supervisor = Supervisor("f", feed, books, Supervision())
            async with in_background(supervisor.run()):
                await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live")
        assert 0 == supervisor.counters.rejected
        (book,) = books.by_source.values()
        definitions = [market.definition for market in book.markets.values() if market.definition is not None]
        assert TYPES[provider] == {definition.type for definition in definitions}
        assert EVENTS == len({definition.event for definition in definitions})
        assert any(event.in_play for event in book.events.values())
        assert not all(event.in_play for event in book.events.values())
    finally:
        await emulator.stop()
