"""The watchdog distinguishes a quiet market from a frozen feed."""

from __future__ import annotations

from math import inf

import pytest

from feeds.supervision.watchdog import Watchdog
from oddsengine.domain.feed_updates import MarketGone, MarketUpdate
from tests.support.builders import a_batch, a_definition


def a_watchdog(*, can_verify: bool = True, quiet_in_play_s: float = 10.0, quiet_s: float = 0.0) -> Watchdog:
    return Watchdog(quiet_in_play_s, quiet_s, can_verify=can_verify, now_s=0.0)


def in_play(status: str = "open") -> MarketUpdate:
    return MarketUpdate("1.1", definition=a_definition(status=status, in_play=True))


def test_a_feed_that_sends_nothing_is_silent() -> None:
    watchdog = a_watchdog()
    watchdog.data_received(5.0)
    assert "ok" == watchdog.verdict(7.0, 2.0)
    assert "silent" == watchdog.verdict(7.1, 2.0)


def test_no_change_is_expected_while_no_market_is_in_play() -> None:
    watchdog = a_watchdog()
    watchdog.observe(a_batch(MarketUpdate("1.1", definition=a_definition())), 1.0)
    watchdog.data_received(1000.0)
    assert inf == watchdog.quiet_limit_s
    assert "ok" == watchdog.verdict(1000.0, 5.0)


def test_a_snapshot_is_requested_at_half_of_the_limit_and_without_it_the_feed_is_frozen() -> None:
    watchdog = a_watchdog()
    watchdog.observe(a_batch(in_play()), 0.0)
    for now_s, verdict in ((5.0, "ok"), (5.1, "verify")):
        watchdog.data_received(now_s)
        assert verdict == watchdog.verdict(now_s, 2.0)
    watchdog.snapshot_requested(5.1)
    watchdog.data_received(10.1)
    assert "frozen" == watchdog.verdict(10.1, 2.0)


def test_a_feed_that_can_not_be_verified_is_frozen_at_the_limit() -> None:
    watchdog = a_watchdog(can_verify=False)
    watchdog.observe(a_batch(in_play()), 0.0)
    watchdog.data_received(10.1)
    assert "ok" == watchdog.verdict(10.0, 20.0)
    assert "frozen" == watchdog.verdict(10.1, 20.0)


def test_a_snapshot_that_agrees_makes_the_market_quiet() -> None:
    watchdog = a_watchdog()
    watchdog.observe(a_batch(in_play()), 0.0)
    watchdog.snapshot_requested(5.1)
    watchdog.snapshot_received(6.0, agrees=True, is_last=True)
    watchdog.data_received(11.0)
    assert "ok" == watchdog.verdict(11.0, 2.0)
    watchdog.data_received(11.1)
    assert "verify" == watchdog.verdict(11.1, 2.0), "it is requested again"


@pytest.mark.parametrize(("stream_follows", "verdict"), [(False, "contradicted"), (True, "ok")])
def test_a_snapshot_that_disagrees_is_a_contradiction_unless_the_stream_follows(*, stream_follows: bool, verdict: str) -> None:
    watchdog = a_watchdog()
    watchdog.observe(a_batch(in_play()), 0.0)
    watchdog.snapshot_requested(5.1)
    watchdog.snapshot_received(5.2, agrees=False, is_last=False)
    watchdog.snapshot_received(5.3, agrees=True, is_last=True)
    if stream_follows:
        watchdog.observe(a_batch(MarketUpdate("1.1")), 5.4)
    watchdog.data_received(7.3)
    assert verdict == watchdog.verdict(7.3, 5.0)


def test_a_snapshot_that_was_not_requested_contradicts_nothing() -> None:
    watchdog = a_watchdog()
    watchdog.observe(a_batch(in_play()), 0.0)
    watchdog.snapshot_received(1.0, agrees=False, is_last=True)
    watchdog.data_received(4.0)
    assert "ok" == watchdog.verdict(4.0, 5.0)


@pytest.mark.parametrize("update", [in_play("suspended"), MarketGone("1.1")])
def test_a_suspended_or_withdrawn_market_need_not_change(update: MarketUpdate | MarketGone) -> None:
    watchdog = a_watchdog()
    watchdog.observe(a_batch(in_play()), 0.0)
    assert 10.0 == watchdog.quiet_limit_s
    watchdog.observe(a_batch(update), 1.0)
    assert inf == watchdog.quiet_limit_s


def test_a_withdrawal_is_not_a_change() -> None:
    watchdog = a_watchdog()
    assert not watchdog.observe(a_batch(MarketGone("1.2")), 1.0)
    assert watchdog.observe(a_batch(in_play()), 1.0)
