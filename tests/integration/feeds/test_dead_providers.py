"""Providers that are polled and answer no more: whatever prices may age to, they are not trusted for long."""

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
from tests.support.service import wait_until
from tests.support.tasks import in_background

if TYPE_CHECKING:
    from oddsengine.domain.feed_updates import UpdateBatch

#: Nothing else ends the trust: no age of prices, and no markets that do not move.
LIMITS = Supervision(lag_limit_s=0.3, quiet_in_play_s=0.0, backoff_start_s=0.01, backoff_ceiling_s=0.05, breaker_failures=1000)
FAILS_FOR_S = 3.0


class Nowhere:
    def receive(self, batch: UpdateBatch) -> None:
        pass

    def agrees(self, batch: UpdateBatch) -> bool:
        del batch
        return True


@pytest.mark.parametrize("fault", ["drop", "http_500", "page"])
async def test_a_feed_of_which_all_requests_fail_is_stale_after_a_few_intervals(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin, emulated = installed_feeds()["pinnacle"], load_emulator("pinnacle")
    for name, value in emulated.secrets.items():
        monkeypatch.setenv(name, value)
    emulator: Any = emulated.build(MarketModel(1, 4, wall_clock_ms()))
    await emulator.start()
    try:
        config: Any = msgspec.convert(emulator.config() | {"interval_s": 0.1, "max_age_s": 300.0}, plugin.config_type)
        async with plugin.open("f", config) as feed:
            supervisor = Supervisor("f", feed, Nowhere(), LIMITS)
            async with in_background(supervisor.run()):
                await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live")
                emulator.inject_fault(fault, FAILS_FOR_S)
                await wait_until(lambda: supervisor.state is not FeedState.LIVE, "it is not trusted any more")
                reasons = [change.reason for change in supervisor.status.changes if change.state is FeedState.STALE]
                assert ["no successful response for 0.3 s; the last request failed"] == [
                    each.partition(": ")[0] for each in reasons
                ]
                await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live again")
    finally:
        await emulator.stop()
