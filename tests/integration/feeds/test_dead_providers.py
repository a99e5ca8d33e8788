"""Providers that are polled and answer no more: whatever prices may age to, they are not trusted for long."""

from __future__ import annotations

import pytest

from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from tests.support.providers.emulated import emulated_feed
from tests.support.service import wait_until

#: Nothing else ends the trust: no age of prices, and no markets that do not move.
LIMITS = Supervision(lag_limit_s=0.3, quiet_in_play_s=0.0, backoff_start_s=0.01, backoff_ceiling_s=0.05, breaker_failures=1000)


@pytest.mark.parametrize("fault", ["drop", "http_500", "page"])
async def test_a_feed_of_which_all_requests_fail_is_stale_after_a_few_intervals(fault: str) -> None:
    async with emulated_feed("pinnacle", LIMITS, interval_s=0.1, max_age_s=300.0) as (emulator, _, supervisor):
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live")
        emulator.inject_fault(fault, 3600.0)
        await wait_until(lambda: supervisor.state is not FeedState.LIVE, "it is not trusted any more")
        reasons = [change.reason for change in supervisor.status.changes if change.state is FeedState.STALE]
        assert ["no successful response for 0.3 s; the last request failed"] == [each.partition(": ")[0] for each in reasons]
        emulator.inject_fault(fault, 0.0)
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live again")
