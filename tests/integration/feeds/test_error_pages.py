"""Responses that are no answer, as error pages with 200: every feed waits, says why it is not live, and keeps no key."""

from __future__ import annotations

import asyncio

import pytest

from feeds.supervision.settings import Supervision
from feeds.supervision.states import FeedState
from tests.support.providers.emulated import emulated_feed
from tests.support.service import wait_until

WAITS = Supervision(backoff_start_s=0.5, backoff_ceiling_s=4.0, recovery_timeout_s=60.0, max_response_mb=1.0)
WATCHED_S = 1.6
#: Without waits there are hundreds; a feed that draws short waits makes some.
MAX_REQUESTS = 20
REASONS = {"page": "<html>", "http_429_date": "HTTP 429", "oversized": "the response has over 1000000 bytes"}


@pytest.mark.parametrize("provider", ["pinnacle", "theoddsapi", "opticodds", "oddsapiio"])
@pytest.mark.parametrize("fault", REASONS)
async def test_a_feed_waits_after_a_page_and_says_why(provider: str, fault: str) -> None:
    async with emulated_feed(provider, WAITS, fault=fault) as (emulator, feed, supervisor):
        await wait_until(lambda: REASONS[fault] in supervisor.reason, "the reason")
        await asyncio.sleep(WATCHED_S)
        assert emulator.requests < MAX_REQUESTS
        assert supervisor.state is not FeedState.LIVE
        assert REASONS[fault] in supervisor.reason
        assert (fault == "oversized") == (feed.http is not None and feed.http.oversized > 0)
        assert "emulated" not in supervisor.reason
        emulator.inject_fault(fault, 0.0)
        await wait_until(lambda: supervisor.state is FeedState.LIVE, "the feed is live again")
