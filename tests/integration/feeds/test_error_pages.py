"""Responses that are no answer, as error pages with 200: every feed waits, says why it is not live, and keeps no key."""

from __future__ import annotations

import asyncio
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
from tests.support.service import wait_until
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch

WAITS = Supervision(backoff_start_s=0.5, backoff_ceiling_s=4.0, recovery_timeout_s=60.0, max_response_mb=1.0)
WATCHED_S = 2.0
#: Without waits there are hundreds; a feed that draws short waits makes some.
MAX_REQUESTS = 20
REASONS = {"page": "<html>", "http_429_date": "HTTP 429", "oversized": "the response has over 1000000 bytes"}


class Nowhere:
    def receive(self, batch: UpdateBatch) -> None:
        pass

    def agrees(self, batch: UpdateBatch) -> bool:
        del batch
        return True


@pytest.mark.parametrize("provider", ["pinnacle", "theoddsapi", "opticodds", "oddsapiio"])
@pytest.mark.parametrize("fault", REASONS)
async def test_a_feed_waits_after_a_page_and_says_why(provider: str, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin, emulated = installed_feeds()[provider], load_emulator(provider)
    for name, value in emulated.secrets.items():
        monkeypatch.setenv(name, value)
    emulator: Any = emulated.build(MarketModel(1, 4, wall_clock_ms()))
    await emulator.start()
    try:
        emulator.inject_fault(fault, WATCHED_S)
        config = msgspec.convert(emulator.config(), plugin.config_type)
        async with plugin.open("f", config) as feed:
            supervisor = Supervisor("f", feed, Nowhere(), WAITS)
            async with in_background(supervisor.run()):
                await asyncio.sleep(WATCHED_S * 0.8)
                assert 1 <= emulator.requests < MAX_REQUESTS
                assert supervisor.state is not FeedState.LIVE
                assert REASONS[fault] in supervisor.reason
                assert (fault == "oversized") == (feed.http is not None and feed.http.oversized > 0)
                assert "emulated" not in supervisor.reason
                await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live again")
    finally:
        await emulator.stop()
